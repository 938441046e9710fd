"""How a universe is put into requests, and whether a cycle of them fits into the rate limit.

In: the strategy and the bounds of ``[feed]``.  Out: symbols per request, requests at a time, a verdict in numbers.
Refuses a configuration that cannot finish its cycle inside the limit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tapeline.core.config import FeedConfig
from tapeline.core.errors import ConfigError
from tapeline.core.types import MINUTE_S, NS_PER_S
from tapeline.feed.sources import PAGE_ROWS

MINUTE_NS = MINUTE_S * NS_PER_S


@dataclass(frozen=True, slots=True)
class Pace:
    """Symbols in one request, and requests in the air at a time."""

    batch_size: int
    workers: int


def pace_of(config: FeedConfig) -> Pace:
    """Return what the configured strategy means; ``hybrid`` is both of its parents at once."""
    size = batch_size_for(config, minutes_of_cycle(config)) if config.strategy in ("batch", "hybrid") else 1
    workers = config.max_concurrent_batches if config.strategy in ("concurrent", "hybrid") else 1
    return Pace(size, workers)


def batch_size_for(config: FeedConfig, minutes: int) -> int:
    """Return the symbols whose bars of ``minutes`` fill no more than one page; the URL's length bounds them further."""
    return max(1, min(config.batch_size, PAGE_ROWS // minutes))


def minutes_of_cycle(config: FeedConfig) -> int:
    """Return the bars of one symbol that a cycle expects."""
    return max(1, math.ceil(config.cycle_s / MINUTE_S))


def step_ns_of(config: FeedConfig) -> int:
    """Return the time between two cycles: what is configured below a minute, whole minutes above it."""
    if config.cycle_s < MINUTE_S:
        return round(config.cycle_s * NS_PER_S)
    return minutes_of_cycle(config) * MINUTE_NS


def requests_of(batch_sizes: Sequence[int], config: FeedConfig) -> int:
    """Return the requests of one cycle, pages included."""
    minutes = minutes_of_cycle(config)
    return sum(math.ceil(size * minutes / PAGE_ROWS) for size in batch_sizes)


def can_reread(batch_sizes: Sequence[int], config: FeedConfig) -> bool:
    """Return whether the limit leaves room to ask for everything a second time."""
    cycle_s = step_ns_of(config) / NS_PER_S
    return 2 * requests_of(batch_sizes, config) <= config.requests_per_minute * max(1.0, cycle_s / MINUTE_S)


def check_feasible(batch_sizes: Sequence[int], config: FeedConfig) -> None:
    """Raise ConfigError, with the numbers, when these batches cannot be polled within the limits of ``config``."""
    if config.publish_delay_s >= MINUTE_S:
        raise ConfigError(f"feed.publish_delay_s is {config.publish_delay_s:g}: it must stay below a minute")
    cycle_s = step_ns_of(config) / NS_PER_S
    requests = requests_of(batch_sizes, config)
    allowed = math.floor(config.requests_per_minute * cycle_s / MINUTE_S)
    if requests > allowed:
        raise ConfigError(
            f"{sum(batch_sizes):,} symbols in batches of {max(batch_sizes)} need {requests:,} requests every "
            f"{cycle_s:g} s, but feed.requests_per_minute allows {allowed:,}: raise feed.batch_size or feed.cycle_s"
        )
