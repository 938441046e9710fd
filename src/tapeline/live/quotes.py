"""The newest quote of every symbol of a lane, and what an option needs to be valued.

In: symbols as they appear, and quotes as the fold writes them.  Out: implied volatility and Greeks of options.
An option is valued with its own last price and what stood beside it then, so a value never depends on when it is asked
for. That is the future on the same underlying that expires on the same day (Black-76), once one has traded in the lane:
its price holds the carry, dividends and all, that the market expects. Else it is the spot (Black-Scholes), which grows
at the configured rate and pays nothing: NIFTY's monthly options follow their future, its weekly ones the index.
Refuses nothing: what cannot be valued says why.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadInput
from tapeline.core.instruments import Instrument, InstrumentKind, Right, expiry_close_ns, parse_symbol, spot_symbol
from tapeline.core.types import F64, I64
from tapeline.kernels.greeks import OptionStatus, greeks, greeks_76, implied_vol, implied_vol_76, years_to
from tapeline.streams.processor import HotRow

QUOTES = ("last", "bid", "ask", "oi", "spot")
"""Planes of ``Quotes.values``: of an option the last is what its underlying, or future, stood at when it traded."""
GREEKS = ("delta", "gamma", "vega", "theta", "rho")
_SPOT = QUOTES.index("spot")


class _Terms(NamedTuple):
    right: float
    strike: float
    expiry_ns: int


_Month = tuple[str, str, dt.date]
"""Exchange, underlying and day of expiry: what an option shares with the future it is valued on."""


class Quotes:
    """Quotes by column.

    Attributes
    ----------
    values
        float64 (5, capacity): ``QUOTES``; NaN where nothing was said.
    times
        int64 (capacity,) time of the last trade.
    underlying
        int64 (capacity,) column of an option's underlying, or of its future; -1 where there is none.
    """

    def __init__(self) -> None:
        self.values: F64 = np.zeros((len(QUOTES), 0))
        self.times: I64 = np.zeros(0, np.int64)
        self.underlying: I64 = np.zeros(0, np.int64)
        self._n = 0
        self._terms: dict[int, _Terms] = {}
        self._column_of: dict[str, int] = {}
        self._waiting: dict[str, list[int]] = {}
        self._futures: dict[_Month, int] = {}
        self._options: dict[_Month, list[int]] = {}
        self._on_future: set[int] = set()

    def grow(self, symbols: list[str], capacity: int) -> None:
        """Make room, and learn what the new symbols are."""
        if capacity > self.times.size:
            values = np.full((len(QUOTES), capacity), np.nan)
            values[:, : self.times.size] = self.values
            more = capacity - self.times.size
            self.values = values
            self.times = np.concatenate([self.times, np.zeros(more, np.int64)])
            self.underlying = np.concatenate([self.underlying, np.full(more, -1, np.int64)])
        for column in range(self._n, len(symbols)):
            self._learn(column, symbols[column])
        self._n = len(symbols)

    def _learn(self, column: int, symbol: str) -> None:
        try:
            instrument = parse_symbol(symbol)
        except BadInput:  # a name that no grammar knows trades as what it says
            self._meet(symbol, column)
            return
        if not instrument.is_derivative:
            self._meet(instrument.symbol, column)
        elif instrument.kind is InstrumentKind.OPTION:
            self._learn_option(column, instrument)
        elif instrument.kind is InstrumentKind.FUTURE and instrument.expiry is not None:
            self._learn_future(column, (instrument.exchange, instrument.underlying, instrument.expiry))

    def _meet(self, canonical: str, column: int) -> None:
        self._column_of.setdefault(canonical, column)
        for option in self._waiting.pop(canonical, ()):
            if option not in self._on_future:
                self.underlying[option] = column

    def _learn_future(self, column: int, month: _Month) -> None:
        self._futures.setdefault(month, column)
        for option in self._options.get(month, ()):
            self._value_on(option, self._futures[month])

    def _value_on(self, option: int, future: int) -> None:
        """Value an option on a future from its next trade on: the spot that stood beside the last is none."""
        if option not in self._on_future:
            self._on_future.add(option)
            self.underlying[option] = future
            self.values[_SPOT, option] = np.nan

    def _learn_option(self, column: int, option: Instrument) -> None:
        spot = spot_symbol(option)
        try:
            expiry_ns = expiry_close_ns(option)
        except BadInput:
            expiry_ns = 0
        right = 1.0 if option.right is Right.CALL else -1.0
        self._terms[column] = _Terms(right, float(option.strike or np.nan), expiry_ns)
        if option.expiry is not None:
            month = option.exchange, option.underlying, option.expiry
            self._options.setdefault(month, []).append(column)
            if month in self._futures:
                self._value_on(column, self._futures[month])
        if spot is None or column in self._on_future:
            return
        if spot in self._column_of:
            self.underlying[column] = self._column_of[spot]
        else:
            self._waiting.setdefault(spot, []).append(column)

    def values_of(self, columns: NDArray[np.intp], rate: float) -> dict[int, HotRow]:
        """Return the volatility and Greeks of those columns that are options, and what they are on.

        Parameters
        ----------
        columns
            Which symbols.
        rate
            Continuously compounded, a year.
        """
        options = [column for column in columns.tolist() if column in self._terms]
        on_future = [column for column in options if column in self._on_future]
        on_spot = [column for column in options if column not in self._on_future]
        return self._valued(on_spot, rate, on_future=False) | self._valued(on_future, rate, on_future=True)

    def _valued(self, options: list[int], rate: float, *, on_future: bool) -> dict[int, HotRow]:
        if not options:
            return {}
        terms = [self._terms[column] for column in options]
        right, strike, expiry_ns = (np.array([term[i] for term in terms]) for i in range(3))
        price, spot = self.values[0, options], self.values[_SPOT, options]
        years = years_to(expiry_ns, self.times[options])
        vol, status = (implied_vol_76 if on_future else implied_vol)(right, price, spot, strike, years, rate)
        found = (greeks_76 if on_future else greeks)(right, spot, strike, years, rate, vol)
        table = np.stack([vol, *(found[name] for name in GREEKS)], axis=1).tolist()
        rows: dict[int, HotRow] = {}
        for i, column in enumerate(options):
            row: HotRow = {"option_status": self._why(status[i], spot[i], expiry_ns[i])}
            row["option_on"] = "future" if on_future else "spot"
            for name, value in zip(("implied_vol", *GREEKS), table[i], strict=True):
                if value == value:  # NaN is left out
                    row[name] = value
            rows[column] = row
        return rows

    @staticmethod
    def _why(status: int, spot: float, expiry_ns: int) -> str:
        if not expiry_ns:
            return "expiry_unknown"
        return OptionStatus(int(status)).name.lower() if spot == spot else "no_underlying"
