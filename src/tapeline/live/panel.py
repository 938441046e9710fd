"""The base bars of a lane while they may still change: the one place where rows become bars.

In: rows of trades or bars, in any order of time.  Out: a time-major panel of bars, oldest row first.
Trades add up inside a bar by exchange time; a bar of the base timeframe states its bar whole, so that saying it twice
changes nothing. How rows were grouped into frames never changes a bit. Knows nothing of closing or sessions.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from tapeline.core.types import F64, I64, BarFrame

Index = NDArray[np.intp]

MIN_COLUMNS = 16
"""Sums over rows add one row after the other only while a row is wider than one column; see ``sum_rows``."""
_NEVER_NS = np.iinfo(np.int64).max
_STATED = np.iinfo(np.int64).max
"""Time of the last trade of a bar that was stated whole: trades add nothing to it."""


class F(IntEnum):
    """Planes of float64."""

    OPEN, HIGH, LOW, CLOSE, VOLUME, VWAP, TRADES, TURNOVER = range(8)


class N(IntEnum):
    """Planes of int64: first and last event of a bar, the sender's revision, where the numbers come from."""

    FIRST_NS, LAST_NS, REVISION, ORIGIN = range(4)


_EMPTY_F = np.array([np.nan, np.nan, np.nan, np.nan, 0.0, np.nan, 0.0, 0.0])[:, None, None]
_EMPTY_N = np.array([_NEVER_NS, -1, -1, -1], np.int64)[:, None, None]
STATED_FIELDS = ("open", "high", "low", "close", "volume", "vwap", "trades")
"""Fields of a frame in the order of the first planes of ``F``."""


def sum_rows(values: F64, start: F64) -> F64:
    """Return ``start`` plus every row of ``values`` (rows, columns), strictly one after the other.

    numpy adds pairwise along a contiguous axis and row by row along any other; the columns, at least ``MIN_COLUMNS``,
    make this the latter, so a sum does not depend on how its rows were cut.
    """
    total: F64 = np.add.reduce(np.concatenate([start[None], values]), axis=0)
    return total


