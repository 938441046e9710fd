"""A node that died between a minute and its second reading: the next one reads it again, and says only what changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.loop.test_recovery import first_minutes
from tests.loop.town import MINUTE_NS, MINUTES, OPEN_NS, Kept, Town, day_in, expected_rows, run

from tapeline.loop import retold
from tapeline.loop.desk import Book
from tapeline.loop.retold import told_lately
from tapeline.streams.store import LaneProgress

LIVED = 5


def _late(symbol: str, event_ns: int, now_ns: int) -> float:
    """A trade of BBB is reported 20 s after the end of the last minute before the death."""
    is_last = event_ns == OPEN_NS + (LIVED - 1) * MINUTE_NS
    return 0.5 if symbol == "BBB" and is_last and now_ns >= event_ns + MINUTE_NS + 20 * 10**9 else 0.0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_trades_that_were_reported_while_the_node_was_dead_correct_their_bar(tmp_path: Path, backend: str) -> None:
    town = Town(tmp_path)
    town.market.late = _late

    async def main() -> tuple[Book, Kept]:
        await first_minutes(town, LIVED)
        return await day_in(town)

    book, kept = run(main, backend)
    town.market.minutes["BBB"][LIVED - 1] += 0.5
    town.market.late = lambda *_: 0.0
    assert kept.rows() == expected_rows(town.market)
    later = [row for row in kept.rows() if row[1] >= OPEN_NS + LIVED * MINUTE_NS]
    assert book.tally.ticks == len(later) + 1  # nothing else was said again
    assert book.tally.polls == MINUTES - LIVED


def test_workers_that_are_too_late_leave_the_minutes_as_they_were_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retold, "PATIENCE_S", 0.05)
    town = Town(tmp_path)

    async def main() -> None:
        book = await first_minutes(town, LIVED)
        async with town.desk() as desk:
            told = await told_lately(desk, book.closed, book.poller.covered_ns)
            assert {int(event) for frame in told for event in frame.event_ns} == {
                OPEN_NS + minute * MINUTE_NS for minute in range(LIVED)
            }
            progress = town.store.progress

            async def behind(lane: int) -> LaneProgress:
                return replace(await progress(lane), last_id="99-0")

            monkeypatch.setattr(town.store, "progress", behind)
            assert await told_lately(desk, book.closed, book.poller.covered_ns) == []

    run(main)
