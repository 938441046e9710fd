"""Alpaca's wire: every page, nothing else, and a reason that names what was wrong."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feed.worlds import (
    CLOSE_NS,
    KEYS,
    MINUTE_NS,
    OPEN_NS,
    FakeVendor,
    Handler,
    answer,
    bars_of,
    gateway_to,
    run,
    wire_bar,
)

from tapeline.core.clock import LogicalClock
from tapeline.core.config import AlpacaConfig, FeedConfig
from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import DAY_S, NS_PER_S, BarFrame, Label
from tapeline.feed.vendors.alpaca import Asset, MarketClock

CONFIG = FeedConfig(retries=0)


def _fetch(handler: Handler, symbols: tuple[str, ...] = ("A", "B"), minutes: int = 2) -> Outcome[BarFrame]:
    async def main(clock: LogicalClock) -> Outcome[BarFrame]:
        async with gateway_to(handler, clock, CONFIG) as gateway:
            return await bars_of(gateway, CONFIG).fetch_bars(symbols, OPEN_NS, OPEN_NS + minutes * MINUTE_NS)

    return run(main, start_ns=CLOSE_NS)


def _page(bars: dict[str, list[dict[str, Any]]] | None, token: str | None = None) -> Handler:
    return lambda _: answer({"bars": bars, "next_page_token": token})


@given(
    rows=st.dictionaries(st.sampled_from("ABCDEFGH"), st.sets(st.integers(0, 29)), max_size=8),
    page_rows=st.integers(1, 40),
)
@settings(max_examples=60, deadline=None)
def test_any_page_size_gives_the_same_rows(rows: dict[str, set[int]], page_rows: int) -> None:
    minutes = {symbol: [OPEN_NS + m * MINUTE_NS for m in found] for symbol, found in rows.items()}

    async def main(clock: LogicalClock) -> tuple[BarFrame, int, int]:
        vendor = FakeVendor(clock, minutes, page_rows=page_rows)
        async with gateway_to(vendor, clock, FeedConfig(requests_per_minute=1000)) as gateway:
            source = bars_of(gateway, CONFIG)
            outcome = await source.fetch_bars(tuple("ABCDEFGH"), OPEN_NS, OPEN_NS + 30 * MINUTE_NS)
            return outcome.unwrap(), source.pages, source.requests

    frame, pages, requests = run(main, start_ns=CLOSE_NS)
    want = sorted((event_ns, symbol) for symbol, found in minutes.items() for event_ns in found)
    assert list(zip(frame.event_ns.tolist(), frame.symbols, strict=True)) == want
    assert pages == requests == max(1, -(-len(want) // page_rows))


def test_everything_the_vendor_would_choose_is_named() -> None:
    asked: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return answer({"bars": {}, "next_page_token": None})

    _fetch(handler, ("BRK.B", "A"))
    params = dict(asked[0].url.params)
    assert params == {
        "symbols": "BRK.B,A",
        "timeframe": "1Min",
        "start": "2010-05-06T13:30:00Z",
        "end": "2010-05-06T13:31:59Z",  # the vendor includes its end: the minute of 13:32 is left out
        "limit": "10000",
        "adjustment": "raw",
        "feed": "iex",
        "sort": "asc",
    }
    assert asked[0].url.path == "/v2/stocks/bars"
    assert asked[0].headers["APCA-API-KEY-ID"] == KEYS.key_id


def test_a_bar_keeps_its_numbers_and_what_is_absent_is_nan() -> None:
    bars = {"A": [wire_bar(OPEN_NS, 9.5, n=7, vw=9.6)], "B": [wire_bar(OPEN_NS, 3.0, n=None, vw=None)]}
    frame = _fetch(_page(bars)).unwrap()
    assert (frame.symbols, frame.feed, frame.label, frame.timeframe_s) == (("A", "B"), "iex", Label.REAL, 60)
    assert frame.as_of_ns == OPEN_NS + 2 * MINUTE_NS
    for name, value in (("open", 9.5), ("high", 10.5), ("low", 8.5), ("close", 9.5), ("volume", 100), ("vwap", 9.6)):
        assert getattr(frame, name)[0] == value
    assert frame.trades[0] == 7
    assert np.isnan(frame.vwap[1])
    assert np.isnan(frame.trades[1])


def test_no_trade_is_an_empty_frame_and_not_an_absence() -> None:
    assert len(_fetch(_page({})).unwrap()) == 0
    assert len(_fetch(_page(None)).unwrap()) == 0


def test_the_simulators_label_is_kept() -> None:
    bars = {"A": [wire_bar(OPEN_NS)]}
    reply = {"bars": bars, "next_page_token": None}
    assert _fetch(lambda _: answer(reply, headers={"X-Tapeline-Label": "bridged"})).unwrap().label is Label.BRIDGED


def _without(name: str) -> dict[str, Any]:
    bar = wire_bar(OPEN_NS)
    del bar[name]
    return bar


@pytest.mark.parametrize(
    ("bars", "reason"),
    [
        ({"C": [wire_bar(OPEN_NS)]}, "'C', which was not asked for"),
        ({"A": [wire_bar(OPEN_NS - MINUTE_NS)]}, "the bar of A at 2010-05-06T13:29:00"),
        ({"A": [wire_bar(OPEN_NS + 2 * MINUTE_NS)]}, "lies outside the span"),
        ({"A": [wire_bar(OPEN_NS), wire_bar(OPEN_NS)]}, "came twice"),
        ({"A": [wire_bar(OPEN_NS, o=0)]}, r"`float` > 0.0 - at `\$.bars\[...\]\[0\].o`"),
        ({"A": [wire_bar(OPEN_NS, c="10")]}, "Expected `float`, got `str`"),
        ({"A": [wire_bar(OPEN_NS, v=-1)]}, ">= 0.0"),
        ({"A": [wire_bar(OPEN_NS, t="2010-05-06T13:30:00")]}, "timezone"),
        ({"A": [_without("c")]}, "missing required field `c`"),
        ({"A": {"t": "x"}}, "Expected `array"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_it(bars: dict[str, Any], reason: str) -> None:
    outcome = _fetch(_page(bars))
    assert outcome.kind is Kind.ERROR
    assert outcome.source == "alpaca"
    assert re.search(reason, outcome.reason)


def test_a_page_that_fails_leaves_no_part_of_the_answer() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        if "page_token" in request.url.params:
            return answer({"message": "internal"}, 500)
        return answer({"bars": {"A": [wire_bar(OPEN_NS)]}, "next_page_token": "2"})

    outcome = _fetch(handler)
    assert outcome.kind is Kind.ERROR
    assert outcome.reason.startswith("page 2: /v2/stocks/bars answered 500: internal")


def test_pages_that_lead_in_a_circle_end() -> None:
    assert "leads back" in _fetch(_page({}, "again")).reason


@pytest.mark.parametrize("cut", [0, 1, 20, 60])
def test_a_truncated_body_is_an_error(cut: int) -> None:
    body = answer({"bars": {"A": [wire_bar(OPEN_NS)]}, "next_page_token": None}).content[: cut or None]
    outcome = _fetch(lambda _: httpx2.Response(200, content=body if cut else b""))
    assert outcome.kind is Kind.ERROR
    assert "truncated" in outcome.reason


def test_daily_bars_are_asked_for_by_whole_days() -> None:
    asked: list[dict[str, str]] = []
    stamp = int(dt.datetime(2010, 5, 5, 4, tzinfo=dt.UTC).timestamp()) * NS_PER_S

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(dict(request.url.params))
        return answer({"bars": {"A": [wire_bar(stamp)]}, "next_page_token": None}, headers={"X-Tapeline-Label": "real"})

    async def main(clock: LogicalClock) -> Outcome[BarFrame]:
        async with gateway_to(handler, clock, CONFIG) as gateway:
            source = bars_of(gateway, replace_adjustment(CONFIG, "split"))
            return await source.fetch_daily(["A"], dt.date(2010, 5, 4), dt.date(2010, 5, 5))

    frame = run(main).unwrap()
    assert (frame.timeframe_s, frame.event_ns.tolist(), frame.label) == (DAY_S, [stamp], Label.REAL)
    assert (asked[0]["timeframe"], asked[0]["adjustment"]) == ("1Day", "split")
    assert (asked[0]["start"], asked[0]["end"]) == ("2010-05-04T00:00:00Z", "2010-05-05T23:59:59Z")


def replace_adjustment(config: FeedConfig, adjustment: Any) -> FeedConfig:
    return FeedConfig(retries=config.retries, alpaca=AlpacaConfig(adjustment=adjustment))


def _trading(handler: Handler, ask: Callable[[Any], Any]) -> Any:
    async def main(clock: LogicalClock) -> Any:
        async with gateway_to(handler, clock, CONFIG) as gateway:
            return await ask(bars_of(gateway, CONFIG))

    return run(main)


def test_assets_come_by_symbol() -> None:
    def asset(symbol: str, **other: object) -> dict[str, object]:
        shape = {"id": "1", "class": "us_equity", "exchange": "NYSE", "status": "active", "tradable": True}
        return {**shape, "symbol": symbol, "name": f"{symbol} Inc.", **other}

    body = [asset("B", name=None), asset("A", tradable=False)]
    assets = _trading(lambda _: answer(body), lambda source: source.fetch_assets()).unwrap()
    assert assets == (
        Asset(symbol="A", exchange="NYSE", status="active", tradable=False, name="A Inc.", id="1"),
        Asset(symbol="B", exchange="NYSE", status="active", tradable=True, name=None, id="1"),
    )


def test_the_market_clock_is_read_in_utc() -> None:
    body = {
        "timestamp": "2010-05-06T09:00:00.5-04:00",
        "is_open": False,
        "next_open": "2010-05-06T09:30:00-04:00",
        "next_close": "2010-05-06T16:00:00-04:00",
    }
    clock = _trading(lambda _: answer(body), lambda source: source.fetch_clock()).unwrap()
    assert clock == MarketClock(OPEN_NS - 30 * MINUTE_NS + NS_PER_S // 2, False, OPEN_NS, CLOSE_NS)


def test_a_vendor_is_never_asked_without_its_feed() -> None:
    vendor = FakeVendor(LogicalClock(CLOSE_NS), {})
    frame = _fetch(replace(vendor, label="simulated")).unwrap()
    assert (frame.feed, frame.label) == ("iex", Label.SIMULATED)
    assert {asked["feed"] for asked in vendor.asked} == {"iex"}
