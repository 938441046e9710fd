"""The poller in trouble: bad symbols, late trades, a feed that stands still, slow cycles, other lists of symbols."""

from __future__ import annotations

import numpy as np
import pytest
from tests.feed.test_poller import CONFIG, DELAY_NS, EVERY_MINUTE, SYMBOLS, _minutes, _poll, _rows
from tests.feed.worlds import MINUTE_NS, OPEN_NS, FakeVendor, answer

from tapeline.core.clock import LogicalClock
from tapeline.core.config import FeedConfig
from tapeline.core.errors import ConfigError
from tapeline.core.types import NS_PER_S
from tapeline.feed.minutes import Minute
from tapeline.feed.poller import Poller, PollReport

WIDE = FeedConfig(batch_size=400, retries=0, requests_per_minute=1_000)
MANY = tuple(f"S{number:03}" for number in range(400))


async def _reread(poller: Poller, clock: LogicalClock) -> PollReport:
    due_ns = poller.next_reread_ns()
    assert due_ns is not None
    await clock.sleep_until(due_ns)
    return await poller.reread(clock.now_ns())


def test_a_bad_symbol_is_found_named_and_left_out_and_the_rest_comes_in_the_same_cycle() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        vendor.bad = {"S123"}
        first, second = await _minutes(poller, clock, 2)
        assert first.requests <= 18
        ((symbol, reason, retry_ns),) = first.quarantined
        assert (symbol, retry_ns) == ("S123", first.ended_ns + 3_600 * NS_PER_S)
        assert "400: invalid symbol: S123" in reason
        assert len(first.frame) == len(MANY) - 1
        assert (first.missing, first.no_trade) == ((), ())
        assert poller.covered_ns == OPEN_NS + 2 * MINUTE_NS
        assert (second.requests, second.quarantined, len(second.frame)) == (1, (), len(MANY) - 1)

    _poll(main, config=WIDE, symbols=MANY)


def test_a_symbol_comes_out_of_quarantine_and_gets_what_it_missed() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        vendor.bad = {"C"}
        reports = await _minutes(poller, clock, 1)
        vendor.bad.clear()
        reports += await _minutes(poller, clock, 4)
        assert sorted(_rows(reports)) == [(OPEN_NS + m * MINUTE_NS, s) for m in range(5) for s in SYMBOLS]
        assert dict(poller.quarantine) == {}

    _poll(main, config=FeedConfig(batch_size=5, retries=0, quarantine_s=100.0))


def test_late_trades_come_as_a_revision_half_a_minute_later_and_nothing_else_does() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        vendor.late = {("B", OPEN_NS): 10.5, ("D", OPEN_NS + MINUTE_NS): 11.0}
        (first,) = await _minutes(poller, clock, 1)
        again = await _reread(poller, clock)
        assert again.started_ns == OPEN_NS + MINUTE_NS + 30 * NS_PER_S
        assert (again.frame.symbols, again.frame.revision.tolist()) == (("B",), [1])
        assert again.frame.close.tolist() == [10.5]
        assert again.frame.as_of_ns == first.frame.as_of_ns
        assert poller.next_reread_ns() is None
        (second,) = await _minutes(poller, clock, 1)
        assert second.frame.revision.tolist() == [0] * 5
        assert (await _reread(poller, clock)).frame.symbols == ("D",)

    _poll(main)


def test_what_was_told_before_a_restart_is_read_again_after_it_and_only_what_has_changed_is_said() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        vendor.late = {("B", OPEN_NS + MINUTE_NS): 10.5}
        vendor.rows = {**vendor.rows, "E": []}
        told = [report.frame for report in await _minutes(poller, clock, 2)]
        again = poller.__class__(
            poller._source,
            SYMBOLS,
            clock=clock,
            calendar=poller._calendar,
            config=CONFIG,
            since_ns=OPEN_NS,
            marks=poller.watermarks(),
        )
        again.resume(told)
        (fresh,) = await _minutes(again, clock, 1)
        assert _rows([fresh]) == [(OPEN_NS + 2 * MINUTE_NS, symbol) for symbol in ("A", "B", "C", "D")]
        revised = [await _reread(again, clock), await _reread(again, clock)]
        assert [(_rows([report]), report.frame.revision.tolist()) for report in revised] == [
            ([(OPEN_NS + MINUTE_NS, "B")], [1]),
            ([], []),
        ]
        assert again.next_reread_ns() is None
        assert [again.minutes.state(symbol, OPEN_NS + MINUTE_NS) for symbol in "AE"] == [Minute.BAR, Minute.NO_TRADE]

    _poll(main)


