"""The poller: on time, complete, each bar once; whatever fails is named and asked for again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from zoneinfo import ZoneInfo

import httpx2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.feed.worlds import BACKENDS, CLOSE_NS, MINUTE_NS, OPEN_NS, FakeVendor, answer, bars_of, gateway_to, run

from tapeline.core.calendar import SessionCalendar
from tapeline.core.clock import LogicalClock
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadInput, ConfigError
from tapeline.core.types import NS_PER_S, BarFrame, Label
from tapeline.feed.poller import Poller, PollReport, check_feasible

CALENDAR = SessionCalendar()
NEW_YORK = ZoneInfo("America/New_York")
CONFIG = FeedConfig(batch_size=2, max_concurrent_batches=2, retries=0, requests_per_minute=1_000)
EVERY_MINUTE = [OPEN_NS + minute * MINUTE_NS for minute in range(390)]
SYMBOLS = ("A", "B", "C", "D", "E")
DELAY_NS = round(CONFIG.publish_delay_s * NS_PER_S)


def _poll(
    main: Callable[[Poller, FakeVendor, LogicalClock], Awaitable[None]],
    rows: dict[str, list[int]] | None = None,
    config: FeedConfig = CONFIG,
    *,
    symbols: Sequence[str] = SYMBOLS,
    since_ns: int = OPEN_NS,
    marks: Mapping[str, int] | None = None,
    backend: str = "asyncio",
) -> FakeVendor:
    async def outer(clock: LogicalClock) -> FakeVendor:
        vendor = FakeVendor(clock, rows if rows is not None else dict.fromkeys(symbols, EVERY_MINUTE))
        async with gateway_to(vendor, clock, config) as gateway:
            source = bars_of(gateway, config)
            poller = Poller(
                source, symbols, clock=clock, calendar=CALENDAR, config=config, since_ns=since_ns, marks=marks
            )
            await main(poller, vendor, clock)
        return vendor

    return run(outer, backend=backend)


async def _minutes(poller: Poller, clock: LogicalClock, count: int) -> list[PollReport]:
    """Run the next ``count`` cycles, each at its moment."""
    reports = []
    for _ in range(count):
        await clock.sleep_until(poller.next_poll_ns(clock.now_ns()))
        reports.append(await poller.cycle(clock.now_ns()))
    return reports


def _rows(reports: Sequence[PollReport]) -> list[tuple[int, str]]:
    return [row for report in reports for row in zip(report.frame.event_ns.tolist(), report.frame.symbols, strict=True)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_minute_comes_once_and_in_order(backend: str) -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        reports = await _minutes(poller, clock, 5)
        assert _rows(reports) == [(OPEN_NS + m * MINUTE_NS, symbol) for m in range(5) for symbol in SYMBOLS]
        for minute, report in enumerate(reports, 1):
            assert report.frame.as_of_ns == OPEN_NS + minute * MINUTE_NS
            assert (report.requests, report.pages, report.missing, report.no_trade) == (3, 3, (), ())
            assert all(outcome.is_value for outcome in report.outcomes)
            assert 0 < report.ended_ns - report.started_ns < NS_PER_S
        assert poller.covered_ns == OPEN_NS + 5 * MINUTE_NS

    vendor = _poll(main, backend=backend)
    assert vendor.arrivals[0] == OPEN_NS + MINUTE_NS + DELAY_NS
    assert vendor.peak() == 5  # the third request of the second cycle goes out after the first two are answered


def test_two_runs_bring_the_same_bytes() -> None:
    frames: list[list[BarFrame]] = [[], []]

    for kept in frames:

        async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock, kept: list[BarFrame] = kept) -> None:
            kept.extend(report.frame for report in await _minutes(poller, clock, 3))

        _poll(main)
    for one, other in zip(*frames, strict=True):
        assert one.symbols == other.symbols
        assert one.close.tobytes() == other.close.tobytes()


def test_who_did_not_trade_is_named_and_is_not_missing() -> None:
    rows = {**dict.fromkeys(SYMBOLS, EVERY_MINUTE), "B": [], "D": EVERY_MINUTE[1:]}

    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        first, second = await _minutes(poller, clock, 2)
        assert (first.no_trade, first.missing) == (("B", "D"), ())
        assert (second.no_trade, second.missing) == (("B",), ())

    _poll(main, rows)


def test_a_failed_batch_is_named_and_its_minutes_come_with_the_next_cycle() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        def fail_second_batch(request: httpx2.Request) -> httpx2.Response | None:
            return answer({"message": "boom"}, 500) if request.url.params["symbols"] == "C,D" else None

        vendor.faults = fail_second_batch
        (first,) = await _minutes(poller, clock, 1)
        assert [symbol for symbol, _ in first.missing] == ["C", "D"]
        assert "500: boom" in first.missing[0][1]
        assert first.frame.symbols == ("A", "B", "E")
        assert first.no_trade == ()
        assert first.frame.as_of_ns == OPEN_NS + MINUTE_NS
        assert poller.covered_ns == OPEN_NS
        assert poller.watermarks() == {s: OPEN_NS + (0 if s in "CD" else MINUTE_NS) for s in SYMBOLS}
        vendor.faults = lambda _request: None
        (second,) = await _minutes(poller, clock, 1)
        assert second.missing == ()
        assert sorted(_rows([first, second])) == [(OPEN_NS + m * MINUTE_NS, s) for m in range(2) for s in SYMBOLS]

    _poll(main)


def test_when_nobody_answers_time_does_not_pass_in_the_feed() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        vendor.faults = lambda _request: answer({}, 503)
        (report,) = await _minutes(poller, clock, 1)
        assert len(report.missing) == len(SYMBOLS)
        assert (len(report.frame), report.frame.as_of_ns) == (0, OPEN_NS)

    _poll(main)


def test_a_minute_that_is_late_for_everybody_is_not_lost() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        shown = vendor.rows
        vendor.rows = {symbol: rows[:1] for symbol, rows in shown.items()}  # the feed answers and does not advance
        reports = await _minutes(poller, clock, 2)
        assert reports[1].frame.as_of_ns == OPEN_NS + MINUTE_NS
        assert (reports[1].no_trade, reports[1].missing) == ((), ())
        vendor.rows = shown
        reports += await _minutes(poller, clock, 1)
        assert reports[2].frame.as_of_ns == OPEN_NS + 3 * MINUTE_NS
        assert _rows(reports) == [(OPEN_NS + m * MINUTE_NS, symbol) for m in range(3) for symbol in SYMBOLS]

    _poll(main)


def test_minutes_in_which_nobody_trades_are_taken_as_empty_two_minutes_later() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        reports = await _minutes(poller, clock, 5)
        behind = [(OPEN_NS + n * MINUTE_NS - report.frame.as_of_ns) // MINUTE_NS for n, report in enumerate(reports, 1)]
        assert behind == [0, 1, 2, 2, 2]

    _poll(main, dict.fromkeys(SYMBOLS, EVERY_MINUTE[:1]))


def test_a_late_start_catches_up_in_bounded_steps() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        await clock.sleep_until(OPEN_NS + 75 * MINUTE_NS + DELAY_NS)
        reports = [await poller.cycle(clock.now_ns()) for _ in range(4)]
        assert [len(report.frame) for report in reports] == [30 * 5, 30 * 5, 15 * 5, 0]
        assert [report.requests for report in reports] == [3, 3, 3, 0]
        assert reports[-1].frame.as_of_ns == OPEN_NS + 75 * MINUTE_NS
        assert np.array_equal(np.unique([event for event, _ in _rows(reports)]), EVERY_MINUTE[:75])

    _poll(main)


def test_nothing_is_asked_before_the_open_or_after_the_close() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        early = await poller.cycle(OPEN_NS + MINUTE_NS - 1)
        assert (early.requests, len(early.frame), early.outcomes) == (0, 0, ())
        await clock.sleep_until(CLOSE_NS + DELAY_NS)
        while poller.covered_ns < CLOSE_NS:
            await poller.cycle(clock.now_ns())
        late = await poller.cycle(clock.now_ns() + 60 * MINUTE_NS)
        assert (late.requests, late.frame.as_of_ns) == (0, CLOSE_NS)

    vendor = _poll(main, since_ns=OPEN_NS - 90 * MINUTE_NS)
    assert all(params["start"] >= "2010-05-06T13:30:00Z" for params in vendor.asked)
    assert all(params["end"] <= "2010-05-06T19:59:59Z" for params in vendor.asked)


def test_a_watermark_of_yesterday_goes_on_at_the_next_open() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        (report,) = await _minutes(poller, clock, 1)
        assert set(report.frame.event_ns.tolist()) == {OPEN_NS}

    yesterday = CALENDAR.session(dt.date(2010, 5, 5))
    assert len(_poll(main, since_ns=yesterday.close_ns).arrivals) == 3


def test_polls_come_a_little_after_each_minute_and_the_close_is_the_last() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        first_ns = OPEN_NS + MINUTE_NS + DELAY_NS
        for now_ns in (OPEN_NS - 10**13, OPEN_NS, OPEN_NS + MINUTE_NS, first_ns - 1):
            assert poller.next_poll_ns(now_ns) == first_ns
        assert poller.next_poll_ns(first_ns) == first_ns + MINUTE_NS
        last_ns = CLOSE_NS + DELAY_NS
        assert poller.next_poll_ns(CLOSE_NS) == last_ns
        assert poller.next_poll_ns(last_ns - 1) == last_ns
        await clock.sleep_until(last_ns)
        for _ in range(13):  # 390 minutes, 30 in each cycle
            await poller.cycle(last_ns)
        friday = CALENDAR.session(dt.date(2010, 5, 7))
        assert poller.next_poll_ns(last_ns) == friday.open_ns + MINUTE_NS + DELAY_NS

    _poll(main)


def _at(text: str) -> int:
    """Return a moment of New York."""
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * NS_PER_S


@pytest.mark.parametrize(
    ("extended", "since", "polls"),
    [
        # The eve of Thanksgiving, which is shut; the Friday is over at 13:00, and Monday comes after a weekend.
        (False, "2010-11-24 15:59", ["11-24 16:00", "11-26 09:31", "11-26 09:32"]),
        (False, "2010-11-26 12:58", ["11-26 12:59", "11-26 13:00", "11-29 09:31"]),
        (True, "2010-11-24 19:59", ["11-24 20:00", "11-26 04:01", "11-26 04:02"]),
        (True, "2010-11-26 16:58", ["11-26 16:59", "11-26 17:00", "11-29 04:01"]),
        # Clocks went forward on the Sunday between.
        (False, "2010-03-12 15:59", ["03-12 16:00", "03-15 09:31", "03-15 09:32"]),
    ],
)
def test_holidays_half_days_summer_time_and_extended_hours_are_those_of_the_exchange(
    extended: bool, since: str, polls: list[str]
) -> None:
    since_ns = _at(since)
    rows = {"A": [since_ns + minute * MINUTE_NS for minute in range(6 * 1_440)]}

    async def main(clock: LogicalClock) -> list[PollReport]:
        config = replace(CONFIG, extended_hours=extended)
        async with gateway_to(FakeVendor(clock, rows), clock, config) as gateway:
            source = bars_of(gateway, config)
            poller = Poller(source, ("A",), clock=clock, calendar=CALENDAR, config=config, since_ns=since_ns)
            return await _minutes(poller, clock, 3)

    reports = run(main, start_ns=since_ns + 2 * NS_PER_S)
    assert [report.started_ns - DELAY_NS for report in reports] == [_at(f"2010-{poll}") for poll in polls]
    assert [event for event, _ in _rows(reports)] == [_at(f"2010-{poll}") - MINUTE_NS for poll in polls]


def test_what_is_not_covered_at_the_close_is_asked_for_until_it_is() -> None:
    rows = dict.fromkeys(SYMBOLS, EVERY_MINUTE[:389])  # nobody trades in the last minute

    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        await clock.sleep_until(CLOSE_NS - MINUTE_NS + DELAY_NS)
        reports = await _minutes(poller, clock, 3)
        assert [report.frame.as_of_ns - CLOSE_NS for report in reports] == [-MINUTE_NS, -MINUTE_NS, 0]
        assert poller.next_poll_ns(clock.now_ns()) > CLOSE_NS + 60 * MINUTE_NS

    _poll(main, rows, since_ns=CLOSE_NS - 2 * MINUTE_NS)


def test_a_vendor_that_stays_silent_after_the_close_is_left_for_the_next_session() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        vendor.faults = lambda _request: answer({}, 503)
        cycles = 0
        await clock.sleep_until(CLOSE_NS)
        while (moment_ns := poller.next_poll_ns(clock.now_ns())) < CLOSE_NS + 60 * MINUTE_NS:
            await clock.sleep_until(moment_ns)
            cycles += 1
            assert (await poller.cycle(moment_ns)).missing
        assert cycles == 16

    _poll(main, since_ns=CLOSE_NS - MINUTE_NS)


def test_a_longer_cycle_polls_less_often_and_still_takes_the_close() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        moments = [poller.next_poll_ns(OPEN_NS)]
        while moments[-1] < CLOSE_NS:
            moments.append(poller.next_poll_ns(moments[-1]))
        steps = [round((moment - OPEN_NS - DELAY_NS) / MINUTE_NS) for moment in moments]
        assert steps == [7 * n for n in range(1, 56)] + [390]

    _poll(main, config=FeedConfig(cycle_s=400.0))


def test_one_stalled_batch_does_not_hold_the_cycle_beyond_its_deadline() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        def stall(request: httpx2.Request) -> httpx2.Response | None:
            is_first = request.url.params["symbols"] == "A,B"
            return answer({}, headers={"X-Replay-Latency-Ms": "30000"}) if is_first else None

        vendor.faults = stall
        (report,) = await _minutes(poller, clock, 1)
        assert report.ended_ns - report.started_ns <= 60 * NS_PER_S
        assert [symbol for symbol, _ in report.missing] == ["A", "B"]
        assert report.frame.symbols == ("C", "D", "E")

    _poll(main, config=FeedConfig(batch_size=2, retries=10, breaker_failures=100))


def test_a_mixed_cycle_is_called_what_promises_least() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        def resampled(request: httpx2.Request) -> httpx2.Response | None:
            vendor.label = "resampled" if request.url.params["symbols"] == "E" else "bridged"
            return None

        vendor.faults = resampled
        reports = await _minutes(poller, clock, 1)
        assert reports[0].frame.label is Label.RESAMPLED
        vendor.rows = {}
        reports = await _minutes(poller, clock, 1)
        assert (len(reports[0].frame), reports[0].frame.label) == (0, Label.RESAMPLED)

    _poll(main)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (FeedConfig(batch_size=10), "6,000 symbols in batches of 10 need 600 requests every 60 s, .* allows 180"),
        (FeedConfig(batch_size=10, cycle_s=180), "need 600 requests every 180 s, .* allows 540"),
        (FeedConfig(publish_delay_s=60), "feed.publish_delay_s is 60: it must stay below a minute"),
    ],
)
def test_a_cycle_that_cannot_end_in_time_is_refused_with_the_numbers(config: FeedConfig, words: str) -> None:
    symbols = [f"S{n}" for n in range(6_000)]

    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        raise AssertionError

    with pytest.raises(ConfigError, match=words):
        _poll(main, {}, config, symbols=symbols)


def test_long_cycles_are_counted_with_their_pages() -> None:
    check_feasible([400] * 15, FeedConfig(cycle_s=1_800, requests_per_minute=1))  # 15 batches of 12,000 rows: 30 pages
    with pytest.raises(ConfigError, match="need 32 requests every 1800 s"):
        check_feasible([400] * 16, FeedConfig(cycle_s=1_800, requests_per_minute=1))


def test_nothing_to_poll_is_refused() -> None:
    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        raise AssertionError

    with pytest.raises(BadInput, match="no symbol"):
        _poll(main, symbols=())


@given(
    rows=st.fixed_dictionaries({s: st.sets(st.integers(0, 11)) for s in SYMBOLS}),
    faults=st.sets(st.tuples(st.integers(0, 40), st.sampled_from([429, 500, 504, 200])), max_size=25),
    page_rows=st.integers(1, 12),
)
@settings(max_examples=25, deadline=None)
def test_whatever_fails_every_bar_arrives_exactly_once(
    rows: dict[str, set[int]], faults: set[tuple[int, int]], page_rows: int
) -> None:
    """429, 500, 504 and a truncated body (200) at any requests; after quiet cycles all is there, and nothing twice."""
    plan = dict(sorted(faults))

    async def main(poller: Poller, vendor: FakeVendor, clock: LogicalClock) -> None:
        def fault(_request: httpx2.Request) -> httpx2.Response | None:
            status = plan.get(len(vendor.arrivals))
            return None if status is None else httpx2.Response(status, content=b'{"bars":{"A":[')

        vendor.faults = fault
        vendor.page_rows = page_rows
        reports = await _minutes(poller, clock, 12)
        plan.clear()
        reports += await _minutes(poller, clock, 4)
        got = _rows(reports)
        assert sorted(got) == sorted((OPEN_NS + m * MINUTE_NS, s) for s, found in rows.items() for m in found)
        assert len(set(got)) == len(got)

    minutes = {symbol: [OPEN_NS + m * MINUTE_NS for m in found] for symbol, found in rows.items()}
    vendor = _poll(main, minutes, config=replace_retries(1))
    assert vendor.peak() <= CONFIG.requests_per_minute


def replace_retries(retries: int) -> FeedConfig:
    return FeedConfig(batch_size=2, max_concurrent_batches=2, retries=retries, requests_per_minute=1_000)
