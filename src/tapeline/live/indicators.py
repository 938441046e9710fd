"""Indicators of the closed base bars of a lane, from the same grid and kernels that scans and backtests use.

In: closed base bars, with corrections.  Out: the newest value of every indicator and symbol.
A symbol whose newest bar is missing has NaN, never its older value.
"""

from __future__ import annotations

import numpy as np

from tapeline.core.types import F64, I64, BarFrame
from tapeline.grid import BarGrid, indicators


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
        self.names = names
        self.grid = BarGrid.empty((), window_bars, timeframe_s, track=names)

    def apply(self, closed: BarFrame, symbols: list[str]) -> None:
        """Take closed base bars in. ``symbols`` are all of the lane, by column."""
        if len(symbols) > len(self.grid.symbols):
            self.grid = self.grid.with_symbols(symbols)
        self.grid.apply(closed)

    def newest(self) -> dict[str, F64]:
        """Return name -> float64 (n_symbols,), values after the newest closed bar."""
        return indicators(self.grid, self.names, rows="last")

    def bar_starts(self) -> I64:
        """Return int64 (n_symbols,) start of the newest closed bar of each symbol; -1 where there is none."""
        grid = self.grid
        if not grid.n_bars:
            return np.full(len(grid.symbols), -1, np.int64)
        traded = ~np.isnan(grid.field("close"))
        newest = grid.n_bars - 1 - traded[::-1].argmax(axis=0)
        return np.where(traded.any(axis=0), grid.event_ns[newest], -1)
