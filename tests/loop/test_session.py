"""A day in the loop: every bar once, the account as the ledger has it, late bars too, and nothing from the future."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import msgspec
import numpy as np
import pytest
from tests.loop.town import (
    CLOSE_NS,
    CONFIG,
    MINUTE_NS,
    MINUTES,
    OPEN_NS,
    SYMBOLS,
    Kept,
    Town,
    expected_rows,
    make_market,
    parse_iso,
    read_kept,
    replay,
    run,
    wire_bar,
)

from tapeline.core.clock import Clock, actor
from tapeline.core.errors import Unavailable
from tapeline.core.types import BarFrame, Fill, Label, Order
from tapeline.feed.intake import Hear, Stream, Tell
from tapeline.feed.reread import KEPT_MINUTES
from tapeline.loop import pages, session
from tapeline.loop.desk import Book, Desk
from tapeline.loop.session import run_minute, run_session
from tapeline.store import queries
from tapeline.store.batch import EquityMark
from tapeline.trade.portfolio import fold

DELAY_NS = round(CONFIG.feed.publish_delay_s * 1e9)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_undisturbed_day_keeps_every_bar_and_the_account(tmp_path: Path, backend: str) -> None:
    town = Town(tmp_path)
    book, kept = replay(town, backend)
    assert kept.rows() == expected_rows(town.market)
    assert kept.rows(300) == five_minutes(kept.rows())
    assert book.portfolio == fold(CONFIG.trade.initial_cash, kept.ledger)
    tally = book.tally
    assert (tally.polls, tally.ticks, tally.errors) == (MINUTES, len(kept.rows()), [])
    assert tally.bars == len(kept.rows()) + len(kept.rows(300))
    assert tally.traded == set(SYMBOLS)
    assert tally.fills == tally.orders == 2  # beside the opening positions: the stop of AAA and the buy of CCC
    assert tally.signals == sum(len(cycle.signals) for cycle in kept.cycles) > 0
    assert len(tally.scan_ms) == MINUTES // CONFIG.scan.every_min


def five_minutes(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Fold rows of one minute, in their order, to rows of five."""
    bars: dict[tuple[int, str], list[Any]] = {}
    for symbol, start_ns, opened, high, low, close, volume in rows:
        bar = bars.setdefault((start_ns // (5 * MINUTE_NS), symbol), [opened, high, low, close, 0.0])
        bar[1:] = [max(bar[1], high), min(bar[2], low), close, bar[4] + volume]
    return [(symbol, number * 5 * MINUTE_NS, *bar) for (number, symbol), bar in sorted(bars.items())]


def test_two_runs_keep_the_same(tmp_path: Path, kept: Kept) -> None:
    assert repr(replay(Town(tmp_path), "trio")[1]) == repr(kept)


def test_orders_fill_from_bars_that_nobody_had_seen_when_they_were_given(kept: Kept) -> None:
    orders = {event.order_id: event for event in kept.ledger if isinstance(event, Order) and event.reason != "opening"}
    fills = [event for event in kept.ledger if isinstance(event, Fill) and event.order_id in orders]
    opens = {row[:2]: row[2] for row in kept.rows()}
    assert {orders[fill.order_id].reason for fill in fills} == {"stop", "signal"}
    for fill in fills:
        order = orders[fill.order_id]
        assert order.created_ns <= fill.event_ns
        assert fill.event_ns - order.created_ns < MINUTE_NS
        slipped = 1.0 + fill.side.sign * CONFIG.trade.slippage_bps / 1e4
        assert fill.price == opens[fill.symbol, fill.event_ns] * slipped
    for cycle in kept.cycles:
        assert all(order.created_ns >= cycle.as_of_ns + DELAY_NS for order in cycle.orders)


@pytest.mark.parametrize("minute", [4, 5, 9])
def test_changing_what_comes_later_changes_nothing_that_was_booked(tmp_path: Path, kept: Kept, minute: int) -> None:
    def booked(kept: Kept) -> tuple[list[Any], list[Any], list[Any]]:
        end_ns = OPEN_NS + minute * MINUTE_NS
        events = [event for event in kept.ledger if _when(event) < end_ns]
        cycles = [cycle for cycle in kept.cycles if cycle.as_of_ns <= end_ns]
        return events, cycles, [row for row in kept.rows() if row[1] < end_ns]

    town = Town(tmp_path)
    noise = np.random.default_rng(minute)
    for closes in town.market.minutes.values():
        closes[minute:] = [50.0 * float(noise.uniform(0.5, 1.5)) for _ in closes[minute:]]
    _, changed = replay(town)
    assert changed.rows() != kept.rows()
    assert repr(booked(changed)) == repr(booked(kept))


def _when(event: object) -> int:
    """Return when an event happened; the bar that filled, not the bar that ended."""
    return event.created_ns if isinstance(event, Order) else event.event_ns  # type: ignore[attr-defined]


def down(symbols: str, first: int, last: int, until_ns: int = 2**63) -> Callable[[str, Any, int], bool]:
    """Return a vendor that does not answer for a batch about the minutes ``first`` to ``last``, until a moment."""

    def is_down(path: str, params: Any, now_ns: int) -> bool:
        if params.get("symbols") != symbols or params["timeframe"] != "1Min" or now_ns >= until_ns:
            return False
        return OPEN_NS + first * MINUTE_NS <= parse_iso(params["end"]) < OPEN_NS + (last + 1) * MINUTE_NS

    return is_down


def test_a_batch_that_fails_is_an_error_and_its_bars_come_later(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.is_down = down("AAA,BBB,CCC", 6, 7)
    book, kept = replay(town)
    assert len(book.tally.errors) == 2
    assert "out of order" in book.tally.errors[0]
    assert kept.rows() == expected_rows(town.market)
    assert kept.rows(300) == five_minutes(kept.rows())
    assert book.portfolio == fold(CONFIG.trade.initial_cash, kept.ledger)


def _late_trades(symbol: str, event_ns: int, now_ns: int) -> float:
    """A trade of BBB is reported 20 s after the ends of the minutes 4 and 14, the last one."""
    minute = (event_ns - OPEN_NS) // MINUTE_NS
    is_known = now_ns >= event_ns + MINUTE_NS + 20 * 10**9
    return 0.5 if symbol == "BBB" and minute in (4, MINUTES - 1) and is_known else 0.0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_trades_that_are_reported_late_correct_their_bars_as_revisions(tmp_path: Path, backend: str) -> None:
    town = Town(tmp_path)
    told = dict(zip(("early", "late"), ([*town.market.minutes["BBB"]], [*town.market.minutes["BBB"]]), strict=True))
    told["late"][4] += 0.5
    told["late"][-1] += 0.5
    town.market.late = _late_trades
    book, kept = replay(town, backend)
    assert book.tally.errors == []
    assert kept.rows(300) == five_minutes(kept.rows())
    town.market.minutes["BBB"], town.market.late = told["late"], lambda *_: 0.0
    assert kept.rows() == expected_rows(town.market)
    assert book.prices["BBB"] == pytest.approx(told["late"][-1], abs=1e-4)
    assert book.minutes.last("close")[book.minutes.column("BBB")] == book.prices["BBB"]
    assert book.tally.ticks == len(kept.rows()) + 2
    assert book.portfolio == fold(CONFIG.trade.initial_cash, kept.ledger)


def test_a_second_reading_that_is_never_answered_ends_with_the_day(tmp_path: Path) -> None:
    town = Town(tmp_path)
    asked_ns: list[int] = []

    def is_down(_path: str, params: Any, now_ns: int) -> bool:
        is_second = params.get("timeframe") == "1Min" and now_ns >= parse_iso(params["end"]) + 30 * 10**9
        is_due = is_second and parse_iso(params["start"]) == OPEN_NS + 5 * MINUTE_NS
        asked_ns.extend([now_ns] if is_due else [])
        return is_due

    town.market.is_down = is_down
    book, kept = replay(town)
    assert kept.rows() == expected_rows(town.market)
    assert book.tally.errors == []
    assert len(asked_ns) == 2 * KEPT_MINUTES  # both batches, once a minute, until they are left as they are
    assert book.tally.polls == MINUTES


def test_a_symbol_that_the_vendor_refuses_is_an_error_and_on_the_board(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.refused = "DDD"
    book, _ = replay(town)
    assert book.tally.errors == [
        "DDD is left out of the polls: page 1: /v2/stocks/bars answered 400: invalid symbol: DDD"
    ]
    assert pages.poll_of(book) == "1 symbols are refused and left out: DDD"


def test_minutes_that_come_only_after_the_close_are_kept_and_marked(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.is_down = down("AAA,BBB,CCC", MINUTES - 2, MINUTES - 1, until_ns=CLOSE_NS + 3 * MINUTE_NS)
    town.market.minutes["BBB"][-1] = 99.0
    book, kept = replay(town)
    assert kept.rows() == expected_rows(town.market)
    assert kept.rows(300) == five_minutes(kept.rows())
    assert book.prices["BBB"] == 99.0
    close = kept.ledger[-1]
    assert isinstance(close, EquityMark)
    assert {line.symbol: line.price for line in close.holdings}["BBB"] == 99.0
    assert book.days.last("close")[book.days.column("BBB")] == 99.0
    assert book.portfolio == fold(CONFIG.trade.initial_cash, kept.ledger)
    assert book.tally.bars >= len(kept.rows()) + len(kept.rows(300))


def test_an_order_is_filled_by_a_bar_that_comes_only_after_the_close(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.minutes = make_market().minutes
    # The stop is seen when minute 13 has ended, so minute 15 is the first that it may fill from.
    town.market.minutes["AAA"] = [63.0] * (MINUTES - 3) + [50.0, 49.0, 48.0]
    town.market.is_down = down("AAA,BBB,CCC", MINUTES - 1, MINUTES - 1, until_ns=CLOSE_NS + 2 * MINUTE_NS)
    book, kept = replay(town)
    assert "AAA" not in book.portfolio.positions
    assert book.tally.fills == book.tally.orders
    assert book.portfolio == fold(CONFIG.trade.initial_cash, kept.ledger)


def test_a_vendor_that_never_tells_the_last_minutes_ends_the_day_with_errors(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.is_down = down("AAA,BBB,CCC", MINUTES - 3, 10_000)
    book, kept = replay(town)
    untold_ns = CLOSE_NS - 3 * MINUTE_NS  # where the first question without an answer begins
    untold = {row for row in expected_rows(town.market) if row[0] in {"AAA", "BBB", "CCC"} and row[1] >= untold_ns}
    assert {row for row in expected_rows(town.market) if row not in kept.rows()} == untold
    assert len(book.tally.errors) > 3
    assert isinstance(kept.ledger[-1], EquityMark)
    assert town.now_ns <= CLOSE_NS + session.CLOSING_NS


def test_a_halt_of_everything_keeps_time_going(tmp_path: Path) -> None:
    town = Town(tmp_path)
    for closes in town.market.minutes.values():
        closes[6:11] = [np.nan] * 5
    book, kept = replay(town)
    assert kept.rows() == expected_rows(town.market)
    assert book.poller.covered_ns == CLOSE_NS
    assert book.tally.errors == []


def test_bars_wait_for_the_journal_until_ten_minutes_or_something_happens(tmp_path: Path) -> None:
    town = Town(tmp_path)
    scan = msgspec.structs.replace(CONFIG.scan, every_min=1_000)
    town.config = msgspec.structs.replace(CONFIG, scan=scan)
    town.market.minutes["AAA"] = [63.4] * 12 + [50.0] * 3
    written: list[int] = []

    async def main() -> None:
        async with town.desk() as desk:
            book = await town.open_book(desk)
            for minute in range(1, MINUTES + 1):
                await desk.clock.sleep_until(OPEN_NS + minute * MINUTE_NS + DELAY_NS)
                await run_minute(desk, book, OPEN_NS + minute * MINUTE_NS)
                frames = await desk.journal.read(partial(queries.bars, timeframe_s=60))
                written.append(max((int(frame.event_ns.max()) for frame in frames), default=OPEN_NS - MINUTE_NS))
                waiting = [len(store.closed.entries) for store in town.store._lanes.values()]
                assert max(waiting) <= session.FLUSH_EVERY_MIN

    run(main)
    minutes = [(start_ns - OPEN_NS) // MINUTE_NS + 1 for start_ns in written]
    assert minutes == [0] * 9 + [10] * 3 + [13, 13, 15]  # ten minutes; the stop is ordered; it is filled


def test_progress_counts_the_minutes_of_the_session(tmp_path: Path) -> None:
    town = Town(tmp_path)
    seen: list[tuple[int, int, str]] = []

    async def main() -> None:
        async with town.desk() as desk:
            book = await town.open_book(desk)
            await run_session(desk, book, lambda *said: seen.append(said))

    run(main)
    assert [said[:2] for said in seen] == [(minute, MINUTES) for minute in range(1, MINUTES + 1)]
    assert seen[-1][2] == "6 signals, 2 fills"


def test_a_lane_that_nobody_works_ends_the_day_with_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "REST_TIMEOUT_S", 0.05)
    town = Town(tmp_path)

    async def main() -> None:
        async with town.desk() as desk:
            book = await town.open_book(desk)
            frozen = _Frozen(desk)
            with pytest.raises(Unavailable, match=r"last bars of lane 0 within 0\.05 s"):
                await session._close(frozen.desk, book)

    run(main)


class _Radio:
    """A stream that tells AAA and BBB half a second after each minute, BBB's every third bar wrong, and breaks once."""

    def __init__(self, town: Town, clock: Clock) -> None:
        self.town, self.clock = town, clock

    async def listen(self, symbols: Sequence[str], hear: Hear, tell: Tell) -> None:
        async with actor(self.clock):
            for minute in range(MINUTES):
                event_ns = OPEN_NS + minute * MINUTE_NS
                await self.clock.sleep_until(event_ns + MINUTE_NS + 500_000_000)
                tell("the line is dead" if minute == 7 else "")
                closes = [self.town.market.minutes[symbol][minute] for symbol in symbols]
                closes[1] += 1.0 if minute % 3 == 0 else 0.0
                told = [wire_bar(event_ns, close, 9e4) for close in closes]
                numbers = np.array([[bar[name] for bar in told] for name in ("o", "h", "l", "c", "v", "vw", "n")])
                starts = np.full(len(told), event_ns)
                hear(BarFrame(60, "iex", Label.SIMULATED, self.clock.now_ns(), tuple(symbols), starts, *numbers))
                await anyio.wait_all_tasks_blocked()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_stream_beside_the_polls_changes_no_bar_and_no_decision(tmp_path: Path, kept: Kept, backend: str) -> None:
    town = Town(tmp_path)
    states: set[str] = set()

    async def main() -> tuple[Book, Kept]:
        async with town.desk() as desk:
            radio = _Radio(town, desk.clock)
            heard = replace(desk, stream=Stream(radio.listen, lambda: ("AAA", "BBB", "NOBODY"), 30))
            book = await town.open_book(heard)
            await run_session(heard, book, lambda *_: states.add(pages.feeds_of(book)["stream"]))
        return book, await read_kept(town.folder)

    book, heard = run(main, backend)
    assert repr(heard) == repr(kept)
    assert book.intake.streamed == 2 * MINUTES
    assert states == {"ok", "the line is dead"}
    assert (book.tally.errors, book.tally.degraded) == ([], [])


class _Frozen:
    """A desk whose lanes say that something was published which nobody has applied."""

    def __init__(self, desk: Desk) -> None:
        self._store = desk.store
        self.desk = replace(desk, store=self)  # type: ignore[arg-type]  # only ``progress`` is asked

    async def progress(self, lane: int) -> Any:
        found = await self._store.progress(lane)
        return replace(found, last_id="99-0")
