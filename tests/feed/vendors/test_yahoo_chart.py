"""Yahoo's charts as a second choice: bars under a feed of their own, or the reason."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx2
import pytest
from tests.feed.worlds import MINUTE_NS, OPEN_NS, answer, run
from tests.sim.running import running_simulator

from tapeline.core.clock import LogicalClock, actor
from tapeline.core.config import FeedConfig, YahooConfig
from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import NS_PER_S, BarFrame, Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.replay import ReplayAuthority
from tapeline.feed.vendors.yahoo import yahoo_hosts
from tapeline.feed.vendors.yahoo_chart import YahooBars

CONFIG = FeedConfig(retries=0)


def _chart(minutes: list[int], **columns: list[float | None]) -> dict[str, Any]:
    price: list[float | None] = [2.0] * len(minutes)
    told = {"open": price, "high": price, "low": price, "close": price, "volume": price, **columns}
    stamps = [(OPEN_NS + minute * MINUTE_NS) // NS_PER_S for minute in minutes]
    return {"chart": {"result": [{"timestamp": stamps, "indicators": {"quote": [told]}}], "error": None}}


def _fetch(handler: Any, *symbols: str) -> Outcome[BarFrame]:
    async def main(clock: LogicalClock) -> Outcome[BarFrame]:
        transport, hosts = httpx2.MockTransport(handler), yahoo_hosts(CONFIG, clock)
        async with Gateway(hosts, config=CONFIG, clock=clock, transport=transport, replay=True) as gateway:
            return await YahooBars(gateway).fetch_bars(symbols, OPEN_NS, OPEN_NS + 3 * MINUTE_NS)

    return run(main)


def test_bars_come_in_order_and_a_row_with_an_empty_price_is_none() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/BRK-B"):
            return answer(_chart([0, 2]))
        return answer(_chart([0, 1, 3], close=[2.0, None, 2.0]))  # minute 3 is beyond what was asked for

    frame = _fetch(handler, "BRK.B", "A").unwrap()
    rows = list(zip(frame.symbols, frame.event_ns.tolist(), strict=True))
    assert rows == [("A", OPEN_NS), ("BRK.B", OPEN_NS), ("BRK.B", OPEN_NS + 2 * MINUTE_NS)]
    assert (frame.feed, frame.label) == ("yahoo.split", Label.REAL)


def test_a_symbol_that_is_not_known_has_no_bars_and_the_others_have() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        return answer({}, 404) if request.url.path.endswith("/NOPE") else answer(_chart([0]))

    assert _fetch(handler, "NOPE", "A").unwrap().symbols == ("A",)
    assert _fetch(handler, "NOPE").kind is Kind.NO_DATA


@pytest.mark.parametrize("body", [{"chart": {"result": None}}, _chart([0, 1], close=[2.0]), {"chart": 3}])
def test_what_is_no_chart_is_an_error(body: object) -> None:
    outcome = _fetch(lambda _: answer(body), "A")
    assert (outcome.kind, outcome.source) == (Kind.ERROR, "yahoo")


@pytest.mark.process
def test_the_simulator_is_read_as_the_vendor_is() -> None:
    with running_simulator(60) as url:

        async def main(_clock: LogicalClock) -> tuple[BarFrame, BarFrame]:
            async with ReplayAuthority(url) as authority:
                clock = LogicalClock(OPEN_NS - 30 * MINUTE_NS, authority)
                config = FeedConfig(yahoo=YahooConfig(base_url=url, cookie_url=url))
                hosts = yahoo_hosts(config, clock)
                async with Gateway(hosts, config=config, clock=clock, replay=True) as gateway, actor(clock):
                    source = YahooBars(gateway)
                    await clock.sleep_until(OPEN_NS + 5 * MINUTE_NS)
                    days = await source.fetch_daily(["MSFT", "AAPL"], dt.date(2010, 5, 3), dt.date(2010, 5, 5))
                    minutes = await source.fetch_bars(["AAPL"], OPEN_NS, OPEN_NS + 3 * MINUTE_NS)
                    return days.unwrap(), minutes.unwrap()

        days, minutes = run(main)
    assert days.symbols == ("AAPL", "MSFT") * 3
    assert minutes.event_ns.tolist() == [OPEN_NS + m * MINUTE_NS for m in range(3)]
