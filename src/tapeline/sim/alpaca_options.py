"""Alpaca's options: snapshots of a chain or of named contracts, their bars, and the list of contracts.

In: the tape.  Out: answers in the vendor's JSON, a page at a time.
Refuses to call any of it real: see ``tapeline.sim.options``. Open interest and closing prices are the evening's before.
"""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tapeline.core.types import Label
from tapeline.sim.alpaca_data import count_rows, fill_page, read_rows
from tapeline.sim.alpaca_trading import ASSET_IDS
from tapeline.sim.clock import new_york_day, new_york_ns
from tapeline.sim.door import Ask, Reply
from tapeline.sim.options import SPELLING, Contract, Listing, black_scholes, listing, roots
from tapeline.sim.tape import CLOSE, HIGH, LOW, OPEN, TRADES, VOLUME, VWAP, Rows, Tape
from tapeline.sim.wire import BarQuery, WireError, check_symbol, parse_choice, parse_symbols, to_rfc3339

MAX_LIMIT, DEFAULT_LIMIT = 1_000, 100
"""Snapshots of one page."""
MOST_SYMBOLS = 100
"""Contracts of one question by name."""
MAX_CONTRACTS = 10_000
"""Contracts of one page of their list."""
HALF_SPREAD = 0.02
SHARES_PER_CONTRACT = 2_000.0
"""This many shares of the underlying are traded for each contract."""


@dataclass(frozen=True, slots=True)
class AlpacaOptions:
    """The answers about options."""

    tape: Tape

    def chain(self, ask: Ask) -> Reply:
        """Answer ``/v1beta1/options/snapshots/{underlying}``: by symbol, after the page token's."""
        underlying = check_symbol(ask.path["underlying"])
        parse_choice(ask.params, "feed", ("indicative", "opra"))
        limit = _limit(ask.params.get("limit"), MAX_LIMIT, 400)
        listed = listing(self.tape, underlying, ask.now_ns)
        found = [c for c in listed.contracts.values() if _is_asked(c, ask.params, 400)] if listed else []
        rest = [contract for contract in found if contract.symbol > (ask.params.get("page_token") or "")]
        token = rest[limit - 1].symbol if len(rest) > limit else None
        return Reply({"snapshots": self._snapshots(rest[:limit], ask), "next_page_token": token}, Label.SIMULATED)

    def snapshots(self, ask: Ask) -> Reply:
        """Answer ``/v1beta1/options/snapshots``: contracts by name; what is not listed is absent."""
        symbols = parse_symbols(ask.params.get("symbols", ""), SPELLING)
        parse_choice(ask.params, "feed", ("indicative", "opra"))
        if len(symbols) > MOST_SYMBOLS:
            raise WireError(400, f"too many symbols: at most {MOST_SYMBOLS}")
        found = self._named(symbols, ask)
        return Reply({"snapshots": self._snapshots(found, ask), "next_page_token": None}, Label.SIMULATED)

    def bars(self, ask: Ask) -> Reply:
        """Answer ``/v1beta1/options/bars``: a contract trades when its underlying does."""
        symbols = parse_symbols(ask.params.get("symbols", ""), SPELLING)
        midnight_ns = new_york_ns(new_york_day(ask.now_ns))
        query = BarQuery.parse(ask.params, symbols, default_start_ns=midnight_ns, default_end_ns=ask.now_ns)
        found = {contract.symbol: contract for contract in self._named(symbols, ask)}

        def read(some: tuple[str, ...]) -> Rows:
            contracts = [found[symbol] for symbol in some]
            rows = read_rows(self.tape, query, tuple(c.underlying for c in contracts), ask.now_ns)
            return Rows(rows.event_ns, np.stack([_priced(c, rows, i) for i, c in enumerate(contracts)], axis=-1))

        page, token = fill_page(list(found), count_rows(self.tape, query, ask.now_ns), read, query)
        return Reply({"bars": page, "next_page_token": token}, Label.SIMULATED)

    def contracts(self, ask: Ask) -> Reply:
        """Answer ``/v2/options/contracts`` of the trading host: by symbol, after the page token's."""
        wanted = ask.params.get("underlying_symbols")
        underlyings = parse_symbols(wanted) if wanted else tuple(self.tape.columns)
        limit = _limit(ask.params.get("limit"), MAX_CONTRACTS, 422)
        after = ask.params.get("page_token") or ""
        params = dict(ask.params)
        if not any(name.startswith("expiration_date") for name in params):
            today = new_york_day(ask.now_ns)  # without a word on it, the vendor ends at the coming weekend
            params["expiration_date_lte"] = (today + dt.timedelta(days=6 - today.weekday())).isoformat()
        page: list[dict[str, Any]] = []
        for underlying in sorted(underlyings):
            listed = listing(self.tape, underlying, ask.now_ns)
            if listed is None or params.get("status") == "inactive":
                continue
            for contract in listed.contracts.values():
                if contract.symbol <= after or not _is_asked(contract, params, 422):
                    continue
                if len(page) == limit:
                    return Reply({"option_contracts": page, "next_page_token": page[-1]["symbol"]}, Label.SIMULATED)
                page.append(_entry(contract, listed))
        return Reply({"option_contracts": page, "next_page_token": None}, Label.SIMULATED)

    def contract(self, ask: Ask) -> Reply:
        """Answer ``/v2/options/contracts/{symbol}``."""
        symbol = ask.path["symbol"]
        for contract in self._named((symbol,), ask):
            listed = listing(self.tape, contract.underlying, ask.now_ns)
            if listed is not None:
                return Reply(_entry(contract, listed), Label.SIMULATED)
        raise WireError(404, f"option contract not found for {symbol}", 40410000)

    def _named(self, symbols: tuple[str, ...], ask: Ask) -> list[Contract]:
        """Return those of ``symbols`` that are listed, in their order."""
        underlying_of = roots(self.tape)
        found = []
        for symbol in symbols:
            listed = listing(self.tape, underlying_of.get(symbol[:-15], ""), ask.now_ns)
            if listed is not None and symbol in listed.contracts and not ask.loses(symbol):
                found.append(listed.contracts[symbol])
        return found

    def _snapshots(self, contracts: list[Contract], ask: Ask) -> dict[str, Any]:
        """Return the newest of each contract whose underlying has traded."""
        starts, bars = self.tape.last_minute(ask.now_ns)
        today, told = new_york_day(ask.now_ns), {}
        for contract in contracts:
            column = self.tape.columns[contract.underlying]
            if starts[column]:
                told[contract.symbol] = _snapshot(contract, float(bars[CLOSE, column]), today, int(starts[column]))
        return told