class BarPanel:
    """Base bars of all symbols of a lane.

    Attributes
    ----------
    base_ns
        Length of a bar in nanoseconds.
    symbols
        Names by column, in order of appearance.
    slots
        int64 (capacity,) start of each row's bar; the first ``n_rows`` count.
    floats, ints
        (planes, capacity rows, capacity columns); see ``F`` and ``N``. A cell without a bar has close NaN.
    touched
        Starts of rows that changed, or went, since somebody emptied it.
    """

    def __init__(self, base_ns: int) -> None:
        self.base_ns = base_ns
        self.symbols: list[str] = []
        self.n_rows = 0
        self.slots: I64 = np.zeros(0, np.int64)
        self.floats: F64 = np.zeros((len(F), 0, 0))
        self.ints: I64 = np.zeros((len(N), 0, 0), np.int64)
        self.touched: set[int] = set()
        self._column: dict[str, int] = {}
        self._resize(64, MIN_COLUMNS)

    @property
    def n_columns(self) -> int:
        """Columns that there is room for, at least one per symbol."""
        return int(self.floats.shape[2])

    def times(self) -> I64:
        """Return the start of every row."""
        return self.slots[: self.n_rows]

    def rows_between(self, start_ns: int, end_ns: int) -> slice:
        """Return the rows that start in [start_ns, end_ns)."""
        low, high = np.searchsorted(self.times(), [start_ns, end_ns])
        return slice(int(low), int(high))

    def known(self, symbols: tuple[str, ...]) -> I64:
        """Return the column of each symbol, -1 for those that have none. int64 (n,)."""
        return np.fromiter(map(self._column.get, symbols, itertools.repeat(-1)), np.int64, len(symbols))

    def columns_of(self, symbols: tuple[str, ...]) -> Index:
        """Return the column of each symbol, making room for new ones."""
        column = self._column
        try:
            return np.array([column[symbol] for symbol in symbols], np.intp)
        except KeyError:  # somebody is new
            for symbol in symbols:
                if symbol not in column:
                    column[symbol] = len(self.symbols)
                    self.symbols.append(symbol)
        if len(self.symbols) > self.n_columns:
            self._resize(self.slots.size, 2 * len(self.symbols))
        return np.array([column[symbol] for symbol in symbols], np.intp)

    def fold(self, frame: BarFrame, columns: Index, origin: int) -> tuple[I64, Index]:
        """Take the rows of a frame in; return the starts and columns of the bars that changed.

        Parameters
        ----------
        frame
            Good rows only. Bars of the base timeframe state a bar; shorter ones, and trades, add to it.
        columns
            (n,) column of each row.
        origin
            Number of the feed and label that the rows come from.
        """
        if not len(frame):
            return np.zeros(0, np.int64), np.zeros(0, np.intp)
        starts = frame.event_ns // self.base_ns * self.base_ns
        self.touched.update(np.unique(starts).tolist())
        rows = self._rows_of(starts)
        cells = rows * self.n_columns + columns
        is_stated = frame.timeframe_s * 1_000_000_000 == self.base_ns
        changed = self._state(frame, cells, origin) if is_stated else self._add(frame, cells, origin)
        return self.slots[changed // self.n_columns], changed % self.n_columns

    def _plane(self, plane: F) -> F64:
        flat: F64 = self.floats[plane].reshape(-1)
        return flat

    def _marks(self, plane: N) -> I64:
        flat: I64 = self.ints[plane].reshape(-1)
        return flat

    def _state(self, frame: BarFrame, cells: Index, origin: int) -> Index:
        """Put whole bars in place unless a later revision stands there."""
        last = _last_of_each(cells, frame.revision)
        last = last[frame.revision[last] >= self._marks(N.REVISION)[cells[last]]]
        at = cells[last]
        new = np.stack([getattr(frame, name)[last] for name in STATED_FIELDS])
        old = self.floats[: len(STATED_FIELDS)].reshape(len(STATED_FIELDS), -1)[:, at]
        same = ((new == old) | (np.isnan(new) & np.isnan(old))).all(axis=0)
        for plane, values in enumerate(new):
            self._plane(F(plane))[at] = values
        volume, vwap = new[F.VOLUME], new[F.VWAP]
        self._plane(F.TURNOVER)[at] = np.where(np.isnan(vwap), 0.0, vwap * volume)
        self._marks(N.FIRST_NS)[at] = frame.event_ns[last]
        self._marks(N.LAST_NS)[at] = _STATED
        self._marks(N.REVISION)[at] = frame.revision[last]
        self._marks(N.ORIGIN)[at] = origin
        changed: Index = at[~same]
        return changed

    def _add(self, frame: BarFrame, cells: Index, origin: int) -> Index:
        """Add trades or shorter bars: sums in order of arrival, open and close by exchange time."""
        keep = np.flatnonzero(self._marks(N.LAST_NS)[cells] != _STATED)
        at, volume = cells[keep], frame.volume[keep]
        np.fmax.at(self._plane(F.HIGH), at, frame.high[keep])
        np.fmin.at(self._plane(F.LOW), at, frame.low[keep])
        np.add.at(self._plane(F.VOLUME), at, volume)
        np.add.at(self._plane(F.TRADES), at, frame.trades[keep])
        np.add.at(self._plane(F.TURNOVER), at, np.where(volume > 0, frame.vwap[keep] * volume, 0.0))
        by_time = keep[np.argsort(frame.event_ns[keep], kind="stable")]
        self._set_ends(frame, cells[by_time], by_time)
        changed = np.unique(at)
        total = self._plane(F.VOLUME)[changed]
        with np.errstate(invalid="ignore"):
            self._plane(F.VWAP)[changed] = np.where(total > 0, self._plane(F.TURNOVER)[changed] / total, np.nan)
        self._marks(N.ORIGIN)[changed] = origin
        return changed

    def _set_ends(self, frame: BarFrame, at: Index, by_time: Index) -> None:
        """Set open and close. Of equal times the first to arrive opens and the last to arrive closes."""
        times = frame.event_ns[by_time]
        first, last = self._marks(N.FIRST_NS), self._marks(N.LAST_NS)
        earlier = np.flatnonzero(times < first[at])[::-1]  # of several writes to a cell the last one stays
        self._plane(F.OPEN)[at[earlier]] = frame.open[by_time[earlier]]
        first[at[earlier]] = times[earlier]
        later = np.flatnonzero(times >= last[at])
        self._plane(F.CLOSE)[at[later]] = frame.close[by_time[later]]
        last[at[later]] = times[later]

    def _rows_of(self, starts: I64) -> Index:
        """Return the row of each start, inserting rows for new ones in order of time."""
        known = self.times()
        new = np.setdiff1d(starts, known)
        if new.size:
            for start in new.tolist():
                self.insert(start)
        return np.searchsorted(self.times(), starts)

    def insert(self, start_ns: int) -> None:
        """Make room for bars that start at ``start_ns``, of which there are none yet."""
        if self.n_rows == self.slots.size:
            self._resize(2 * self.n_rows, self.n_columns)
        row, n = int(np.searchsorted(self.times(), start_ns)), self.n_rows
        self.slots[row + 1 : n + 1] = self.slots[row:n]
        self.floats[:, row + 1 : n + 1] = self.floats[:, row:n]
        self.ints[:, row + 1 : n + 1] = self.ints[:, row:n]
        self.slots[row] = start_ns
        self.floats[:, row] = _EMPTY_F[:, 0]
        self.ints[:, row] = _EMPTY_N[:, 0]
        self.n_rows += 1

    def drop_before(self, start_ns: int) -> None:
        """Forget the rows that start before ``start_ns``."""
        cut, n = int(np.searchsorted(self.times(), start_ns)), self.n_rows
        self.touched.update(self.times()[:cut].tolist())
        for block in (self.slots, *self.floats, *self.ints):
            block[: n - cut] = block[cut:n].copy()
        self.n_rows = n - cut

    def _resize(self, rows: int, columns: int) -> None:
        floats = np.empty((len(F), rows, columns))
        ints = np.empty((len(N), rows, columns), np.int64)
        floats[:], ints[:] = _EMPTY_F, _EMPTY_N
        n, wide = self.n_rows, self.n_columns
        floats[:, :n, :wide], ints[:, :n, :wide] = self.floats[:, :n], self.ints[:, :n]
        slots = np.zeros(rows, np.int64)
        slots[:n] = self.slots[:n]
        self.slots, self.floats, self.ints = slots, floats, ints

    def row(self, start_ns: int) -> bytes:
        """Return the bars of one row as bytes; none when there is no such row."""
        rows, wide = self.rows_between(start_ns, start_ns + 1), len(self.symbols)
        if rows.start == rows.stop:
            return b""
        return self.floats[:, rows.start, :wide].tobytes() + self.ints[:, rows.start, :wide].tobytes()

    def load(self, symbols: list[str], rows: Mapping[int, bytes]) -> None:
        """Take over saved rows by start; each has a column for as many symbols as there were when it was saved."""
        self.n_rows, self.symbols, self._column = 0, [], {}
        self.columns_of(tuple(symbols))
        for start_ns in sorted(rows):
            self.insert(start_ns)
            planes, saved = len(F) + len(N), rows[start_ns]
            wide = len(saved) // 8 // planes
            self.floats[:, self.n_rows - 1, :wide] = np.frombuffer(saved, np.float64, len(F) * wide).reshape(-1, wide)
            ints = np.frombuffer(saved, np.int64, len(N) * wide, offset=8 * len(F) * wide)
            self.ints[:, self.n_rows - 1, :wide] = ints.reshape(-1, wide)
        self.touched.clear()


def _last_of_each(cells: Index, revision: I64) -> Index:
    """Return the position of the highest, then latest, revision of every cell, in order of cells."""
    order = np.lexsort((revision, cells))  # stable: equal revisions stay in order of arrival
    ordered = cells[order]
    last: Index = order[np.append(ordered[1:] != ordered[:-1], True)]
    return last
