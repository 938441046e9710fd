"""Chains of options: every page, what is untold is NaN, and what is no option is refused."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import httpx2
from tests.feed.worlds import answer, gateway_to, run

from tapeline.core.clock import LogicalClock
from tapeline.core.config import FeedConfig
from tapeline.core.outcome import Kind, Outcome
from tapeline.feed.vendors.alpaca_options import AlpacaOptions, OptionQuote

FULL = {
    "latestQuote": {"t": "2010-05-06T14:00:00Z", "ap": 5.2, "bp": 5.0},
    "impliedVolatility": 0.3,
    "greeks": {"delta": 0.5, "gamma": 0.01, "theta": -0.05, "vega": 0.3, "rho": 0.1},
}


def _ask(*pages: dict[str, Any]) -> tuple[Outcome[tuple[OptionQuote, ...]], list[httpx2.Request]]:
    """Return what is made of some pages of a chain, and the requests."""
    asked: list[httpx2.Request] = []

    def vendor(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        page = min(len(asked), len(pages)) - 1
        token = str(page + 1) if page + 1 < len(pages) else None
        return answer({"snapshots": pages[page], "next_page_token": token})

    async def main(clock: LogicalClock) -> Outcome[tuple[OptionQuote, ...]]:
        async with gateway_to(vendor, clock, FeedConfig()) as gateway:
            return await AlpacaOptions(gateway).fetch_chain("AAPL", dt.date(2010, 6, 1), dt.date(2010, 7, 1))

    return run(main), asked


def test_every_page_is_read_and_the_symbol_says_what_it_is() -> None:
    outcome, asked = _ask({"AAPL100618P00247500": FULL}, {"AAPL100618C00250000": FULL})
    assert outcome.value is not None
    call, put = outcome.value
    assert (call.symbol, call.expiry, call.is_call, call.strike) == (
        "AAPL100618C00250000",
        dt.date(2010, 6, 18),
        True,
        250.0,
    )
    assert (put.is_call, put.strike, put.bid, put.ask, put.implied_vol, put.delta) == (False, 247.5, 5.0, 5.2, 0.3, 0.5)
    assert [request.url.params.get("page_token") for request in asked] == [None, "1"]
    assert asked[0].url.params["expiration_date_gte"] == "2010-06-01"


def test_what_the_vendor_does_not_tell_is_nan() -> None:
    outcome, _ = _ask({"AAPL100618C00250000": {}})
    assert outcome.value is not None
    (quote,) = outcome.value
    assert all(math.isnan(n) for n in (quote.bid, quote.ask, quote.implied_vol, quote.delta, quote.rho))


def test_no_contracts_are_no_data_and_a_strange_symbol_is_an_error() -> None:
    assert _ask({})[0].kind is Kind.NO_DATA
    for symbol in ("AAPL", "AAPL109918C00250000"):
        assert _ask({symbol: FULL})[0].kind is Kind.ERROR
