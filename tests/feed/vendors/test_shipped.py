"""The shipped chains answer as a vendor does: real quotes with volatilities and Greeks, or why there are none."""

from __future__ import annotations

import datetime as dt
import math

import anyio
import numpy as np
import pytest

from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import Label
from tapeline.data.samples import load_option_quotes
from tapeline.feed.vendors.alpaca_options import OptionQuote
from tapeline.feed.vendors.shipped import ShippedChains

AUGUST = (dt.date(2022, 8, 6), dt.date(2022, 8, 31))


def chain(underlying: str, first: dt.date, last: dt.date) -> Outcome[tuple[OptionQuote, ...]]:
    return anyio.run(ShippedChains().fetch_chain, underlying, first, last)


def test_a_span_of_expiries_is_answered_with_the_real_quotes_in_it() -> None:
    outcome, given = chain("SPY", *AUGUST), load_option_quotes().of("SPY")
    quotes = outcome.unwrap()
    assert len(quotes) == 95
    assert {quote.expiry for quote in quotes} == {dt.date(2022, 8, 19)}
    assert {quote.label for quote in quotes} == {Label.REAL}
    assert outcome.as_of_ns == given.event_ns[0]
    mine = given.expiry == np.datetime64("2022-08-19")
    assert [(q.symbol, q.bid, q.ask) for q in quotes] == [
        *zip(given.symbol[mine].tolist(), given.bid[mine].tolist(), given.ask[mine].tolist(), strict=True)
    ]


@pytest.mark.parametrize("underlying", ["SPY", "SQQQ", "GLD", "VIX"])
def test_volatility_lies_between_that_of_bid_and_ask_by_a_year_of_365_days(underlying: str) -> None:
    quotes, given = (
        chain(underlying, dt.date(2022, 1, 1), dt.date(2024, 1, 1)).unwrap(),
        load_option_quotes().of(underlying),
    )
    vol = np.array([quote.implied_vol for quote in quotes]) * math.sqrt(360 / 365)
    assert np.all((given.bid_vol - 1e-6 <= vol) & (vol <= given.ask_vol + 1e-6))


def test_greeks_have_the_signs_and_sizes_of_options_out_of_the_money() -> None:
    for quote in chain("GLD", dt.date(2022, 1, 1), dt.date(2024, 1, 1)).unwrap():
        assert 0.0 < quote.delta * (1 if quote.is_call else -1) < 0.6
        assert quote.gamma > 0 > quote.theta
        assert quote.vega > 0
        assert math.isnan(quote.open_interest)


@pytest.mark.parametrize(
    ("underlying", "why"), [("AAPL", "only of BTC, GLD, SPY, SQQQ, VIX"), ("BTC", "no expiry from 2022-08-06")]
)
def test_what_is_not_shipped_is_no_data_and_says_so(underlying: str, why: str) -> None:
    outcome = chain(underlying, *AUGUST)
    assert outcome.kind is Kind.NO_DATA
    assert why in outcome.reason
