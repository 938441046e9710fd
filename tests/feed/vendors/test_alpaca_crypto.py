"""Alpaca's crypto: pairs in one URL, quotes' bars without a vwap, and no stock among them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx2
import pytest
from tests.feed.worlds import MINUTE_NS, OPEN_NS, answer, gateway_to, iso, run, wire_bar

from tapeline.core.clock import LogicalClock
from tapeline.core.config import FeedConfig
from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import BarFrame
from tapeline.feed.sources import Newest, NewestSource
from tapeline.feed.vendors.alpaca_crypto import AlpacaCrypto, split_markets

T = TypeVar("T")
QUIET = {"v": 0, "n": 0, "vw": 0}


def _ask(
    reply: Callable[[httpx2.Request], object], ask: Callable[[AlpacaCrypto], Awaitable[T]]
) -> tuple[T, list[httpx2.Request], AlpacaCrypto]:
    """Return what is made of the vendor's replies, the requests, and who asked."""
    asked: list[httpx2.Request] = []

    def vendor(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        told = reply(request)
        return told if isinstance(told, httpx2.Response) else answer(told)

    async def main(clock: LogicalClock) -> tuple[T, AlpacaCrypto]:
        async with gateway_to(vendor, clock, FeedConfig()) as gateway:
            crypto = AlpacaCrypto(gateway)
            return await ask(crypto), crypto

    told, crypto = run(main)
    return told, asked, crypto


async def _two_minutes(crypto: AlpacaCrypto) -> Outcome[BarFrame]:
    return await crypto.fetch_bars(("BTC/USD", "ETH/USD"), OPEN_NS, OPEN_NS + 2 * MINUTE_NS)


def test_every_page_is_read_and_a_quiet_minute_has_prices_without_a_vwap() -> None:
    def reply(request: httpx2.Request) -> object:
        if "page_token" in request.url.params:
            return {"bars": {"ETH/USD": [wire_bar(OPEN_NS, 3_000.0, v=0.25)]}, "next_page_token": None}
        bars = [wire_bar(OPEN_NS, 60_000.0, v=0.5), wire_bar(OPEN_NS + MINUTE_NS, 60_001.0, **QUIET)]
        return {"bars": {"BTC/USD": bars}, "next_page_token": "next"}

    outcome, asked, crypto = _ask(reply, _two_minutes)
    frame = outcome.unwrap()
    assert frame.symbols == ("BTC/USD", "ETH/USD", "BTC/USD")
    assert frame.volume.tolist() == [0.5, 0.25, 0.0]
    assert frame.vwap[0] == 60_000.0
    assert math.isnan(frame.vwap[2])
    assert (frame.trades[2], frame.close[2], frame.feed) == (0.0, 60_001.0, "crypto.us")
    assert asked[0].url.path == "/v1beta3/crypto/us/bars"
    assert asked[0].url.params["symbols"] == "BTC/USD,ETH/USD"
    assert {"feed", "adjustment"} & set(asked[0].url.params) == set()
    assert (crypto.pages, crypto.requests) == (2, 2)


def test_newest_bars_and_snapshots_stand_one_level_deep_each() -> None:
    bar = wire_bar(OPEN_NS, 60_000.0)
    assert issubclass(AlpacaCrypto, NewestSource)

    async def latest(crypto: AlpacaCrypto) -> Outcome[Newest]:
        return await crypto.fetch_latest(("BTC/USD",))

    async def snapshots(crypto: AlpacaCrypto) -> Outcome[Newest]:
        return await crypto.fetch_snapshots(("BTC/USD",))

    told, asked, _ = _ask(lambda _: {"bars": {"BTC/USD": bar}}, latest)
    assert told.unwrap().frame.symbols == ("BTC/USD",)
    assert asked[0].url.path == "/v1beta3/crypto/us/latest/bars"
    trade = {"t": iso(OPEN_NS), "p": 60_010.0, "s": 0.01, "tks": "B", "i": 1}
    snapshot = {"minuteBar": bar, "latestTrade": trade, "latestQuote": {"bp": 60_000.0, "ap": 60_020.0}}
    told, _, _ = _ask(lambda _: {"snapshots": {"BTC/USD": snapshot}}, snapshots)
    (tick,) = told.unwrap().quotes
    assert (tick.symbol, tick.price, tick.bid, tick.ask) == ("BTC/USD", 60_010.0, 60_000.0, 60_020.0)
    told, _, _ = _ask(lambda _: {"snapshots": {"ETH/USD": snapshot}}, snapshots)
    assert told.kind is Kind.ERROR


@pytest.mark.parametrize(
    "body", [{"bars": {"AAPL": []}}, {"bars": {"BTC/USD": [wire_bar(OPEN_NS, 0.0)]}}, {"bars": []}, {}]
)
def test_an_answer_that_is_none_is_an_error(body: object) -> None:
    assert _ask(lambda _: body, _two_minutes)[0].kind is Kind.ERROR


def test_symbols_are_sorted_out_by_their_slash() -> None:
    assert split_markets(["BTC/USD", "AAPL", "ETH/USD"]) == (("AAPL",), ("BTC/USD", "ETH/USD"))
