"""Indicators of the base bars of a lane, from the same grid and kernels that scans and backtests use.

In: closed base bars, with corrections, and open ones to look at.  Out: the newest value of every indicator and symbol,
one row of a table per indicator.
A symbol whose newest bar is missing has NaN, never its older value.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tapeline.core.types import F64, I64, BarFrame
from tapeline.grid import BarGrid, indicators
from tapeline.grid.wire import row_of
from tapeline.live.panel import Index


class LaneIndicators:
    """The grid of a lane. Its columns are the lane's, in the same order.

    Parameters
    ----------
    names
        Indicators, as ``tapeline.grid.indicator_names`` lists them.
    window_bars
        Bars kept per symbol.
    timeframe_s
        Length of the base bars in seconds.
    """

    def __init__(self, names: tuple[str, ...], window_bars: int, timeframe_s: int) -> None:
        self.names, self.open_names = names, tuple(f"{name}_open" for name in names)
        self.grid = BarGrid.empty((), window_bars, timeframe_s, track=names)
        self._newest: F64 | None = None
        self._starts: I64 | None = None
        self._ahead: _Ahead | None = None
        self._saved: set[int] = set()
        self._touched: set[int] = set()

    def replace(self, grid: BarGrid, saved: Iterable[int] = ()) -> None:
        """Go on with another grid, whose rows that start at ``saved`` are in the snapshot as they are."""
        self._saved, self._touched = set(saved), set()
        self.grid, self._newest, self._starts, self._ahead = grid, None, None, None

    def apply(self, closed: BarFrame, symbols: list[str]) -> None:
        """Take closed base bars in. ``symbols`` are all of the lane, by column."""
        if len(symbols) > len(self.grid.symbols):
            self.grid = self.grid.with_symbols(symbols)
        self.grid.apply(closed)
        self._touched |= set(closed.event_ns.tolist())
        self._newest = self._starts = self._ahead = None

    def take_rows(self) -> dict[int, bytes]:
        """Return the rows of the grid that changed since the last call, by start; no bytes for those that are gone."""
        held = set(self.grid.event_ns.tolist())
        changed = (held - self._saved) | (held & self._touched)
        rows = {start_ns: row_of(self.grid, start_ns) for start_ns in sorted(changed)}
        rows |= {start_ns: b"" for start_ns in sorted(self._saved - held)}
        self._saved, self._touched = held, set()
        return rows

    def newest(self) -> F64:
        """Return float64 (n_names, n_symbols), values after the newest closed bar. Not to be written to."""
        if self._newest is None:
            self._newest = _table(self.grid, self.names)
        return self._newest

    def with_open(self, columns: Index, start_ns: int, bars: F64) -> F64:
        """Return float64 (n_names, n), the values there would be if these open bars closed now.

        The grid is left as it is.

        Parameters
        ----------
        columns
            int (n,) symbols of the grid, each once.
        start_ns
            When the bars began: after every closed one.
        bars
            float64 (7, n): ``BAR_FIELDS``.
        """
        if self._ahead is None or self._ahead.start_ns != start_ns:
            self._ahead = _Ahead(self.grid, start_ns)
        return self._ahead.values(columns, bars, self.names)

    def bar_starts(self) -> I64:
        """Return int64 (n_symbols,) start of the newest closed bar of each symbol; -1 where there is none."""
        if self._starts is None:
            self._starts = self._newest_starts()
        return self._starts

    def _newest_starts(self) -> I64:
        grid = self.grid
        if not grid.n_bars:
            return np.full(len(grid.symbols), -1, np.int64)
        traded = ~np.isnan(grid.field("close"))
        newest = grid.n_bars - 1 - traded[::-1].argmax(axis=0)
        return np.where(traded.any(axis=0), grid.event_ns[newest], -1)


class _Ahead:
    """A copy of the grid that has one row more: the open bars, said again as often as they change.

    A row of a grid that is there costs two rows of arithmetic to ask about; a copy for each question cost the window.
    """

    def __init__(self, grid: BarGrid, start_ns: int) -> None:
        self.start_ns = start_ns
        self._grid = grid.with_symbols(grid.symbols)

    def values(self, columns: Index, bars: F64, names: tuple[str, ...]) -> F64:
        """Return float64 (n_names, n) with these open bars, and those said before, in the newest row."""
        self._grid.overwrite(self.start_ns, columns, bars)
        return _table(self._grid, names)[:, columns]


def _table(grid: BarGrid, names: tuple[str, ...]) -> F64:
    values = indicators(grid, names, rows="last")
    return np.array([values[name] for name in names]).reshape(len(names), len(grid.symbols))
