"""The history fetch: all batches, progress, and who is missing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from tests.feed.worlds import run

from tapeline.core.calendar import SessionCalendar
from tapeline.core.clock import LogicalClock, sleep_s
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadInput, Unavailable
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import BarFrame, Label
from tapeline.feed.sync import History, fetch_history

CALENDAR = SessionCalendar()
END = dt.date(2010, 5, 5)


@dataclass
class FakeDaily:
    """Gives every symbol one bar on the last day; fails for batches that hold a symbol of ``broken``."""

    clock: LogicalClock
    broken: frozenset[str] = frozenset()
    asked: list[tuple[tuple[str, ...], dt.date, dt.date]] = field(default_factory=list)
    name: str = "fake"
    feed: str = "iex"

    async def fetch_daily(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Outcome[BarFrame]:
        self.asked.append((tuple(symbols), first, last))
        await sleep_s(self.clock, 5 - len(self.asked))  # later batches answer first
        if self.broken & set(symbols):
            return nothing(Kind.LIMITED, source="fake", reason="429")
        ones = np.ones(len(symbols))
        stamps = np.full(len(symbols), 1_273_032_000_000_000_000)
        label = Label.RESAMPLED if "E" in symbols else Label.REAL
        frame = BarFrame(86_400, "iex", label, 7, tuple(symbols), stamps, ones, ones, ones, ones, ones, ones, ones)
        return value_of(frame, source="fake")


def _history(broken: str = "", symbols: str = "ABCDE", sessions: int = 3) -> tuple[History, FakeDaily, list[object]]:
    async def main(clock: LogicalClock) -> tuple[History, FakeDaily, list[object]]:
        source, progress = FakeDaily(clock, frozenset(broken)), list[object]()
        history = await fetch_history(
            source,
            list(symbols),
            sessions,
            END,
            clock=clock,
            calendar=CALENDAR,
            config=FeedConfig(batch_size=2),
            progress=lambda done, total: progress.append((done, total)),
        )
        return history, source, progress

    return run(main)


def test_all_batches_become_one_table_with_progress() -> None:
    history, source, progress = _history()
    assert history.frame.symbols == ("A", "B", "C", "D", "E")
    assert history.frame.label is Label.RESAMPLED
    assert history.missing == ()
    assert progress == [(1, 3), (2, 3), (3, 3)]
    assert {first for _, first, _ in source.asked} == {dt.date(2010, 5, 3)}
    assert {last for *_, last in source.asked} == {END}


def test_sessions_are_counted_by_the_calendar() -> None:
    _, source, _ = _history(sessions=25)  # over Good Friday and four weekends
    assert source.asked[0][1] == dt.date(2010, 3, 31)
    assert len(CALENDAR.sessions(dt.date(2010, 3, 31), END)) == 25


def test_a_failed_batch_is_named() -> None:
    history, _, _ = _history(broken="C")
    assert history.missing == (("C", "limited: 429"), ("D", "limited: 429"))
    assert history.frame.symbols == ("A", "B", "E")


def test_no_history_at_all_is_a_failure() -> None:
    with pytest.raises(Unavailable, match="fake gave no daily history: 429"):
        _history(broken="ABCDE")


@pytest.mark.parametrize(("symbols", "sessions"), [("", 3), ("A", 0)])
def test_an_empty_question_is_refused(symbols: str, sessions: int) -> None:
    with pytest.raises(BadInput, match="holds nothing"):
        _history(symbols=symbols, sessions=sessions)
