"""Kills and restarts: whatever a node was doing when it died, the next one makes the same day of what is left."""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec.structs import replace
from tests.loop.town import (
    BEFORE,
    CALENDAR,
    CLOSE_NS,
    CONFIG,
    MINUTE_NS,
    MINUTES,
    OPEN_NS,
    Kept,
    Town,
    day_in,
    expected_rows,
    run,
)

from tapeline.core.types import BarFrame, CycleRecord, Fill, Order
from tapeline.loop.desk import Book, Desk
from tapeline.loop.session import make_up, run_minute, run_session
from tapeline.store import queries
from tapeline.streams.lanes import Publisher
from tapeline.trade.portfolio import fold

DELAY_NS = round(CONFIG.feed.publish_delay_s * 1e9)


class Counting:
    """Awaits a coroutine and counts how often it waits; at the ``kill_at``-th time it is cancelled from then on."""

    def __init__(self, work: Coroutine[Any, Any, Any], kill_at: int, kill: Callable[[], None]) -> None:
        self.work, self.kill_at, self.kill, self.waits = work, kill_at, kill, 0

    def __await__(self) -> Generator[Any, Any, Any]:
        answer: Any = None
        error: BaseException | None = None
        while True:
            try:
                waiting = self.work.throw(error) if error is not None else self.work.send(answer)
            except StopIteration as end:
                return end.value
            answer, error = None, None
            self.waits += 1
            if self.waits == self.kill_at:
                self.kill()
            try:
                answer = yield waiting
            except BaseException as thrown:  # noqa: BLE001  handed on to the work, cancellation included
                error = thrown


async def killed_at(town: Town, kill_at: int) -> int:
    """Live through the day until it waits for the ``kill_at``-th time; return how often it has waited."""
    async with anyio.create_task_group() as group:
        counting = Counting(town.live(), kill_at, group.cancel_scope.cancel)
        await counting
    return counting.waits


async def killed_and_lived_again(town: Town, kill_at: int) -> tuple[Book, Kept]:
    """Return what the second life made of what the first had left."""
    await killed_at(town, kill_at)
    return await day_in(town)


N_KILLS = 6
"""Drawn from as many equal parts of the day; a sweep over every wait takes a minute."""


def decisions(kept: Kept) -> list[tuple[int, tuple[str, ...], tuple[str, ...]]]:
    """Return what was decided when, as ids of signals and orders; the moments within a minute may differ."""
    ids = [
        (record.as_of_ns, [signal.signal_id for signal in record.signals], [order.order_id for order in record.orders])
        for record in kept.cycles
    ]
    booked = [event.order_id for event in kept.ledger if isinstance(event, Order) and event.created_ns >= OPEN_NS]
    assert booked == [order_id for _, _, orders in ids for order_id in orders]
    return [(as_of_ns, tuple(signals), tuple(orders)) for as_of_ns, signals, orders in ids]


def test_a_kill_at_any_await_loses_and_doubles_no_bar_and_no_decision(tmp_path: Path, kept: Kept) -> None:
    (tmp_path / "undisturbed").mkdir()
    waits = run(lambda: killed_at(Town(tmp_path / "undisturbed"), 0))
    assert waits > 100
    draw = random.Random(7)
    for part in range(N_KILLS):
        town = Town(tmp_path / f"kill-{part}")
        town.folder.mkdir()
        kill_at = 1 + (part * waits + draw.randrange(waits)) // N_KILLS
        book, healed = run(partial(killed_and_lived_again, town, kill_at))
        for timeframe_s in CONFIG.live.timeframes_s:
            assert healed.rows(timeframe_s) == kept.rows(timeframe_s), f"killed at wait {kill_at}"
        assert book.portfolio == fold(CONFIG.trade.initial_cash, healed.ledger), f"killed at wait {kill_at}"
        fills = [event.fill_id for event in healed.ledger if isinstance(event, Fill)]
        assert len(fills) == len(set(fills))
        assert decisions(healed) == decisions(kept), f"killed at wait {kill_at}"


def test_a_node_that_died_after_its_last_poll_keeps_what_the_workers_closed(tmp_path: Path) -> None:
    town = Town(tmp_path)

    async def main() -> Kept:
        async with town.desk() as desk:
            book = await town.open_book(desk)
            await desk.clock.sleep_until(CLOSE_NS + DELAY_NS)
            report = await book.poller.cycle(CLOSE_NS)
            await book.publisher.publish(report.frame)
        return (await day_in(town))[1]

    assert run(main).rows() == expected_rows(town.market)


