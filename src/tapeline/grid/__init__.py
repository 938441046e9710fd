"""The grid: a market in columns, and the indicators of all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from tapeline.core.errors import BadArgument
from tapeline.core.types import F64
from tapeline.grid.bars import BarGrid
from tapeline.grid.records import Applied
from tapeline.grid.words import indicator_help
from tapeline.kernels.catalogue import UnknownIndicator, indicator_names


def indicators(grid: BarGrid, names: Sequence[str], rows: Literal["last", "all"] = "last") -> dict[str, F64]:
    """Return indicators of every symbol.

    Parameters
    ----------
    grid
        The bars. The past of the named indicators is remembered from now on.
    names
        Kernel, parameters and output joined by ``_``: ``rsi_14``, ``macd_12_26_9_hist``; see ``indicator_names``.
    rows
        ``"last"`` for the newest bar only, ``"all"`` for every bar of the grid.

    Returns
    -------
    dict
        Name -> float64 (n_symbols,) or (n_bars, n_symbols). NaN where the bar did not trade, or too few bars did.

    Raises
    ------
    UnknownIndicator
        For a name or a parameter that no kernel has, with the nearest names. A ``ValueError`` and a ``TapelineError``.
    """
    if not isinstance(grid, BarGrid):
        raise BadArgument(f"indicators takes a BarGrid first, not {type(grid).__name__}; BarGrid.from_arrays makes one")
    return grid.indicators(names, rows)


def indicators_at(grid: BarGrid, names: Sequence[str], n_rows: int) -> dict[str, F64]:
    """Return indicators of the row that was the newest when the grid had ``n_rows`` rows.

    As ``indicators`` gives them, and at its price for the newest row; an older row costs a pass over all rows. All NaN
    when there was no row yet.
    """
    if n_rows == grid.n_bars:
        return grid.indicators(names)
    every = grid.indicators(names, "all")
    return {name: every[name][n_rows - 1] if n_rows else np.full(len(grid.symbols), np.nan) for name in names}


__all__ = ["Applied", "BarGrid", "UnknownIndicator", "indicator_help", "indicator_names", "indicators", "indicators_at"]
