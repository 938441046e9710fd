"""Prices, sources and a clock for the tests of a thesis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import anyio
import numpy as np

from tapeline.core.clock import LogicalClock, actor, sleep_s
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import DAY_S, F64, NS_PER_S, Evidence, Label, Passage
from tapeline.grid import BarGrid
from tapeline.thesis.collect import Fetch
from tapeline.thesis.prices import PriceHistory

T = TypeVar("T")

DAY_NS = DAY_S * NS_PER_S
NOW_NS = int(datetime(2010, 5, 6, 14, 30, tzinfo=UTC).timestamp()) * NS_PER_S
TODAY_NS = NOW_NS - NOW_NS % DAY_NS
BACKENDS = ("asyncio", "trio")


def run(main: Callable[[LogicalClock], Awaitable[T]], *, backend: str = "asyncio") -> T:
    """Run ``main`` as the one actor of a fresh logical clock."""

    async def outer() -> T:
        clock = LogicalClock(NOW_NS)
        with anyio.fail_after(20):
            async with actor(clock):
                return await main(clock)

    return anyio.run(outer, backend=backend)


def walk(n: int, seed: int = 1, *, step: float = 0.02) -> F64:
    """Return closes of a random walk."""
    closes: F64 = 50.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, step, n)))
    return closes


def prices_of(close: F64, *, index: F64 | None = None, is_running: bool = False, symbol: str = "AAPL") -> PriceHistory:
    """Return a history of these closes up to today, with ranges of 1 % and a volume that grows."""
    n = len(close)
    return PriceHistory(
        symbol=symbol,
        as_of_ns=NOW_NS,
        event_ns=TODAY_NS - DAY_NS * np.arange(n - 1, -1, -1),
        open=close.copy(),
        high=close * 1.01,
        low=close * 0.99,
        close=close,
        volume=1_000.0 * np.arange(1.0, n + 1.0),
        index_close=np.full(n, np.nan) if index is None else index,
        is_running=is_running,
        label=Label.REAL,
    )


def grid_of(close: F64, symbols: tuple[str, ...]) -> BarGrid:
    """Return a grid of sessions up to today; ``close`` is (n_bars, n_symbols)."""
    event_ns = TODAY_NS - DAY_NS * np.arange(len(close) - 1, -1, -1)
    volume = np.where(np.isnan(close), np.nan, 100.0)
    return BarGrid.from_arrays(symbols, event_ns, open=close, high=close, low=close, close=close, volume=volume)


def evidence_of(step: str, *facts: tuple[str, float], passages: tuple[Passage, ...] = ()) -> Evidence:
    """Return evidence on AAPL."""
    return Evidence(step, "AAPL", "source", NOW_NS, Label.SIMULATED, facts, passages)


def answers(evidence: Evidence, after_s: float = 0.0, clock: LogicalClock | None = None) -> Fetch:
    """Return a source that has this evidence, after a while."""

    async def fetch(_symbol: str, _deadline_ns: int) -> Outcome[Evidence]:
        if clock is not None:
            await sleep_s(clock, after_s)
        return value_of(evidence, source=evidence.source)

    return fetch


def fails(kind: Kind = Kind.ERROR, reason: str = "it is dead") -> Fetch:
    """Return a source that has nothing."""

    async def fetch(_symbol: str, _deadline_ns: int) -> Outcome[Evidence]:
        return nothing(kind, source="source", reason=reason)

    return fetch
