"""A grid that goes on, and its columns: bars in, and only what their symbols decide computed again.

In: frames of bars, corporate actions.  Out: the contract's columns, equal to ``read_columns`` of the grid to the bit.
Refuses to guess what changed: bars go through ``apply``, and a grid whose rows have moved on is read anew.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from tapeline.core.types import F64, BarFrame
from tapeline.grid import Applied, BarGrid
from tapeline.ml.features import CONTRACT, ReadColumns, read_columns, refresh_columns

FEW = 0.5
"""Share of changed symbols up to which reading them apart is cheaper than reading all."""


class GoingColumns(Protocol):
    """A grid and its columns, wherever they are computed.

    Attributes
    ----------
    grid
        Everything that has been applied.
    recomputed
        Symbols whose values the last ``columns`` computed.
    """

    grid: BarGrid
    recomputed: int

    def apply(self, frame: BarFrame) -> Applied:
        """Take bars in; see ``BarGrid.apply``."""
        ...

    def adjust(self, symbol: str, ex_ns: int, ratio: float) -> int:
        """Apply a corporate action; see ``BarGrid.adjust``."""
        ...

    def columns(self) -> dict[str, F64]:
        """Return the contract's columns of the newest row, float64 (n_symbols,) each; to be read only."""
        ...


class LocalColumns:
    """``GoingColumns`` in this process.

    Parameters
    ----------
    grid
        Daily bars; owned by this from now on.
    read
        Where the columns of all symbols come from.
    """

    def __init__(self, grid: BarGrid, read: ReadColumns = read_columns) -> None:
        grid.track(CONTRACT.indicators)
        self.grid = grid
        self.recomputed = 0
        self._read = read
        self._columns: dict[str, F64] | None = None
        self._changed = np.zeros(len(grid.symbols), np.bool_)

    def apply(self, frame: BarFrame) -> Applied:
        """See ``GoingColumns``."""
        rows = self.grid.dropped + self.grid.n_bars
        done = self.grid.apply(frame)
        if self.grid.dropped + self.grid.n_bars != rows:
            self._columns = None  # the newest row is another one: nothing that was read still stands
        columns = self.grid.universe.columns(frame.symbols)
        self._changed[columns[columns >= 0]] = True
        return done

    def adjust(self, symbol: str, ex_ns: int, ratio: float) -> int:
        """See ``GoingColumns``."""
        self._changed[self.grid.column(symbol)] = True
        return self.grid.adjust(symbol, ex_ns, ratio)

    def columns(self) -> dict[str, F64]:
        """See ``GoingColumns``."""
        changed = np.flatnonzero(self._changed)
        if self._columns is None or changed.size > FEW * self._changed.size:
            self._columns = self._read(self.grid, CONTRACT.columns, self.grid.n_bars)
            self.recomputed = self._changed.size
        else:
            refresh_columns(self.grid, self._columns, changed, self.grid.n_bars)
            self.recomputed = changed.size
        self._changed[:] = False
        return self._columns
