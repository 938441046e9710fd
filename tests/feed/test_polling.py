"""The poller's day: cycles and second readings in their order, into a channel that may be slow."""

from __future__ import annotations

import itertools
from functools import partial

import anyio
import pytest
from msgspec.structs import replace
from tests.feed.test_poller import CALENDAR, CONFIG, DELAY_NS, EVERY_MINUTE, SYMBOLS
from tests.feed.worlds import BACKENDS, MINUTE_NS, OPEN_NS, FakeVendor, bars_of, gateway_to, run

from tapeline.core.clock import LogicalClock, sleep_s, together
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadInput
from tapeline.core.types import NS_PER_S
from tapeline.feed.poller import Poller, PollReport
from tapeline.feed.polling import Symbols, run_polling
from tapeline.flow.channel import Inlet, Outlet, channel


def _day(
    cycles: int,
    *,
    capacity: int = 4,
    pause_s: float = 0.0,
    symbols: Symbols = lambda: None,
    config: FeedConfig = CONFIG,
    backend: str = "asyncio",
) -> list[tuple[PollReport, int]]:
    """Return the reports of some cycles and when a reader, that rests after each, took them."""
    seen: list[tuple[PollReport, int]] = []

    async def read(clock: LogicalClock, outlet: Outlet[PollReport]) -> None:
        with outlet:
            while True:
                try:
                    report = await outlet.receive()
                except anyio.EndOfStream:
                    return
                seen.append((report, clock.now_ns()))
                await sleep_s(clock, pause_s)

    async def main(clock: LogicalClock) -> None:
        vendor = FakeVendor(clock, dict.fromkeys((*SYMBOLS, "F"), EVERY_MINUTE))
        async with gateway_to(vendor, clock, config) as gateway:
            source = bars_of(gateway, config)
            poller = Poller(source, SYMBOLS, clock=clock, calendar=CALENDAR, config=config, since_ns=OPEN_NS)
            ends: tuple[Inlet[PollReport], Outlet[PollReport]] = channel(clock, capacity)
            polling = partial(run_polling, poller, ends[0], clock=clock, cycles=cycles, symbols=symbols)
            await together(clock, [polling, partial(read, clock, ends[1])])

    run(main, backend=backend)
    return seen


@pytest.mark.parametrize("backend", BACKENDS)
def test_each_cycle_is_followed_by_its_second_reading(backend: str) -> None:
    started = [report.started_ns - OPEN_NS for report, _ in _day(3, backend=backend)]
    reread_ns = 30 * NS_PER_S
    assert started == [m * MINUTE_NS + after for m in (1, 2, 3) for after in (DELAY_NS, reread_ns)]


def test_the_last_minute_is_read_a_second_time_also_when_cycles_are_shorter_than_that() -> None:
    reports = [report for report, _ in _day(14, config=replace(CONFIG, cycle_s=5.0))]
    reread_ns = OPEN_NS + MINUTE_NS + 30 * NS_PER_S
    assert reports[-1].started_ns == reread_ns
    assert reports[-1].requests == 3  # five symbols in batches of two


def test_a_slow_reader_holds_the_poller_back_and_misses_no_minute() -> None:
    seen = _day(4, capacity=1, pause_s=100.0)
    events = sorted({int(event) for report, _ in seen for event in report.frame.event_ns})
    assert events == EVERY_MINUTE[: len(events)]
    assert len(events) > 4
    rows = [(int(e), s) for report, _ in seen for e, s in zip(report.frame.event_ns, report.frame.symbols, strict=True)]
    assert len(rows) == len(set(rows)) == len(events) * len(SYMBOLS)


def test_another_list_counts_from_the_next_cycle_on() -> None:
    lists = iter([None, ("A", "F"), None])
    frames = [report.frame.symbols for report, _ in _day(3, symbols=lambda: next(lists)) if len(report.frame)]
    assert frames == [SYMBOLS, ("A", "F"), ("A", "F")]


def test_a_list_that_cannot_be_used_is_told_and_drops_no_cycle() -> None:
    def unusable() -> tuple[str, ...]:
        number = next(numbers)
        if number == 1:
            raise BadInput("line 3 of the watchlist is no symbol")
        return ("A B",) if number == 2 else SYMBOLS

    numbers = itertools.count()
    reports = [report for report, _ in _day(4, symbols=unusable) if len(report.frame)]
    assert [report.frame.symbols for report in reports] == [SYMBOLS] * 4
    told = [report.alerts for report in reports]
    assert told[0] == told[3] == ()
    assert told[1] == ("the list of symbols stays as it was: line 3 of the watchlist is no symbol",)
    assert "'A B' cannot be a symbol" in told[2][0]
