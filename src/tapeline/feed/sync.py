"""Daily history of the universe, at the start of a node.

In: symbols, how many sessions, the last day.  Out: one ``BarFrame`` of daily bars, and who is missing, with the reason.
Refuses to pass over a failed batch: its symbols are named.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tapeline.core.calendar import Session
from tapeline.core.clock import Clock
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadInput, Unavailable
from tapeline.core.outcome import Outcome
from tapeline.core.types import BarFrame
from tapeline.feed.handover import share_out
from tapeline.feed.sources import DailySource, batches, join_frames

Progress = Callable[[int, int], None]
"""Called with (batches done, batches in all)."""


class SessionCounter(Protocol):
    """Knows the sessions before a day."""

    def previous_session(self, day: dt.date) -> Session:
        """Return the last session before ``day``."""
        ...


@dataclass(frozen=True, slots=True)
class History:
    """Daily bars by (event_ns, symbol); ``missing`` are (symbol, reason) of the batches that failed.

    A symbol that is in neither did not trade in these sessions, or the vendor does not know it.
    """

    frame: BarFrame
    missing: tuple[tuple[str, str], ...]


async def fetch_history(
    source: DailySource,
    symbols: Sequence[str],
    sessions: int,
    end_date: dt.date,
    *,
    clock: Clock,
    calendar: SessionCounter,
    config: FeedConfig,
    progress: Progress | None = None,
) -> History:
    """Fetch the last ``sessions`` daily bars of every symbol, up to ``end_date`` included.

    In: symbols.   Out: one history.
    Concurrency: ``feed.max_concurrent_batches`` requests in flight; on a logical clock the caller must be an actor.
    Failure: a batch without an answer is ``missing``; when no batch has one, raises Unavailable with the first reason.
    """
    if not symbols or sessions < 1:
        raise BadInput(f"a history of {len(symbols)} symbols and {sessions} sessions holds nothing")
    first = first_day(calendar, sessions, end_date)
    cut = batches(symbols, config.batch_size)
    done = 0

    async def fetch(batch: tuple[str, ...]) -> Outcome[BarFrame]:
        nonlocal done
        outcome = await source.fetch_daily(batch, first, end_date)
        done += 1
        if progress is not None:
            progress(done, len(cut))
        return outcome

    outcomes = await share_out(clock, cut, config.max_concurrent_batches, fetch)
    frames = [outcome.value for outcome in outcomes if outcome.value is not None]
    if not frames:
        raise Unavailable(f"{source.name} gave no daily history: {outcomes[0].reason}")
    missing = [
        (symbol, f"{outcome.kind}: {outcome.reason}")
        for batch, outcome in zip(cut, outcomes, strict=True)
        for symbol in batch
        if not outcome.is_value
    ]
    whole = join_frames(frames, as_of_ns=max(frame.as_of_ns for frame in frames))
    return History(whole, tuple(missing))


def first_day(calendar: SessionCounter, sessions: int, end_date: dt.date) -> dt.date:
    """Return the first of the last ``sessions`` trading days up to ``end_date`` included."""
    day = end_date + dt.timedelta(days=1)
    for _ in range(sessions):
        day = calendar.previous_session(day).day
    return day
