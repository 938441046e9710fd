"""Traded bars without gaps: a panel in, each symbol's newest traded bars and what all of them say about it out.

One pass over the panel, tile by tile, so that a tile's rows are copied while they are still in the cache.
Refuses to judge beyond the bar itself: a bar without a close has not traded, a price is positive, a volume finite.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tapeline.kernels.engine import compile_cached
from tapeline.kernels.threads import share

F64 = NDArray[np.float64]

OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)
TILE = 1024
"""Symbols in a tile: rows of a wide panel lie far apart, and long ones are fetched ahead by the processor itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Traded:
    """What ``newest_traded`` found.

    Attributes
    ----------
    fields
        float64 (5, n_rows, n_symbols): each column's newest traded bars, the newest in the last row; NaN above them.
    n_traded
        int64 (n_symbols,) bars that traded.
    is_sound
        bool (n_symbols,): every price is positive, every traded bar's volume finite and not negative.
    """

    fields: F64
    n_traded: NDArray[np.int64]
    is_sound: NDArray[np.bool_]


def newest_traded(fields: Sequence[F64], n_rows: int) -> Traded:
    """Return each symbol's newest ``n_rows`` traded bars.

    Parameters
    ----------
    fields : float64 (n_bars, n_symbols) each
        Open, high, low, close and volume, oldest bar first. NaN marks a bar that never traded. Not modified.
    n_rows : int
        Rows to return.

    Notes
    -----
    NaN: a bar without a close is left out, however its other fields stand.
    Cost: one pass over the five fields; tiles of symbols in parallel.

    Examples
    --------
    >>> close = np.array([[1.0], [np.nan], [3.0]])
    >>> newest_traded([close] * 5, 2).fields[3, :, 0]
    array([1., 3.])
    """
    given = tuple(_read_only(field) for field in fields)
    n_symbols = given[CLOSE].shape[1]
    found = Traded(
        np.empty((len(given), n_rows, n_symbols)), np.empty(n_symbols, np.int64), np.empty(n_symbols, np.bool_)
    )

    def work(low: int, high: int) -> None:
        _settle(given, low, high, found.fields, found.n_traded, found.is_sound)

    share(work, -(-n_symbols // TILE))
    return found


def _read_only(field: F64) -> F64:
    """Return a read-only view in C order, so that the loop is compiled for one kind of array."""
    view = np.ascontiguousarray(field, np.float64).view()
    view.flags.writeable = False
    return view


def _settle_body(fields, low, high, out, n_traded, is_sound) -> None:
    """Fill the columns of the tiles ``low`` to ``high``; see ``newest_traded``."""
    n_bars, n_symbols = fields[CLOSE].shape
    n_rows = out.shape[1]
    above = max(n_rows - n_bars, 0)  # rows that no bar can fill
    lowest, worst = np.empty(TILE), np.empty(TILE)
    count, near = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    for tile in range(low, high):
        first = tile * TILE
        width = min(TILE, n_symbols - first)
        end = first + width
        lowest[:], worst[:], count[:] = math.inf, 0.0, 0
        for row in range(n_bars):
            if row == n_bars - n_rows:
                near[:] = count
            for index in range(VOLUME):
                _lower(fields[index][row, first:end], lowest)
            _judge(fields[CLOSE][row, first:end], fields[VOLUME][row, first:end], count, worst)
            if row >= n_bars - n_rows:
                for index in range(VOLUME + 1):
                    out[index, row - n_bars + n_rows, first:end] = fields[index][row, first:end]
        if above:
            out[:, :above, first:end] = math.nan
            near[:] = 0
        for j in range(width):
            n_traded[first + j] = count[j]
            is_sound[first + j] = lowest[j] > 0.0 and worst[j] == 0.0
            if count[j] - near[j] < n_rows:
                _close_gaps(fields, first + j, out)


@njit(nogil=True)
def _lower(prices, lowest) -> None:
    """Keep the lowest price of each symbol; NaN is none. Few arrays in a loop, so that it becomes vectors."""
    for j in range(prices.shape[0]):
        lowest[j] = prices[j] if prices[j] < lowest[j] else lowest[j]


@njit(nogil=True)
def _judge(closes, volumes, count, worst) -> None:
    """Count traded bars, and note volumes that are none: ``worst`` is 0 until one is negative, NaN or infinite."""
    for j in range(closes.shape[0]):
        traded = closes[j] == closes[j]
        count[j] += 1 if traded else 0
        fine = volumes[j] >= 0.0 and volumes[j] < math.inf
        worst[j] = 1.0 if traded and not fine else worst[j]


def _close_gaps_body(fields, col, out) -> None:
    """Write a symbol's traded bars to the end of its column, and NaN above them."""
    closes = fields[3]
    at = out.shape[1] - 1
    for row in range(closes.shape[0] - 1, -1, -1):
        if at < 0:
            return
        if not math.isnan(closes[row, col]):
            for index in range(5):
                out[index, at, col] = fields[index][row, col]
            at -= 1
    out[:, : at + 1, col] = math.nan


_close_gaps: Any = njit(nogil=True)(_close_gaps_body)
_settle: Any = compile_cached(njit, _settle_body, nogil=True)
