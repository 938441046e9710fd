"""A market to simulate: real (or resampled) daily bars of many symbols, and minutes bridged inside any one of them.

In: the shipped Parquet files, or a universe file of ``tapeline.sim.resample``.  Out: ``Market`` and ``MinuteDay``.
Panels are time-major, ``(n_sessions, n_symbols)`` float64, NaN where a symbol did not trade.
Refuses to interpolate: an absent row stays NaN, and ``Market.until`` holds nothing later than its day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import DataError
from tapeline.core.types import F64, I64, MINUTE_S, NS_PER_S, Label
from tapeline.sim import bridge

DAILY_FIELDS = ("open", "high", "low", "close", "volume")
"""The columns of a daily bar. Volume is in shares; the source has neither a vwap nor a count of trades."""

CELL_LABELS = (Label.REAL, Label.REPAIRED, Label.RESAMPLED)
"""What the codes of ``Market.label`` mean."""

MINUTE_NS = MINUTE_S * NS_PER_S
REAL_SYMBOLS = 524


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """What changed the meaning of a price. Bars are unadjusted, so the step stands in them.

    Attributes
    ----------
    kind
        ``split``, ``spin_off`` or ``special_dividend``.
    ratio
        A price before ``ex_date`` times ``ratio`` compares with one after: 0.5 for a 2:1 split, 10 for 1:10.
    """

    symbol: str
    ex_date: dt.date
    kind: str
    ratio: float
    note: str


@dataclass(frozen=True, slots=True)
class Index:
    """Daily bars of the S&P 500 index, oldest first; each array is (n_days,), volume in shares."""

    dates: tuple[dt.date, ...]
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64


@dataclass(frozen=True, slots=True)
class MinuteDay:
    """One session in minutes: row ``i`` is the minute that starts at ``event_ns[i]``.

    Attributes
    ----------
    symbols
        (n_symbols,) the columns, as in the market.
    event_ns
        int64 (n_minutes,) starts of the minutes: 390 from 09:30 New York, 210 on a half day.
    open, high, low, close, volume, vwap, trades
        float64 (n_minutes, n_symbols). All NaN where nothing traded in that minute; volume and trades are whole.
    label
        ``Label.BRIDGED``: the minutes are made, only the day that they add up to is not.
    """

    day: dt.date
    symbols: tuple[str, ...]
    event_ns: I64
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64
    vwap: F64
    trades: F64
    label: Label = Label.BRIDGED


@dataclass(frozen=True, slots=True)
class Market:
    """Daily bars of a universe, with what is known of its symbols.

    Attributes
    ----------
    symbols
        Sorted. ``names``, ``sectors`` and ``industries`` go with them; "" where the source has none.
    sessions
        (n_sessions,) dates, oldest first. Sessions that the source lacks are not there.
    open_ns, close_ns
        int64 (n_sessions,) opening and closing time of each session.
    daily
        ``DAILY_FIELDS`` to float64 (n_sessions, n_symbols), prices in dollars and unadjusted, volume in shares.
    label
        int8 (n_sessions, n_symbols) positions in ``CELL_LABELS``; see ``label_at``. Meaningless where NaN.
    seed
        Decides how minutes run inside a day, and nothing else.
    """

    symbols: tuple[str, ...]
    names: tuple[str, ...]
    sectors: tuple[str, ...]
    industries: tuple[str, ...]
    sessions: tuple[dt.date, ...]
    open_ns: I64
    close_ns: I64
    daily: Mapping[str, F64]
    label: NDArray[np.int8]
    index: Index
    corporate_actions: tuple[CorporateAction, ...]
    seed: int

    @staticmethod
    def load(n_symbols: int = REAL_SYMBOLS, seed: int = 7, universe: Path | None = None) -> Market:
        """Return the shipped market, or the one in a universe file.

        Parameters
        ----------
        n_symbols
            Of the 524 real symbols, the most traded ones in dollars over the first month; above 524 the real ones
            and ``n_symbols - 524`` resampled ones. With ``universe``, its first ``n_symbols`` by the same rule,
            and all of them if it has fewer.
        seed
            Decides the resampled symbols and the minutes inside each day.
        universe
            A file of ``tapeline sample``.

        Raises
        ------
        DataError
            When a file is absent, unreadable or not what it should be.
        """
        raise DataError("the shipped market is not there yet")

    def row_of(self, day: dt.date) -> int:
        """Return the row of a session; ``DataError`` when the market has no such session."""
        try:
            return self.sessions.index(day)
        except ValueError:
            first, last = self.sessions[0], self.sessions[-1]
            raise DataError(
                f"{day} is not a session of this market: it has {len(self.sessions)} from {first} to {last}"
            ) from None

    def label_at(self, row: int, col: int) -> Label:
        """Return where one daily bar comes from."""
        return CELL_LABELS[self.label[row, col]]

    def minutes(self, day: dt.date) -> MinuteDay:
        """Return the minutes of ``day``; each symbol's add up to its daily bar exactly. Not cached: 0.1 s a call."""
        row = self.row_of(day)
        n_minutes = int(self.close_ns[row] - self.open_ns[row]) // MINUTE_NS
        event_ns = self.open_ns[row] + MINUTE_NS * np.arange(n_minutes, dtype=np.int64)
        bars = {name: self.daily[name][row] for name in DAILY_FIELDS}
        plunge = bridge.plunge_minute(self._index_until(day), day, n_minutes, self.seed)
        fields = bridge.minutes_of(bars, self.symbols, day, n_minutes=n_minutes, seed=self.seed, plunge=plunge)
        return MinuteDay(day, self.symbols, event_ns, **fields)

    def until(self, day: dt.date) -> Market:
        """Return the market as it stood after the close of ``day``: nothing later is in it."""
        n = sum(session <= day for session in self.sessions)
        return replace(
            self,
            sessions=self.sessions[:n],
            open_ns=self.open_ns[:n],
            close_ns=self.close_ns[:n],
            daily={name: panel[:n] for name, panel in self.daily.items()},
            label=self.label[:n],
            index=self._index_until(day),
            corporate_actions=tuple(action for action in self.corporate_actions if action.ex_date <= day),
        )

    def _index_until(self, day: dt.date) -> Index:
        n = sum(date <= day for date in self.index.dates)
        index = self.index
        return Index(index.dates[:n], index.open[:n], index.high[:n], index.low[:n], index.close[:n], index.volume[:n])
