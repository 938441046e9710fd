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
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadInput
from tapeline.core.instruments import Instrument, InstrumentKind, Right, expiry_close_ns, parse_symbol, spot_symbol
from tapeline.core.types import F64, I64
from tapeline.kernels.greeks import QUOTED, OptionStatus, quoted_greeks, years_to
from tapeline.live.panel import Index

QUOTES = ("last", "bid", "ask", "oi", "spot")
"""Planes of ``Quotes.values``: of an option the last is what its underlying, or future, stood at when it traded."""
_SPOT = QUOTES.index("spot")
_ON_SPOT, _ON_FUTURE = 1, 2
_VALUED_ON = {_ON_SPOT: "spot", _ON_FUTURE: "future"}
_STATUS_NAMES = [status.name.lower() for status in OptionStatus] + ["expiry_unknown", "no_underlying"]
_EXPIRY_UNKNOWN, _NO_UNDERLYING = len(OptionStatus), len(OptionStatus) + 1

_Codes = NDArray[np.int8]
_Month = tuple[str, str, dt.date]
"""Exchange, underlying and day of expiry: what an option shares with the future it is valued on."""


@dataclass(frozen=True, slots=True)
class Valued:
    """What the options among some symbols are worth.

    Attributes
    ----------
    at
        int64 (k,) which of the symbols are options.
    table
        float64 (6, k): ``kernels.greeks.QUOTED``; NaN where there is none.
    why, on
        Of each option: why it has a volatility, or none, and what it is valued on, ``spot`` or ``future``.
    """

    at: Index
    table: F64
    why: list[str]
    on: list[str]


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
        self._kind = np.zeros(0, np.int8)
        self._right = np.zeros(0, np.int8)
        self._strike: F64 = np.zeros(0)
        self._expiry_ns: I64 = np.zeros(0, np.int64)
        self._n = 0
        self._column_of: dict[str, int] = {}
        self._waiting: dict[str, list[int]] = {}
        self._futures: dict[_Month, int] = {}
        self._options: dict[_Month, list[int]] = {}

    def grow(self, symbols: list[str], capacity: int) -> None:
        """Make room, and learn what the new symbols are."""
        if capacity > self.times.size:
            values = np.full((len(QUOTES), capacity), np.nan)
            values[:, : self.times.size] = self.values
            more = capacity - self.times.size
            self.values = values
            self.times = np.concatenate([self.times, np.zeros(more, np.int64)])
            self.underlying = np.concatenate([self.underlying, np.full(more, -1, np.int64)])
            self._kind = np.concatenate([self._kind, np.zeros(more, np.int8)])
            self._right = np.concatenate([self._right, np.zeros(more, np.int8)])
            self._strike = np.concatenate([self._strike, np.full(more, np.nan)])
            self._expiry_ns = np.concatenate([self._expiry_ns, np.zeros(more, np.int64)])
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
            if self._kind[option] != _ON_FUTURE:
                self.underlying[option] = column

    def _learn_future(self, column: int, month: _Month) -> None:
        self._futures.setdefault(month, column)
        for option in self._options.get(month, ()):
            self._value_on(option, self._futures[month])

    def _value_on(self, option: int, future: int) -> None:
        """Value an option on a future from its next trade on: the spot that stood beside the last is none."""
        if self._kind[option] != _ON_FUTURE:
            self._kind[option] = _ON_FUTURE
            self.underlying[option] = future
            self.values[_SPOT, option] = np.nan

    def _learn_option(self, column: int, option: Instrument) -> None:
        spot = spot_symbol(option)
        try:
            expiry_ns = expiry_close_ns(option)
        except BadInput:
            expiry_ns = 0
        self._kind[column] = _ON_SPOT
        self._right[column] = 1 if option.right is Right.CALL else -1
        self._strike[column], self._expiry_ns[column] = float(option.strike or np.nan), expiry_ns
        if option.expiry is not None:
            month = option.exchange, option.underlying, option.expiry
            self._options.setdefault(month, []).append(column)
            if month in self._futures:
                self._value_on(column, self._futures[month])
        if spot is None or self._kind[column] == _ON_FUTURE:
            return
        if spot in self._column_of:
            self.underlying[column] = self._column_of[spot]
        else:
            self._waiting.setdefault(spot, []).append(column)

    def valued(self, columns: Index, rate: float) -> Valued:
        """Return volatility and Greeks of those columns that are options.

        Parameters
        ----------
        columns
            Which symbols.
        rate
            Continuously compounded, a year.
        """
        kinds = self._kind[columns]
        at = np.flatnonzero(kinds)
        options, kinds = columns[at], kinds[at]
        table, status = np.empty((len(QUOTED), at.size)), np.empty(at.size, np.int8)
        for kind in _VALUED_ON:
            if (mine := np.flatnonzero(kinds == kind)).size:
                table[:, mine], status[mine] = self._valued(options[mine], rate, futures=kind == _ON_FUTURE)
        why = [_STATUS_NAMES[code] for code in status.tolist()]
        return Valued(at, table, why, [_VALUED_ON[kind] for kind in kinds.tolist()])

    def _valued(self, options: Index, rate: float, *, futures: bool) -> tuple[F64, _Codes]:
        spot, expiry_ns = self.values[_SPOT, options], self._expiry_ns[options]
        terms = (spot, self._strike[options], years_to(expiry_ns, self.times[options]))
        table, status = quoted_greeks(self._right[options], self.values[0, options], *terms, rate, futures=futures)
        status[np.isnan(spot)] = _NO_UNDERLYING
        status[expiry_ns == 0] = _EXPIRY_UNKNOWN
        return table, status