def _limit(text: str | None, most: int, status: int) -> int:
    if not text:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= most:
        raise WireError(status, f"invalid limit: {text}")
    return int(text)


def _is_asked(contract: Contract, params: Mapping[str, str], status: int) -> bool:
    day, kind = contract.expiry.isoformat(), params.get("type")
    try:
        low, high = float(params.get("strike_price_gte") or 0.0), float(params.get("strike_price_lte") or math.inf)
    except ValueError:
        raise WireError(status, "invalid strike_price") from None
    first, last = params.get("expiration_date_gte") or "", params.get("expiration_date_lte") or "9999"
    return (
        (not kind or kind == ("call" if contract.is_call else "put"))
        and low <= contract.strike <= high
        and first <= day <= last
        and day == (params.get("expiration_date") or day)
        and contract.symbol[:-15] == (params.get("root_symbol") or contract.symbol[:-15])
    )


def _snapshot(contract: Contract, spot: float, today: dt.date, start_ns: int) -> dict[str, Any]:
    """Return the newest quote, trade, volatility and Greeks of a contract."""
    vol = contract.vol(spot)
    price, greeks = black_scholes(spot, contract.strike, contract.years(today), vol, is_call=contract.is_call)
    bid, ask = max(0.01, round(price * (1.0 - HALF_SPREAD), 2)), max(0.02, round(price * (1.0 + HALF_SPREAD), 2))
    t = to_rfc3339(start_ns)
    return {
        "latestQuote": {"t": t, "ax": "C", "ap": ask, "as": 10, "bx": "C", "bp": bid, "bs": 10, "c": " "},
        "latestTrade": {"t": t, "x": "C", "p": _cents(price), "s": 1, "c": "I"},
        "impliedVolatility": round(vol, 4),
        "greeks": {name: round(value, 6) for name, value in greeks.items()},
    }


def _priced(contract: Contract, rows: Rows, column: int) -> np.ndarray:
    """Return a contract's bars (7, n_rows) beside those of its underlying."""
    out = np.full(rows.values.shape[:2], np.nan)
    for row in np.flatnonzero(~np.isnan(rows.values[CLOSE, :, column])).tolist():
        day = new_york_day(int(rows.event_ns[row]))
        o, high, low, c, volume = rows.values[: VOLUME + 1, row, column].tolist()
        if not contract.is_call:
            high, low = low, high  # a put is worth most where its underlying is cheapest
        o, high, low, c = (_cents(contract.price(spot, day)) for spot in (o, high, low, c))
        # The smile may turn at the far ends; a bar still holds its own open and close.
        high, low = max(o, high, low, c), min(o, high, low, c)
        traded = max(1.0, volume // SHARES_PER_CONTRACT)
        out[[OPEN, HIGH, LOW, CLOSE, VOLUME, VWAP, TRADES], row] = (
            o, high, low, c, traded, round((o + high + low + c) / 4.0, 4), min(traded, 50.0),
        )  # fmt: skip
    return out


def _entry(contract: Contract, listed: Listing) -> dict[str, Any]:
    """Return a contract as the trading host lists it; numbers are text there."""
    kind, evening = "call" if contract.is_call else "put", listed.close_day.isoformat()
    root = contract.symbol[:-15]
    return {
        "id": str(uuid.uuid5(ASSET_IDS, contract.symbol)),
        "symbol": contract.symbol,
        "name": f"{root} {contract.expiry:%b %d %Y} {contract.strike:g} {kind.title()}",
        "status": "active",
        "tradable": True,
        "expiration_date": contract.expiry.isoformat(),
        "root_symbol": root,
        "underlying_symbol": contract.underlying,
        "underlying_asset_id": str(uuid.uuid5(ASSET_IDS, contract.underlying)),
        "type": kind,
        "style": "american",
        "strike_price": f"{contract.strike:g}",
        "multiplier": "100",
        "size": "100",
        "open_interest": str(contract.open_interest(listed.close, listed.close_day)),
        "open_interest_date": evening,
        "close_price": f"{_cents(contract.price(listed.close, listed.close_day)):g}",
        "close_price_date": evening,
    }


def _cents(price: float) -> float:
    return max(0.01, round(price, 2))
