"""Alpaca's option chains: quotes, implied volatility and Greeks of every contract of an underlying.

In: an underlying and a span of expiries.  Out: an outcome of quotes, all pages or none.
Refuses to fill what the vendor leaves out: a volatility or a Greek that it does not tell is NaN.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from functools import partial

from msgspec import Struct, field

from tapeline.core.errors import BadMessage
from tapeline.core.instruments import BadSymbol, Right, parse_symbol
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Response, decode
from tapeline.feed.vendors.alpaca import DATA_HOST

PAGE_CONTRACTS = 1_000
MAX_PAGES = 50
_NAN = math.nan


@dataclass(frozen=True, slots=True)
class OptionQuote:
    """A contract as quoted.

    ``implied_vol`` is per year as a fraction; ``theta`` per calendar day; ``vega`` and ``rho`` per percentage point.
    What is not known is NaN.
    """

    symbol: str
    underlying: str
    expiry: dt.date
    is_call: bool
    strike: float
    bid: float
    ask: float
    implied_vol: float
    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float
    label: Label


class _Quote(Struct, frozen=True):
    """{"t":"...","ap":1.2,"as":10,"bp":1.1,"bs":10}; a side without an order is 0."""

    ap: float = 0.0
    bp: float = 0.0


class _Greeks(Struct, frozen=True):
    """{"delta":0.5,"gamma":0.01,"rho":0.1,"theta":-0.05,"vega":0.3}"""

    delta: float = _NAN
    gamma: float = _NAN
    theta: float = _NAN
    vega: float = _NAN
    rho: float = _NAN


class _Snapshot(Struct, frozen=True):
    """{"latestQuote":{...},"impliedVolatility":0.3,"greeks":{...}}; far contracts lack the last two."""

    quote: _Quote = field(name="latestQuote", default=_Quote())
    implied_vol: float = field(name="impliedVolatility", default=_NAN)
    greeks: _Greeks = _Greeks()


class _Page(Struct, frozen=True):
    """{"snapshots":{"AAPL100618C00250000":{...}},"next_page_token":null}"""

    snapshots: dict[str, _Snapshot]
    next_page_token: str | None = None


class AlpacaOptions:
    """Asks for option chains, one underlying at a time."""

    name = "alpaca.options"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def fetch_chain(self, underlying: str, first: dt.date, last: dt.date) -> Outcome[tuple[OptionQuote, ...]]:
        """Fetch the contracts that expire from ``first`` to ``last``, by symbol; no_data when there are none."""
        params: dict[str, str | int] = {
            "feed": "indicative",
            "limit": PAGE_CONTRACTS,
            "expiration_date_gte": first.isoformat(),
            "expiration_date_lte": last.isoformat(),
        }
        path, parse = f"/v1beta1/options/snapshots/{underlying}", partial(_parse, underlying)
        found: list[OptionQuote] = []
        for _ in range(MAX_PAGES):
            outcome = await self._gateway.fetch(DATA_HOST, path, params, parse=parse, circuit="options")
            if outcome.value is None:
                return outcome.map(lambda _: ())
            quotes, token = outcome.value
            found += quotes
            if token is None:
                if not found:
                    return nothing(Kind.NO_DATA, source=self.name, reason=f"{underlying} has no options then")
                chain = tuple(sorted(found, key=lambda quote: quote.symbol))
                return value_of(chain, source=self.name, as_of_ns=outcome.as_of_ns)
            params = {**params, "page_token": token}
        return nothing(Kind.ERROR, source=self.name, reason=f"more than {MAX_PAGES} pages of options on {underlying}")


def _parse(underlying: str, response: Response) -> tuple[list[OptionQuote], str | None]:
    page = decode(response, _Page)
    quotes = [_quote(underlying, symbol, snapshot, response.label) for symbol, snapshot in page.snapshots.items()]
    return quotes, page.next_page_token or None


def _quote(underlying: str, symbol: str, told: _Snapshot, label: Label) -> OptionQuote:
    try:
        option = parse_symbol(symbol)
    except BadSymbol as error:
        raise BadMessage(f"it holds {symbol[:30]!r}: {error}") from None
    if option.expiry is None or option.strike is None or option.right is None:
        raise BadMessage(f"it holds {symbol[:30]!r}, which is no option")
    return OptionQuote(
        symbol=symbol,
        underlying=underlying,
        expiry=option.expiry,
        is_call=option.right is Right.CALL,
        strike=float(option.strike),
        bid=told.quote.bp or _NAN,
        ask=told.quote.ap or _NAN,
        implied_vol=told.implied_vol,
        delta=told.greeks.delta,
        gamma=told.greeks.gamma,
        theta=told.greeks.theta,
        vega=told.greeks.vega,
        rho=told.greeks.rho,
        label=label,
    )