async def first_minutes(town: Town, n_minutes: int) -> Book:
    """Live through the first minutes, and die."""
    async with town.desk() as desk:
        book = await town.open_book(desk)
        for minute in range(1, n_minutes + 1):
            await desk.clock.sleep_until(OPEN_NS + minute * MINUTE_NS + DELAY_NS)
            await run_minute(desk, book, OPEN_NS + minute * MINUTE_NS)
        return book


def test_a_start_into_a_silent_vendor_does_not_wait_for_what_is_kept_already(tmp_path: Path) -> None:
    town = Town(tmp_path)

    async def main() -> tuple[Book, Kept]:
        await first_minutes(town, 5)
        town.market.is_down = _minutes_are_silent_until(OPEN_NS + 8 * MINUTE_NS)
        return await day_in(town)

    book, kept = run(main)
    assert kept.rows() == expected_rows(town.market)
    assert len(book.tally.errors) == 2
    assert book.portfolio == fold(CONFIG.trade.initial_cash, kept.ledger)


def _minutes_are_silent_until(until_ns: int) -> Callable[[str, Any, int], bool]:
    return lambda _path, params, now_ns: params.get("timeframe") == "1Min" and now_ns < until_ns


SCAN_MINUTE = 5
"""Here CCC is bought."""


async def cut_off(town: Town, *, is_told: bool) -> None:
    """Live through the minutes before ``SCAN_MINUTE``, and die in it: before its poll, or after its bars were told."""
    async with town.desk() as desk:
        book = await town.open_book(desk)
        for minute in range(1, SCAN_MINUTE + is_told):
            end_ns = OPEN_NS + minute * MINUTE_NS
            await desk.clock.sleep_until(end_ns + DELAY_NS)
            if minute < SCAN_MINUTE:
                await run_minute(desk, book, end_ns)
            else:
                await book.intake.polled(await book.poller.cycle(end_ns), book.poller.watermarks())


@pytest.mark.parametrize(
    ("is_told", "away_s"),
    [(True, 20.0), (True, -1e6), (False, 75.0)],
    ids=["bars told", "bars told, and the clock begins anew", "not polled"],
)
def test_the_minute_that_a_kill_cut_off_is_decided_at_once_and_each_order_is_given_once(
    tmp_path: Path, kept: Kept, is_told: bool, away_s: float
) -> None:
    town = Town(tmp_path)

    async def main() -> tuple[Book, Kept]:
        await cut_off(town, is_told=is_told)
        town.now_ns = max(BEFORE.close_ns, town.now_ns + round(away_s * 1e9))
        return await day_in(town)

    book, healed = run(main)
    assert decisions(healed) == decisions(kept)
    (bought,) = [event for event in healed.ledger if isinstance(event, Order) and event.symbol == "CCC"]
    due_ns = OPEN_NS + SCAN_MINUTE * MINUTE_NS + DELAY_NS
    assert due_ns <= bought.created_ns < due_ns + MINUTE_NS
    assert healed.rows() == kept.rows()
    assert book.portfolio == fold(CONFIG.trade.initial_cash, healed.ledger)


def test_a_minute_that_has_had_another_after_it_is_not_decided_on_but_the_newest_one_is_at_once(
    tmp_path: Path, kept: Kept
) -> None:
    town = Town(tmp_path)
    newest_ns = OPEN_NS + (SCAN_MINUTE + 2) * MINUTE_NS

    async def main() -> tuple[Book, Kept, CycleRecord | None]:
        await cut_off(town, is_told=True)
        town.now_ns = newest_ns + DELAY_NS + MINUTE_NS // 4
        async with town.desk() as desk:
            record = await make_up(desk, await town.open_book(desk), DELAY_NS)
            assert desk.clock.now_ns() < newest_ns + DELAY_NS + MINUTE_NS
        return *await day_in(town), record

    _, healed, record = run(main)
    assert record is not None
    assert record.as_of_ns == newest_ns
    assert OPEN_NS + SCAN_MINUTE * MINUTE_NS not in {cycle.as_of_ns for cycle in healed.cycles}
    assert healed.rows() == kept.rows()


