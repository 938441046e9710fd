"""The shipped option quotes as a vendor of chains: real markets of one moment, to try what judges or values options.

In: an underlying and a span of expiries.  Out: an outcome of quotes with volatility and Greeks, as a vendor's would be.
Refuses nothing but names that it does not hold: that is ``no_data``. Open interest is not in the data and stays NaN.
"""

from __future__ import annotations

import datetime as dt
from functools import cache

import numpy as np

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import Label
from tapeline.data.samples import OptionQuotes, load_option_quotes
from tapeline.feed.vendors.alpaca_options import OptionQuote
from tapeline.kernels.greeks import greeks, implied_vol

NAME = "shipped"
_GREEKS = ("implied_vol", "delta", "gamma", "theta", "vega", "rho")


class ShippedChains:
    """A source of option chains that needs no network (see ``scan.chains.ChainSource``)."""

    name = NAME

    async def fetch_chain(self, underlying: str, first: dt.date, last: dt.date) -> Outcome[tuple[OptionQuote, ...]]:
        """Return the contracts on an underlying that expire from ``first`` to ``last``, both included."""
        quotes = _loaded().of(underlying)
        if not quotes.symbol.size:
            held = ", ".join(sorted(set(_loaded().underlying.tolist())))
            return nothing(Kind.NO_DATA, source=NAME, reason=f"no chain of {underlying} is shipped, only of {held}")
        inside = (quotes.expiry >= np.datetime64(first)) & (quotes.expiry <= np.datetime64(last))
        chain = tuple(quote for quote, asked in zip(to_quotes(quotes), inside.tolist(), strict=True) if asked)
        if not chain:
            return nothing(Kind.NO_DATA, source=NAME, reason=f"{underlying} has no expiry from {first} to {last}")
        return value_of(chain, source=NAME, as_of_ns=int(quotes.event_ns[0]))


def to_quotes(quotes: OptionQuotes) -> tuple[OptionQuote, ...]:
    """Return the quotes with volatility (years of 365 days) and Greeks of the middle of bid and ask.

    Greeks are per dollar of what the forward is worth today: the spot, less its dividends until the expiry.
    """
    prepaid, years = quotes.forward * quotes.discount, quotes.years_365
    rate = -np.log(quotes.discount) / years
    mid = (quotes.bid + quotes.ask) / 2.0
    vol, _ = implied_vol(quotes.right, mid, prepaid, quotes.strike, years, rate)
    values = greeks(quotes.right, prepaid, quotes.strike, years, rate, vol)
    numbers = np.stack([vol, *(values[name] for name in _GREEKS[1:])], axis=1).tolist()
    return tuple(
        OptionQuote(
            symbol=str(quotes.symbol[i]),
            underlying=str(quotes.underlying[i]),
            expiry=quotes.expiry[i].item(),
            is_call=bool(quotes.right[i] == "C"),
            strike=float(quotes.strike[i]),
            bid=float(quotes.bid[i]),
            ask=float(quotes.ask[i]),
            **dict(zip(_GREEKS, row, strict=True)),
            label=Label.REAL,
        )
        for i, row in enumerate(numbers)
    )


@cache
def _loaded() -> OptionQuotes:
    return load_option_quotes()
