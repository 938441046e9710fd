"""Alpaca's option chains: snapshots with quotes, implied volatility and Greeks.

In: the tape.  Out: answers in the vendor's JSON, a page at a time.
Refuses to call any of it real: contracts and volatilities are made up from the underlying's last price, by
Black and Scholes without interest, and said to be simulated.
"""

from __future__ import annotations

import datetime as dt
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tapeline.core.types import Label
from tapeline.sim.clock import new_york_day
from tapeline.sim.door import Ask, Reply
from tapeline.sim.tape import CLOSE, Tape
from tapeline.sim.wire import WireError, check_symbol, parse_choice, to_rfc3339

MAX_LIMIT, DEFAULT_LIMIT = 1_000, 100
"""Contracts of one page."""
MONTHS = 4
"""Monthly expiries from this month on."""
STEPS = 8
"""Strikes above the price and as many below, ``STEP_FRAC`` of the price apart."""
STEP_FRAC = 0.025
HALF_SPREAD = 0.02


@dataclass(frozen=True, slots=True)
class _Contract:
    """One option; ``symbol`` as the exchanges write it."""

    symbol: str
    is_call: bool
    strike: float
    expiry: dt.date


@dataclass(frozen=True, slots=True)
class AlpacaOptions:
    """The answers about options."""

    tape: Tape

    def chain(self, ask: Ask) -> Reply:
        """Answer ``/v1beta1/options/snapshots/{underlying}``: by symbol, after the page token's."""
        underlying = check_symbol(ask.path["underlying"])
        parse_choice(ask.params, "feed", ("indicative", "opra"))
        limit = _limit(ask.params.get("limit"))
        column = self.tape.columns.get(underlying)
        starts, bars = self.tape.last_minute(ask.now_ns)
        if column is None or not starts[column]:
            return Reply({"snapshots": {}, "next_page_token": None}, Label.SIMULATED)
        spot, today = float(bars[CLOSE, column]), new_york_day(ask.now_ns)
        after = ask.params.get("page_token") or ""
        found = sorted((c for c in _contracts(underlying, spot, today) if _is_asked(c, ask)), key=lambda c: c.symbol)
        rest = [contract for contract in found if contract.symbol > after]
        page = {c.symbol: _snapshot(c, spot, today, int(starts[column])) for c in rest[:limit]}
        token = rest[limit - 1].symbol if len(rest) > limit else None
        return Reply({"snapshots": page, "next_page_token": token}, Label.SIMULATED)


def _limit(text: str | None) -> int:
    if not text:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MAX_LIMIT:
        raise WireError(400, f"invalid limit: {text}")
    return int(text)


def _contracts(underlying: str, spot: float, today: dt.date) -> Iterator[_Contract]:
    """Yield the calls and puts of the coming months around a price."""
    unit = 0.5 if spot < 50.0 else 1.0
    strikes = sorted({max(unit, round(spot * (1.0 + STEP_FRAC * k) / unit) * unit) for k in range(-STEPS, STEPS + 1)})
    for expiry in _expiries(today):
        for strike in strikes:
            for letter in "CP":
                symbol = f"{underlying}{expiry:%y%m%d}{letter}{round(strike * 1_000):08d}"
                yield _Contract(symbol, letter == "C", strike, expiry)


def _expiries(today: dt.date) -> list[dt.date]:
    """Return the third Fridays that are still to come."""
    fridays = []
    for ahead in range(MONTHS + 1):
        first = dt.date(today.year + (today.month - 1 + ahead) // 12, (today.month - 1 + ahead) % 12 + 1, 1)
        fridays.append(first + dt.timedelta(days=(4 - first.weekday()) % 7 + 14))
    return [friday for friday in fridays if friday > today][:MONTHS]


def _is_asked(contract: _Contract, ask: Ask) -> bool:
    params, day = ask.params, contract.expiry.isoformat()
    kind = params.get("type")
    try:
        low, high = float(params.get("strike_price_gte") or 0.0), float(params.get("strike_price_lte") or math.inf)
    except ValueError:
        raise WireError(400, "invalid strike_price") from None
    first, last = params.get("expiration_date_gte") or "", params.get("expiration_date_lte") or "9999"
    return (
        (not kind or kind == ("call" if contract.is_call else "put"))
        and low <= contract.strike <= high
        and first <= day <= last
        and day == (params.get("expiration_date") or day)
    )


def _snapshot(contract: _Contract, spot: float, today: dt.date, start_ns: int) -> dict[str, Any]:
    """Return the newest quote, trade, volatility and Greeks of a contract."""
    years = (contract.expiry - today).days / 365.0
    seed = zlib.crc32(contract.symbol[:-15].encode()) % 1_000 / 1_000
    vol = 0.2 + 0.2 * seed + 0.5 * math.log(contract.strike / spot) ** 2
    price, greeks = _black_scholes(spot, contract.strike, years, vol, is_call=contract.is_call)
    bid, ask = max(0.01, round(price * (1.0 - HALF_SPREAD), 2)), max(0.02, round(price * (1.0 + HALF_SPREAD), 2))
    t = to_rfc3339(start_ns)
    return {
        "latestQuote": {"t": t, "ax": "C", "ap": ask, "as": 10, "bx": "C", "bp": bid, "bs": 10, "c": " "},
        "latestTrade": {"t": t, "x": "C", "p": max(0.01, round(price, 2)), "s": 1, "c": "I"},
        "impliedVolatility": round(vol, 4),
        "greeks": {name: round(value, 6) for name, value in greeks.items()},
    }


def _black_scholes(
    spot: float, strike: float, years: float, vol: float, *, is_call: bool
) -> tuple[float, dict[str, float]]:
    """Return price and Greeks without interest: theta per calendar day, vega and rho per percentage point."""
    deviation = vol * math.sqrt(years)
    d1 = math.log(spot / strike) / deviation + deviation / 2.0
    d2, sign = d1 - deviation, 1.0 if is_call else -1.0
    density = math.exp(-d1 * d1 / 2.0) / math.sqrt(2.0 * math.pi)
    price = sign * (spot * _normal(sign * d1) - strike * _normal(sign * d2))
    return price, {
        "delta": sign * _normal(sign * d1),
        "gamma": density / (spot * deviation),
        "theta": -spot * density * vol / (2.0 * math.sqrt(years)) / 365.0,
        "vega": spot * density * math.sqrt(years) / 100.0,
        "rho": sign * strike * years * _normal(sign * d2) / 100.0,
    }


def _normal(x: float) -> float:
    return math.erfc(-x / math.sqrt(2.0)) / 2.0
