"""Alpaca's options: quotes, implied volatility, Greeks and open interest of a chain or of named contracts.

In: an underlying and a span of expiries, or contracts by name.  Out: an outcome of quotes, all pages or none.
Refuses to fill what the vendor leaves out: a volatility, a Greek or an open interest that it does not tell is NaN.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from msgspec import Struct, field

from tapeline.core.errors import BadMessage
from tapeline.core.instruments import BadSymbol, Right, parse_symbol
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Response, decode
from tapeline.feed.sources import batches
from tapeline.feed.vendors.alpaca_contracts import OptionContract, fetch_contracts
from tapeline.feed.vendors.alpaca_pages import DATA_HOST, Page, fetch_pages
from tapeline.feed.vendors.alpaca_wire import check_asked
from tapeline.feed.vendors.shared import failed

PATH = "/v1beta1/options/snapshots"
PAGE_CONTRACTS = 1_000
SYMBOLS_PER_REQUEST = 100
"""Contracts that may be asked for by name at once."""
_NAN = math.nan


@dataclass(frozen=True, slots=True)
class OptionQuote:
    """A contract as quoted.

    ``implied_vol`` is per year as a fraction; ``theta`` per calendar day; ``vega`` and ``rho`` per percentage point;
    ``open_interest`` in contracts and ``close`` in dollars are the evening's before, and only known of a chain.
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
    open_interest: float = _NAN
    close: float = _NAN


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
    """Asks for option chains, one underlying at a time, and for contracts by name.

    Parameters
    ----------
    gateway
        With the hosts of ``alpaca_hosts``.
    """

    name = "alpaca.options"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def fetch_chain(self, underlying: str, first: dt.date, last: dt.date) -> Outcome[tuple[OptionQuote, ...]]:
        """Fetch the contracts that expire from ``first`` to ``last``, by symbol, with quotes and open interest.

        In: an underlying.   Out: every contract that is quoted; no_data when none is.
        Failure: quotes without the list of contracts would lack their open interest, so either failure is the answer.
        """
        quoted = await self._fetch_snapshots(underlying, first, last)
        if quoted.value is None:
            return quoted
        listed = await fetch_contracts(self._gateway, (underlying,), first, last)
        if listed.value is None and listed.kind is not Kind.NO_DATA:
            return failed(listed, self.name, f"open interest: {listed.reason}")
        return quoted.map(partial(with_open_interest, contracts=listed.value or ()))

    async def fetch_contracts(
        self, underlying: str, first: dt.date, last: dt.date
    ) -> Outcome[tuple[OptionContract, ...]]:
        """Fetch the contracts that are listed, quoted or not; see ``alpaca_contracts``."""
        return await fetch_contracts(self._gateway, (underlying,), first, last)

    async def fetch_quotes(self, symbols: Sequence[str]) -> Outcome[tuple[OptionQuote, ...]]:
        """Fetch the newest quote of contracts by name, by symbol; who is not listed is left out.

        Concurrency: one request of ``SYMBOLS_PER_REQUEST`` after the other. Failure: of one is the answer.
        """
        found: list[OptionQuote] = []
        as_of_ns: int | None = None
        for batch in batches(symbols, SYMBOLS_PER_REQUEST):
            params: dict[str, str | int] = {"symbols": ",".join(batch), "feed": "indicative", "limit": PAGE_CONTRACTS}
            outcome = await self._fetch_quotes(PATH, params, partial(_parse, None, frozenset(batch)))
            if outcome.value is None:
                return outcome
            found += outcome.value
            as_of_ns = outcome.as_of_ns
        if not found:
            return nothing(Kind.NO_DATA, source=self.name, reason="none of these contracts is quoted")
        return value_of(tuple(found), source=self.name, as_of_ns=as_of_ns)

    async def _fetch_snapshots(
        self, underlying: str, first: dt.date, last: dt.date
    ) -> Outcome[tuple[OptionQuote, ...]]:
        params: dict[str, str | int] = {
            "feed": "indicative",
            "limit": PAGE_CONTRACTS,
            "expiration_date_gte": first.isoformat(),
            "expiration_date_lte": last.isoformat(),
        }
        outcome = await self._fetch_quotes(f"{PATH}/{underlying}", params, partial(_parse, underlying, None))
        if outcome.is_value and not outcome.value:
            return nothing(Kind.NO_DATA, source=self.name, reason=f"{underlying} has no options then")
        return outcome

    async def _fetch_quotes(
        self, path: str, params: dict[str, str | int], parse: partial[Page[list[OptionQuote]]]
    ) -> Outcome[tuple[OptionQuote, ...]]:
        outcome = await fetch_pages(self._gateway, DATA_HOST, path, params, parse, source=self.name, circuit="options")
        return outcome.map(lambda pages: tuple(sorted((q for page in pages for q in page), key=lambda q: q.symbol)))


def with_open_interest(quotes: Sequence[OptionQuote], contracts: Sequence[OptionContract]) -> tuple[OptionQuote, ...]:
    """Return the quotes with what the list of contracts tells of them; NaN stays where it does not."""
    listed = {contract.symbol: contract for contract in contracts}
    return tuple(
        quote
        if (contract := listed.get(quote.symbol)) is None
        else replace(quote, open_interest=_or_nan(contract.open_interest), close=_or_nan(contract.close))
        for quote in quotes
    )


def _or_nan(number: float | None) -> float:
    return _NAN if number is None else number


def _parse(underlying: str | None, asked: frozenset[str] | None, response: Response) -> Page[list[OptionQuote]]:
    page = decode(response, _Page)
    if asked is not None:
        check_asked(page.snapshots.keys(), asked)
    quotes = [_quote(underlying, symbol, snapshot, response.label) for symbol, snapshot in page.snapshots.items()]
    return quotes, page.next_page_token or None


def _quote(underlying: str | None, symbol: str, told: _Snapshot, label: Label) -> OptionQuote:
    try:
        option = parse_symbol(symbol)
    except BadSymbol as error:
        raise BadMessage(f"it holds {symbol[:30]!r}: {error}") from None
    if option.expiry is None or option.strike is None or option.right is None:
        raise BadMessage(f"it holds {symbol[:30]!r}, which is no option")
    return OptionQuote(
        symbol=symbol,
        underlying=underlying or option.underlying,
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