def test_a_bar_that_comes_late_as_a_whole_is_a_first_word_and_not_a_revision() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        shown = dict(vendor.rows)
        vendor.rows = {**shown, "C": []}
        (first,) = await _minutes(poller, clock, 1)
        assert first.no_trade == ("C",)
        assert poller.minutes.state("C", OPEN_NS) is Minute.UNKNOWN  # too fresh to tell
        vendor.rows = shown
        again = await _reread(poller, clock)
        assert (again.frame.symbols, again.frame.revision.tolist()) == (("C",), [0])
        assert poller.minutes.state("C", OPEN_NS) is Minute.BAR

    _poll(main)


def test_who_is_absent_half_a_minute_later_did_not_trade_and_who_failed_is_missing() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        vendor.rows = {**vendor.rows, "C": []}
        vendor.faults = lambda request: answer({}, 500) if request.url.params["symbols"] == "A,B" else None
        await _minutes(poller, clock, 1)
        await _reread(poller, clock)
        states = [poller.minutes.state(symbol, OPEN_NS) for symbol in SYMBOLS]
        assert states == [Minute.MISSING, Minute.MISSING, Minute.NO_TRADE, Minute.BAR, Minute.BAR]
        vendor.faults = lambda _request: None
        await _minutes(poller, clock, 1)
        assert poller.minutes.state("A", OPEN_NS) is Minute.BAR
        assert poller.minutes.counts(OPEN_NS)[Minute.BAR] == 4

    _poll(main)


def test_a_minute_that_could_not_be_read_again_waits_for_the_next_time() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        vendor.late = {("B", OPEN_NS): 10.5}
        await _minutes(poller, clock, 1)
        vendor.faults = lambda _request: answer({}, 500)
        assert len((await _reread(poller, clock)).frame) == 0
        vendor.faults = lambda _request: None
        again = await poller.reread(clock.now_ns())
        assert again.frame.symbols == ("B",)

    _poll(main)


def test_a_vendor_that_answers_nobody_is_not_asked_for_old_minutes_before_it_answers_again() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        await _minutes(poller, clock, 1)
        await _reread(poller, clock)
        await _minutes(poller, clock, 1)
        vendor.faults = lambda _request: answer({}, 500)
        await _minutes(poller, clock, 1)
        assert (poller.next_reread_ns() or 0) > clock.now_ns() + 59 * NS_PER_S
        vendor.faults = lambda _request: None
        await _minutes(poller, clock, 1)
        again = await _reread(poller, clock)
        assert sum(outcome.is_value for outcome in again.outcomes) == len(again.outcomes) == 3

    _poll(main)


def test_nothing_is_read_again_when_it_is_switched_off_or_the_limit_has_no_room() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        assert not poller.rereads
        await _minutes(poller, clock, 1)
        assert poller.next_reread_ns() is None
        assert poller.minutes.state("A", OPEN_NS) is Minute.BAR

    _poll(main, config=FeedConfig(batch_size=2, reread_s=0.0))
    _poll(main, config=FeedConfig(batch_size=2, requests_per_minute=5))


def test_a_feed_that_answers_and_does_not_advance_is_reported_within_two_cycles() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        vendor.rows = {symbol: rows[:2] for symbol, rows in vendor.rows.items()}
        reports = await _minutes(poller, clock, 4)
        assert [bool(report.alerts) for report in reports] == [False, False, False, True]
        assert "alpaca's feed iex answers, but for 2 cycles with no newer bar" in reports[3].alerts[0]
        vendor.rows = dict.fromkeys(SYMBOLS, EVERY_MINUTE)
        assert (await _minutes(poller, clock, 1))[0].alerts == ()

    _poll(main)


def test_a_slow_cycle_is_reported_with_its_time() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        vendor.latency_ms = 9_000
        (report,) = await _minutes(poller, clock, 1)
        assert report.alerts == ("the cycle took 45.0 s, more than 30 s",)

    _poll(main, config=FeedConfig(strategy="sequential"))


def test_another_list_of_symbols_counts_from_the_next_cycle_and_drops_none() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        reports = await _minutes(poller, clock, 2)
        vendor.rows["F"] = EVERY_MINUTE
        poller.watch(("B", "C", "F"))
        reports += await _minutes(poller, clock, 2)
        assert [report.frame.symbols for report in reports] == [SYMBOLS, SYMBOLS, ("B", "C", "F"), ("B", "C", "F")]
        assert poller.covered_ns == OPEN_NS + 4 * MINUTE_NS
        assert set(poller.watermarks()) == {"B", "C", "F"}

    _poll(main)


