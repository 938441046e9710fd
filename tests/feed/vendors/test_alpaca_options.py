"""Chains of options: every page, what is untold is NaN, and what is no option is refused."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Awaitable, Callable
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


LISTED = {
    "symbol": "AAPL100618C00250000",
    "underlying_symbol": "AAPL",
    "expiration_date": "2010-06-18",
    "type": "call",
    "strike_price": "250",
    "tradable": True,
    "open_interest": "237",
    "open_interest_date": "2010-05-05",
    "close_price": "12.5",
    "close_price_date": "2010-05-05",
}
FIRST, LAST = dt.date(2010, 6, 1), dt.date(2010, 7, 1)
Quotes = Outcome[tuple[OptionQuote, ...]]
Ask = Callable[[AlpacaOptions], Awaitable[Quotes]]


def _chain(options: AlpacaOptions) -> Awaitable[Quotes]:
    return options.fetch_chain("AAPL", FIRST, LAST)


def _ask(
    *pages: dict[str, Any], listed: httpx2.Response | None = None, ask: Ask = _chain
) -> tuple[Quotes, list[httpx2.Request]]:
    """Return what is made of some pages of snapshots and an answer about contracts, and the requests for snapshots."""
    asked: list[httpx2.Request] = []

    def vendor(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v2/options/contracts":
            return listed or answer({"option_contracts": [LISTED], "next_page_token": None})
        asked.append(request)
        page = min(len(asked), len(pages)) - 1
        token = str(page + 1) if page + 1 < len(pages) else None
        return answer({"snapshots": pages[page], "next_page_token": token})

    async def main(clock: LogicalClock) -> Quotes:
        async with gateway_to(vendor, clock, FeedConfig()) as gateway:
            return await ask(AlpacaOptions(gateway))

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


def test_open_interest_comes_from_the_list_of_contracts_and_is_nan_where_it_has_none() -> None:
    outcome, _ = _ask({"AAPL100618C00250000": FULL, "AAPL100618P00250000": FULL})
    assert outcome.value is not None
    call, put = outcome.value
    assert (call.open_interest, call.close) == (237.0, 12.5)
    assert math.isnan(put.open_interest)
    assert math.isnan(put.close)
    empty = answer({"option_contracts": [], "next_page_token": None})
    outcome, _ = _ask({"AAPL100618C00250000": FULL}, listed=empty)
    assert outcome.value is not None
    assert math.isnan(outcome.value[0].open_interest)


def test_without_the_list_of_contracts_there_is_no_chain_and_the_reason_says_so() -> None:
    outcome, _ = _ask({"AAPL100618C00250000": FULL}, listed=answer({"message": "forbidden."}, 403))
    assert outcome.kind is Kind.ERROR
    assert outcome.reason.startswith("open interest: page 1: ")
    for wrong in ({"open_interest": "many"}, {"strike_price": "-1"}, {"underlying_symbol": "IBM"}):
        listed = answer({"option_contracts": [LISTED | wrong]})
        assert _ask({"AAPL100618C00250000": FULL}, listed=listed)[0].kind is Kind.ERROR


def test_named_contracts_are_asked_a_hundred_at_a_time_and_strangers_are_refused() -> None:
    names = [f"AAPL100618C{strike:08d}" for strike in range(1_000, 251_000, 1_000)]

    def by_name(options: AlpacaOptions) -> Awaitable[Quotes]:
        return options.fetch_quotes(names)

    outcome, asked = _ask({}, ask=by_name)
    assert outcome.kind is Kind.NO_DATA
    assert [len(request.url.params["symbols"].split(",")) for request in asked] == [100, 100, 50]

    def one(options: AlpacaOptions) -> Awaitable[Quotes]:
        return options.fetch_quotes(["AAPL100618C00250000"])

    outcome, _ = _ask({"AAPL100618C00250000": FULL}, ask=one)
    assert outcome.value is not None
    assert (outcome.value[0].underlying, outcome.value[0].strike, outcome.value[0].bid) == ("AAPL", 250.0, 5.0)
    assert _ask({"AAPL100618P00250000": FULL}, ask=one)[0].kind is Kind.ERROR
