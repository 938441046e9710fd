"""Real trades, minutes and option quotes in small, shipped so that every part can be tried on what a market really did.

In: nothing, or a sample's name.  Out: its columns as arrays, times in UTC nanoseconds.
Origin, licences, and how each zone was found out, stand in ``PROVENANCE.md``. Refuses nothing: the files are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapeline import data

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Text = NDArray[np.str_]

_NUMBERS = ("strike", "bid", "ask", "bid_vol", "ask_vol", "forward", "discount", "years")


@dataclass(frozen=True, slots=True)
class Sample:
    """A shipped file that a person may write out or feed in by name."""

    name: str
    file: str
    about: str

    @property
    def path(self) -> Path:
        """Where it lies on disk."""
        return data.shipped(self.file)


SAMPLES = {
    sample.name: sample
    for sample in (
        Sample("ticks", data.TRADES, "500,000 trades of the E-mini S&P 500 future ESU13, 1 to 3 September 2013"),
        Sample("minutes", data.MINUTES, "1,564 minutes of SPY, 15 to 18 December 2020"),
        Sample("chains", data.OPTION_QUOTES, "983 option quotes: SPY, SQQQ, GLD, VIX of 15 July 2022, BTC of 2021"),
    )
}
"""Name -> sample, all of them real."""


@dataclass(frozen=True, slots=True)
class Trades:
    """Trades of one future in the order of the tape.

    Attributes
    ----------
    symbol
        ``"ESU13"``.
    event_ns
        int64 (n,) never falling; many trades share a millisecond, and their order is the source's.
    price
        float64 (n,) points of the index, in quarters.
    size
        int64 (n,) contracts, at least 1.
    """

    symbol: str
    event_ns: I64
    price: F64
    size: I64


@dataclass(frozen=True, slots=True)
class Minutes:
    """Minute bars of one share; ``event_ns`` is where a minute starts.

    A day has 391: that of 16:00 New York holds the closing auction and lies outside the session.
    Prices are float64 (n,) dollars, ``volume`` is int64 (n,) shares.
    """

    symbol: str
    event_ns: I64
    open: F64
    high: F64
    low: F64
    close: F64
    volume: I64


@dataclass(frozen=True, slots=True)
class OptionQuotes:
    """Quotes of options out of the money, by underlying, expiry and strike.

    Attributes
    ----------
    symbol, underlying
        (n,) names: the clearing house's symbol, for BTC the coin exchanges' way of writing one.
    right
        (n,) ``"C"`` or ``"P"``.
    expiry
        datetime64[D] (n,).
    strike, bid, ask
        float64 (n,) dollars; for VIX points.
    bid_vol, ask_vol
        float64 (n,) implied volatility as the source gives it, a fraction a year, Black-76.
    forward, discount
        float64 (n,) of the expiry.
    years
        float64 (n,) time to expiry that goes with these volatilities: days over 360, for BTC over 365.
    event_ns
        int64 (n,) when they stood.
    """

    symbol: Text
    underlying: Text
    right: Text
    expiry: NDArray[np.datetime64]
    strike: F64
    bid: F64
    ask: F64
    bid_vol: F64
    ask_vol: F64
    forward: F64
    discount: F64
    years: F64
    event_ns: I64

    @property
    def rate(self) -> F64:
        """Continuously compounded, per one of ``years``; (n,)."""
        return np.asarray(-np.log(self.discount) / self.years, np.float64)

    @property
    def years_365(self) -> F64:
        """Time to expiry over 365 days, as ``kernels.greeks.years_to`` counts; (n,). A volatility for it is
        ``vol x sqrt(years / years_365)``."""
        return np.where(self.underlying == "BTC", self.years, self.years * (360.0 / 365.0))

    def of(self, underlying: str) -> OptionQuotes:
        """Return the quotes on one underlying."""
        mine = self.underlying == underlying
        return OptionQuotes(*(getattr(self, name)[mine] for name in self.__slots__))


def load_trades() -> Trades:
    """Return the E-mini trades."""
    table = _table(data.TRADES)
    return Trades(str(table["symbol"][0].as_py()), _times(table), _floats(table, "price"), _whole(table, "size"))


def load_minutes() -> Minutes:
    """Return the minutes of SPY."""
    table = _table(data.MINUTES)
    open_, high, low, close = (_floats(table, name) for name in ("open", "high", "low", "close"))
    symbol = str(table["symbol"][0].as_py())
    return Minutes(symbol, _times(table), open_, high, low, close, _whole(table, "volume"))


def load_option_quotes() -> OptionQuotes:
    """Return the option quotes. The file's rows of the underlyings themselves are left out."""
    table = _table(data.OPTION_QUOTES)
    table = table.filter(table["strike"].is_valid())
    columns: dict[str, Any] = {
        **{name: np.array(table[name].to_pylist(), np.str_) for name in ("symbol", "underlying", "right")},
        **{name: _floats(table, name) for name in _NUMBERS},
        "expiry": np.array(table["expiry"].to_pylist(), "datetime64[D]"),
        "event_ns": _times(table),
    }
    return OptionQuotes(**columns)


def _table(name: str) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(data.shipped(name))


def _times(table: Any) -> I64:
    return np.asarray(table["time"].to_numpy(), "datetime64[ns]").astype(np.int64)


def _floats(table: Any, name: str) -> F64:
    return np.asarray(table[name].to_numpy(), np.float64)


def _whole(table: Any, name: str) -> I64:
    return np.asarray(table[name].to_numpy(), np.int64)