def test_each_symbol_goes_on_from_its_own_watermark_after_a_restart() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        await clock.sleep_until(OPEN_NS + 3 * MINUTE_NS + DELAY_NS)
        report = await poller.cycle(clock.now_ns())
        late = [(OPEN_NS + m * MINUTE_NS, "C") for m in (1, 2)]
        fresh = [(OPEN_NS + 2 * MINUTE_NS, symbol) for symbol in SYMBOLS if symbol != "C"]
        assert _rows([report]) == sorted([*late, *fresh])
        assert [asked["symbols"] for asked in vendor.asked] == ["A,B", "D,E", "C"]

    marks = {symbol: OPEN_NS + (1 if symbol == "C" else 2) * MINUTE_NS for symbol in SYMBOLS}
    _poll(main, marks=marks)


@pytest.mark.parametrize("strategy", ["sequential", "concurrent", "batch", "hybrid"])
def test_every_strategy_brings_the_same_bars(strategy: str) -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        reports = await _minutes(poller, clock, 3)
        assert _rows(reports) == [(OPEN_NS + m * MINUTE_NS, symbol) for m in range(3) for symbol in SYMBOLS]
        assert [report.requests for report in reports] == [3 if strategy in ("batch", "hybrid") else 5] * 3

    _poll(main, config=FeedConfig(batch_size=2, strategy=strategy))  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["latest", "snapshots"])
def test_the_newest_bars_are_the_same_minutes_and_what_was_missed_comes_as_bars(mode: str) -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        vendor.rows = {**vendor.rows, "C": EVERY_MINUTE[:1]}
        vendor.faults = lambda _request: answer({}, 500) if len(vendor.arrivals) == 2 else None
        reports = await _minutes(poller, clock, 3)
        expected = {(OPEN_NS + m * MINUTE_NS, s) for m in range(3) for s in SYMBOLS if s != "C" or m == 0}
        assert set(_rows(reports)) == expected
        assert len(_rows(reports)) == len(expected)
        assert sum("start" in asked for asked in vendor.asked) == 1  # two missed minutes of one batch
        assert [tick.symbol for tick in reports[2].quotes] == (list(SYMBOLS) if mode == "snapshots" else [])
        if mode == "snapshots":
            assert (reports[2].quotes[0].price, reports[2].quotes[0].bid) == (10.5, 10.25)
            assert np.isnan(reports[2].quotes[0].ask)  # a side without an order has no price

    _poll(main, config=CONFIG.__class__(batch_size=2, retries=0, mode=mode))  # type: ignore[arg-type]


def test_cycles_below_a_minute_ask_for_each_minute_once() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        reports = await _minutes(poller, clock, 25)
        assert _rows(reports) == [(OPEN_NS + m * MINUTE_NS, symbol) for m in range(2) for symbol in SYMBOLS]
        assert [report.requests for report in reports if report.requests] == [3, 3]

    _poll(main, config=FeedConfig(batch_size=2, cycle_s=5.0))


def test_snapshots_bring_quotes_in_every_cycle_below_a_minute_and_each_bar_once() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        reports = await _minutes(poller, clock, 24)
        assert _rows(reports) == [(OPEN_NS + m * MINUTE_NS, symbol) for m in range(2) for symbol in SYMBOLS]
        assert all(report.alerts == () for report in reports)
        open_cycles = [report for report in reports if report.started_ns >= OPEN_NS]
        assert {report.requests for report in open_cycles} == {3}
        assert all(len(report.quotes) == len(SYMBOLS) for report in open_cycles[12:])

    _poll(main, config=FeedConfig(batch_size=2, cycle_s=5.0, mode="snapshots"))


def test_strategy_and_mode_change_between_two_cycles_without_a_minute_lost_or_doubled() -> None:
    hows = (
        FeedConfig(batch_size=2),
        FeedConfig(strategy="sequential"),
        FeedConfig(strategy="concurrent", mode="latest"),
        FeedConfig(batch_size=3, strategy="batch", mode="snapshots"),
        FeedConfig(batch_size=5),
    )

    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        reports = []
        for how in hows:
            poller.use(how)
            reports += await _minutes(poller, clock, 1)
        assert _rows(reports) == [(OPEN_NS + m * MINUTE_NS, symbol) for m in range(5) for symbol in SYMBOLS]
        assert [report.requests for report in reports] == [3, 5, 5, 2, 1]

    _poll(main, config=FeedConfig(batch_size=2, requests_per_minute=1_000))


def test_a_strategy_that_the_limit_has_no_room_for_is_refused_with_the_numbers_and_the_old_one_goes_on() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        with pytest.raises(ConfigError, match=r"400 symbols in batches of 1 need 400 requests every 60 s.* allows 180"):
            poller.use(FeedConfig(strategy="sequential"))
        (report,) = await _minutes(poller, clock, 1)
        assert (report.requests, len(report.frame)) == (1, len(MANY))

    _poll(main, config=FeedConfig(), symbols=MANY)