def test_who_was_away_for_longer_than_a_poll_catches_up_decides_on_nothing_at_the_start(tmp_path: Path) -> None:
    town = Town(tmp_path, config=replace(CONFIG, feed=replace(CONFIG.feed, max_catch_up_min=3)))

    async def main() -> CycleRecord | None:
        await cut_off(town, is_told=True)
        town.now_ns += 4 * MINUTE_NS
        async with town.desk() as desk:
            return await make_up(desk, await town.open_book(desk), DELAY_NS)

    assert run(main) is None


def test_a_minute_that_was_decided_on_is_not_decided_on_again(tmp_path: Path, kept: Kept) -> None:
    town = Town(tmp_path)

    async def main() -> tuple[Kept, CycleRecord | None]:
        await first_minutes(town, SCAN_MINUTE)
        async with town.desk() as desk:
            record = await make_up(desk, await town.open_book(desk), DELAY_NS)
        return (await day_in(town))[1], record

    healed, record = run(main)
    assert record is None
    assert decisions(healed) == decisions(kept)


def test_a_replay_that_is_started_again_goes_on_where_it_ended(tmp_path: Path) -> None:
    """The simulator's clock begins at the previous close again; what is covered is not lived through twice."""
    town = Town(tmp_path)

    async def main() -> tuple[Book, Book, Kept]:
        first = await first_minutes(town, 7)
        town.now_ns = BEFORE.close_ns
        return first, *await day_in(town)

    first, second, kept = run(main)
    assert kept.rows() == expected_rows(town.market)
    assert second.tally.polls == MINUTES - first.tally.polls
    assert second.portfolio == fold(CONFIG.trade.initial_cash, kept.ledger)
    created = [event.created_ns for event in kept.ledger if isinstance(event, Order)]
    assert created == sorted(created)


def test_a_frame_that_reached_one_lane_only_is_published_to_all_again(tmp_path: Path) -> None:
    town = Town(tmp_path)

    async def main() -> tuple[Book, Kept]:
        async with town.desk() as desk:
            book = await town.open_book(desk)
            await desk.clock.sleep_until(OPEN_NS + 3 * MINUTE_NS + DELAY_NS)
            frame = (await book.poller.cycle(OPEN_NS + 3 * MINUTE_NS)).frame
            await _publish_to_lane_0(Publisher(town.store, 2), frame)
        return await day_in(town)

    book, kept = run(main)
    assert kept.rows() == expected_rows(town.market)
    assert book.portfolio == fold(CONFIG.trade.initial_cash, kept.ledger)


async def _publish_to_lane_0(publisher: Publisher, frame: BarFrame) -> None:
    publish = publisher._store.publish

    async def first_only(lane: int, *arguments: Any, **more: Any) -> list[str]:
        return await publish(lane, *arguments, **more) if lane == 0 else ["0-0"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publisher._store, "publish", first_only)
        await publisher.publish(frame)


def test_yesterdays_bars_that_nobody_kept_come_with_this_mornings_first(tmp_path: Path) -> None:
    """The node died in the evening: its bars are in the lanes, and the next day's first cycle finds them."""
    town = Town(tmp_path)
    after = CALENDAR.next_session(CLOSE_NS)

    async def main() -> tuple[Book, Kept]:
        async with town.desk() as desk:
            book = await town.open_book(desk)
            await desk.clock.sleep_until(CLOSE_NS + DELAY_NS)
            await book.publisher.publish((await book.poller.cycle(CLOSE_NS)).frame)
        town.now_ns = after.open_ns - 15 * MINUTE_NS
        async with town.desk() as desk:
            book = await town.open_book(desk, after.day)
            await run_session(desk, book, lambda _done, _of, _note: None)
            return book, await _read(desk)

    book, kept = run(main)
    assert kept.rows() == expected_rows(town.market)
    assert book.portfolio == fold(CONFIG.trade.initial_cash, kept.ledger)
    assert book.poller.covered_ns == after.close_ns


async def _read(desk: Desk) -> Kept:
    bars = {t: await desk.journal.read(partial(queries.bars, timeframe_s=t)) for t in CONFIG.live.timeframes_s}
    return Kept(bars, await desk.journal.read_ledger(), await desk.journal.read(queries.cycles))
