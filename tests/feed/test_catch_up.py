"""Daily history in steps: only what is missing, kept at once, gone on with after a break."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from tests.feed.worlds import run

from tapeline.core.calendar import SessionCalendar
from tapeline.core.clock import LogicalClock, sleep_s
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadInput, StoreError
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import DAY_S, BarFrame, Label
from tapeline.feed.catch_up import CaughtUp, catch_up_days
from tapeline.feed.http import Refusal

CALENDAR = SessionCalendar()
LAST = dt.date(2010, 5, 5)


@dataclass
class Daily:
    """Gives every symbol a bar on each session it was asked for."""

    clock: LogicalClock
    bad: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    asked: list[tuple[str, dt.date]] = field(default_factory=list)
    name: str = "fake"
    feed: str = "iex"

    async def fetch_daily(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Outcome[BarFrame]:
        self.asked.append(("".join(symbols), first))
        await sleep_s(self.clock, 1)
        if self.bad & set(symbols):
            return Refusal(Kind.ERROR, "fake", None, "invalid symbol")
        if self.broken & set(symbols):
            return nothing(Kind.LIMITED, source="fake", reason="429")
        days = CALENDAR.sessions(first, last)
        names = [symbol for _ in days for symbol in symbols]
        starts = np.array([CALENDAR.session(day).open_ns for day in days for _ in symbols], np.int64)
        one = np.ones(len(names))
        frame = BarFrame(DAY_S, "iex", Label.REAL, 7, tuple(names), starts, one, one, one, one, one, one, one)
        return value_of(frame, source="fake")


def _catch_up(
    known: Mapping[str, dt.date] | None = None,
    *,
    bad: str = "",
    broken: str = "",
    disk: int = 1_000,
    kept: dict[str, dt.date] | None = None,
    answered: list[str] | None = None,
) -> tuple[CaughtUp, Daily, dict[str, dt.date]]:
    """Return what was found, the vendor, and the last day that was kept of each symbol; ``disk`` holds so many rows.

    ``answered`` takes the symbols that were kept.
    """
    told = [] if answered is None else answered
    kept = {} if kept is None else kept
    kept.update(known or {})

    async def main(clock: LogicalClock) -> tuple[CaughtUp, Daily, dict[str, dt.date]]:
        source = Daily(clock, frozenset(bad), frozenset(broken))
        room = disk

        async def keep(frame: BarFrame) -> None:
            nonlocal room
            if len(frame) > room:
                raise StoreError("the disk is full")
            room -= len(frame)
            for symbol, moment in zip(frame.symbols, frame.event_ns.tolist(), strict=True):
                kept[symbol] = dt.datetime.fromtimestamp(moment / 1e9, dt.UTC).date()

        config = FeedConfig(batch_size=2, max_concurrent_batches=1)
        found = await catch_up_days(
            source,
            "ABCDE",
            dict(known or {}),
            3,
            LAST,
            clock=clock,
            calendar=CALENDAR,
            config=config,
            keep=keep,
            answered=lambda symbols, _: told.extend(symbols),
        )
        return found, source, kept

    return run(main)


def test_a_fresh_market_is_asked_for_whole_and_a_second_run_asks_nothing() -> None:
    found, source, kept = _catch_up()
    assert (found.bars, found.complete, found.missing) == (15, 0, [])
    assert source.asked == [(batch, dt.date(2010, 5, 3)) for batch in ("AB", "CD", "E")]
    again, source, _ = _catch_up(kept)
    assert (again.bars, again.complete, source.asked) == (0, 5, [])


def test_only_the_missing_days_of_each_symbol_are_asked_for() -> None:
    found, source, _ = _catch_up({"A": LAST, "B": dt.date(2010, 5, 4), "D": dt.date(2010, 5, 4)})
    assert source.asked == [("CE", dt.date(2010, 5, 3)), ("BD", dt.date(2010, 5, 5))]
    assert (found.bars, found.complete) == (8, 1)


def test_a_refused_symbol_is_named_and_its_neighbours_come() -> None:
    found, _, kept = _catch_up(bad="C")
    assert found.missing == [("C", "invalid symbol")]
    assert set(kept) == set("ABDE")


def test_a_batch_without_an_answer_is_named_and_the_next_run_asks_for_it() -> None:
    answered: list[str] = []
    found, _, kept = _catch_up(broken="D", answered=answered)
    assert answered == list("ABE")
    assert found.missing == [("C", "limited: 429"), ("D", "limited: 429")]
    again, source, _ = _catch_up(kept)
    assert [batch for batch, _ in source.asked] == ["CD"]
    assert (again.bars, again.complete) == (6, 3)


def test_what_came_before_a_full_disk_is_kept() -> None:
    kept: dict[str, dt.date] = {}
    with pytest.raises(BaseExceptionGroup) as caught:
        _catch_up(disk=6, kept=kept)
    assert caught.group_contains(StoreError, match="the disk is full")
    assert kept == {"A": LAST, "B": LAST}


def test_no_session_is_nothing_to_ask_for() -> None:
    async def main(clock: LogicalClock) -> None:
        with pytest.raises(BadInput, match="0 sessions"):
            await catch_up_days(
                Daily(clock), "A", {}, 0, LAST, clock=clock, calendar=CALENDAR, config=FeedConfig(), keep=_never
            )

    run(main)


async def _never(frame: BarFrame) -> None:
    raise AssertionError
