"""Alpaca's list of option contracts: what is listed, with the open interest and the close of the evening before.

In: underlyings and a span of expiries.  Out: an outcome of contracts, all pages or none.
Refuses to fill what the vendor leaves out, and numbers that are none: it writes them as text.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome, nothing
from tapeline.core.types import Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Response, decode
from tapeline.feed.vendors.alpaca_pages import TRADING_HOST, Page, fetch_pages

SOURCE = "alpaca.contracts"
PATH = "/v2/options/contracts"
PAGE_CONTRACTS = 10_000


@dataclass(frozen=True, slots=True)
class OptionContract:
    """A contract as listed. None: the vendor does not tell.

    Attributes
    ----------
    strike
        In dollars.
    shares
        Of the underlying, that one contract is for.
    open_interest, open_interest_day
        Contracts open after that session.
    close, close_day
        Last price of that session, in dollars per share.
    """

    symbol: str
    underlying: str
    expiry: dt.date
    is_call: bool
    strike: float
    style: str
    shares: float
    tradable: bool
    open_interest: float | None
    open_interest_day: dt.date | None
    close: float | None
    close_day: dt.date | None
    label: Label


class _Contract(Struct, frozen=True):
    """{"symbol":"AAPL100618C00250000","strike_price":"250","open_interest":"237","close_price":"12.5",...}"""

    symbol: str
    underlying_symbol: str
    expiration_date: dt.date
    type: Literal["call", "put"]
    strike_price: str | float
    tradable: bool
    style: str = "american"
    size: str | float = "100"
    open_interest: str | float | None = None
    open_interest_date: dt.date | None = None
    close_price: str | float | None = None
    close_price_date: dt.date | None = None


class _Page(Struct, frozen=True):
    """{"option_contracts":[{...}],"next_page_token":null}"""

    option_contracts: list[_Contract] | None = None
    next_page_token: str | None = None


async def fetch_contracts(
    gateway: Gateway, underlyings: Sequence[str], first: dt.date, last: dt.date
) -> Outcome[tuple[OptionContract, ...]]:
    """Fetch the contracts on ``underlyings`` that expire from ``first`` to ``last``, by symbol; no_data for none.

    Both dates are named: without them the vendor ends at the coming weekend.
    """
    params: dict[str, str | int] = {
        "underlying_symbols": ",".join(underlyings),
        "status": "active",
        "expiration_date_gte": first.isoformat(),
        "expiration_date_lte": last.isoformat(),
        "limit": PAGE_CONTRACTS,
    }
    wanted = frozenset(underlyings)

    def parse(response: Response) -> Page[list[OptionContract]]:
        page = decode(response, _Page)
        found = [_contract(told, wanted, response.label) for told in page.option_contracts or ()]
        return found, page.next_page_token or None

    outcome = await fetch_pages(gateway, TRADING_HOST, PATH, params, parse, source=SOURCE, circuit="contracts")
    if outcome.value is not None and not any(outcome.value):
        return nothing(Kind.NO_DATA, source=SOURCE, reason=f"{', '.join(underlyings)}: no options are listed then")
    return outcome.map(lambda pages: tuple(sorted((c for page in pages for c in page), key=lambda c: c.symbol)))


def _contract(told: _Contract, wanted: frozenset[str], label: Label) -> OptionContract:
    if told.underlying_symbol not in wanted:
        raise BadMessage(f"it holds {told.symbol[:30]!r}, which was not asked for")
    return OptionContract(
        symbol=told.symbol,
        underlying=told.underlying_symbol,
        expiry=told.expiration_date,
        is_call=told.type == "call",
        strike=_number(told.strike_price, told.symbol),
        style=told.style,
        shares=_number(told.size, told.symbol),
        tradable=told.tradable,
        open_interest=None if told.open_interest is None else _number(told.open_interest, told.symbol),
        open_interest_day=told.open_interest_date,
        close=None if told.close_price is None else _number(told.close_price, told.symbol),
        close_day=told.close_price_date,
        label=label,
    )


def _number(text: str | float, symbol: str) -> float:
    """Return a number of zero or more, which the vendor writes as text."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0.0 <= number < math.inf:
        raise BadMessage(f"{symbol[:30]!r} has {str(text)[:20]!r} where a number of zero or more is expected")
    return number
