"""Options that stand for those of a market whose source has none: which are listed, and what they cost.

In: the tape and a moment.  Out: contracts of an underlying, their price, volatility, Greeks and open interest.
Refuses to call any of it real: all of it is made up from the underlying's prices, by Black and Scholes without
interest. What is listed in a session rests on the close before it, so it stays as it is until the evening.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache

from tapeline.sim.clock import new_york_day
from tapeline.sim.tape import Tape

SPELLING = re.compile(r"[A-Z]{1,6}\d{6}[CP]\d{8}")
MONTHS = 4
"""Monthly expiries from this month on."""
BAND_FRAC = 0.2
"""Strikes stand this fraction of the price above and below it."""
MOST_STRIKES = 24
STRIKE_UNITS = (0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0)
"""Strikes are multiples of one of these, so most of yesterday's are today's."""
MOST_OPEN = 8_000.0
"""Open interest at the money; it fades to both sides."""


@dataclass(frozen=True, slots=True)
class Contract:
    """One option; ``symbol`` as the exchanges write it. ``vol`` is its volatility, per year as a fraction."""

    symbol: str
    underlying: str
    is_call: bool
    strike: float
    expiry: dt.date

    def years(self, day: dt.date) -> float:
        """Return the time to expiry, ACT/365; at least a thousandth of a day."""
        return max((self.expiry - day).days, 1e-3) / 365.0

    def vol(self, spot: float) -> float:
        """Return the volatility per year as a fraction: a level of the underlying's own, and a smile."""
        level = zlib.crc32(self.underlying.encode()) % 1_000 / 1_000
        return 0.2 + 0.2 * level + 0.5 * math.log(self.strike / spot) ** 2

    def price(self, spot: float, day: dt.date) -> float:
        """Return its worth in dollars at a price of the underlying."""
        return black_scholes(spot, self.strike, self.years(day), self.vol(spot), is_call=self.is_call)[0]

    def open_interest(self, spot: float, day: dt.date) -> int:
        """Return the contracts that are open after ``day``; most at the money."""
        drawn = zlib.crc32(f"{self.symbol}{day}".encode()) % 1_000 / 1_000
        return int(MOST_OPEN * (0.5 + drawn) * math.exp(-((math.log(self.strike / spot) / 0.1) ** 2)))


@dataclass(frozen=True, slots=True)
class Listing:
    """The contracts of an underlying in one session, by symbol.

    ``close`` is the price they are listed around, the underlying's of the session ``close_day``.
    """

    contracts: dict[str, Contract]
    close: float
    close_day: dt.date


def listing(tape: Tape, underlying: str, now_ns: int) -> Listing | None:
    """Return what is listed today on a symbol; None when it has no price of an earlier session."""
    column, past = tape.columns.get(underlying), tape.past_rows(now_ns)
    if column is None or not past:
        return None
    close = float(tape.closes(slice(past - 1, past), now_ns)[0, column])
    if close != close:
        return None
    contracts = _contracts(underlying, close, new_york_day(now_ns))
    return Listing(contracts, close, tape.market.sessions[past - 1])


def roots(tape: Tape) -> dict[str, str]:
    """Return the letters that contracts begin with -> the underlying: share classes lose their dot."""
    return {_root(symbol): symbol for symbol in tape.columns}


@lru_cache(maxsize=256)
def _contracts(underlying: str, close: float, today: dt.date) -> dict[str, Contract]:
    """Return the calls and puts of the coming months around a price, by symbol."""
    low, high = close * (1.0 - BAND_FRAC), close * (1.0 + BAND_FRAC)
    unit = next((unit for unit in STRIKE_UNITS if (high - low) / unit <= MOST_STRIKES), STRIKE_UNITS[-1])
    strikes = [unit * k for k in range(max(1, math.ceil(low / unit)), math.floor(high / unit) + 1)]
    found = [
        Contract(
            f"{_root(underlying)}{expiry:%y%m%d}{letter}{round(strike * 1_000):08d}",
            underlying,
            letter == "C",
            strike,
            expiry,
        )
        for expiry in _expiries(today)
        for strike in strikes
        for letter in "CP"
    ]
    return {contract.symbol: contract for contract in sorted(found, key=lambda c: c.symbol)}


def _root(symbol: str) -> str:
    return re.sub(r"[^A-Z]", "", symbol)


def _expiries(today: dt.date) -> list[dt.date]:
    """Return the third Fridays that are still to come."""
    fridays = []
    for ahead in range(MONTHS + 1):
        first = dt.date(today.year + (today.month - 1 + ahead) // 12, (today.month - 1 + ahead) % 12 + 1, 1)
        fridays.append(first + dt.timedelta(days=(4 - first.weekday()) % 7 + 14))
    return [friday for friday in fridays if friday > today][:MONTHS]


def black_scholes(
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
