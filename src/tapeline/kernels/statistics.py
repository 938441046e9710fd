"""Standing of a price among its own past: robust z-score, rank, distance from extremes, gaps. Prices in, scores out.

NaN: bars without a trade are not seen. Flat windows: z-score 0, rank 50, distances and gaps 0.
A percent of a price that is not positive is NaN.
"""

# ruff: noqa: ARG001 - all kernels share one signature, whatever they use of it
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from tapeline.kernels.catalogue import Kernel, register
from tapeline.kernels.engine import CLOSE, FIELDS, HIGH, LOW, NAN_SAFE, OPEN, TILE, carray

MAD_TO_SIGMA = 1.4826022185056018
"""Median absolute deviation of a normal variable to its standard deviation: 1 / quantile(0.75)."""


@njit(fastmath=NAN_SAFE, error_model="numpy")
def median_of(values):
    """Sort a short row in place, by insertion, and return its median."""
    n = len(values)
    for i in range(1, n):
        value, at = values[i], i
        while at > 0 and values[at - 1] > value:
            values[at] = values[at - 1]
            at -= 1
        values[at] = value
    return 0.5 * (values[(n - 1) // 2] + values[n // 2])


def robust_z(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Distance of the close from its median over ``window`` bars, in robust standard deviations (1.4826 mad).

    Warm-up: ``window`` - 1 bars are NaN. Close at the median: 0. No spread but a close off the median: NaN.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (1, out_rows, TILE))
    window = int(params[0])
    past = np.empty(window)
    for r in range(rows - out_rows, rows):
        for j in range(TILE):
            out[0, r - rows + out_rows, j] = math.nan
            if r - first[j] < window - 1:
                continue
            for k in range(window):
                past[k] = bars[CLOSE, r - k, j]
            median = median_of(past)
            for k in range(window):
                past[k] = abs(past[k] - median)
            spread = MAD_TO_SIGMA * median_of(past)
            away = bars[CLOSE, r, j] - median
            if away == 0.0:
                out[0, r - rows + out_rows, j] = 0.0
            elif spread > 0.0:
                out[0, r - rows + out_rows, j] = away / spread


def standing(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Rank of the close among the ``window`` closes, and its distance from their extremes, all in percent.

    rank: others below it, and half of those equal, out of all others. from_high = 100 (close / highest high - 1) <= 0,
    from_low = 100 (close / lowest low - 1) >= 0. Warm-up: ``window`` - 1 bars are NaN. Flat: 50, 0, 0.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (3, out_rows, TILE))
    window = int(params[0])
    high, low = np.empty(TILE), np.empty(TILE)
    for r in range(rows - out_rows, rows):
        rank, from_high, from_low = out[:, r - rows + out_rows]
        rank[:] = 0.0
        high[:] = bars[HIGH, r]
        low[:] = bars[LOW, r]
        for k in range(max(r - window + 1, 0), r):
            for j in range(TILE):
                x = bars[CLOSE, r, j]
                rank[j] += 1.0 if bars[CLOSE, k, j] < x else (0.5 if bars[CLOSE, k, j] == x else 0.0)
                high[j] = max(high[j], bars[HIGH, k, j])
                low[j] = min(low[j], bars[LOW, k, j])
        for j in range(TILE):
            full = r - first[j] >= window - 1
            rank[j] = 100.0 * rank[j] / (window - 1.0) if full else math.nan
            from_high[j] = 100.0 * (bars[CLOSE, r, j] / high[j] - 1.0) if full and high[j] > 0.0 else math.nan
            from_low[j] = 100.0 * (bars[CLOSE, r, j] / low[j] - 1.0) if full and low[j] > 0.0 else math.nan


def gap(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Gap of the open from the close before, in percent: this bar's, and mean and (sample) deviation of ``window``.

    Warm-up: this bar's gap 1 bar, the others ``window`` bars. Flat: 0.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (3, out_rows, TILE))
    window = int(params[0])
    for r in range(rows - out_rows, rows):
        now, mean, spread = out[:, r - rows + out_rows]
        mean[:] = 0.0
        spread[:] = 0.0
        for k in range(max(r - window + 1, 1), r + 1):
            for j in range(TILE):
                before = bars[CLOSE, k - 1, j]
                now[j] = 100.0 * (bars[OPEN, k, j] / before - 1.0) if before > 0.0 else math.nan
                mean[j] += now[j] / window
        for k in range(max(r - window + 1, 1), r + 1):
            for j in range(TILE):
                spread[j] += (100.0 * (bars[OPEN, k, j] / bars[CLOSE, k - 1, j] - 1.0) - mean[j]) ** 2
        for j in range(TILE):
            full = r - first[j] >= window
            now[j] = now[j] if r > first[j] else math.nan
            mean[j] = mean[j] if full else math.nan
            spread[j] = math.sqrt(spread[j] / (window - 1.0)) if full else math.nan


def _window(params: tuple[float, ...]) -> int:
    return int(params[0])


register(
    Kernel(robust_z, ("robust_z_#",), (CLOSE,), ((20.0,),), lookback=_window),
    Kernel(
        standing, ("rank_#", "from_high_#", "from_low_#"), (HIGH, LOW, CLOSE), ((20.0,), (252.0,)), lookback=_window
    ),
    Kernel(gap, ("gap_#", "gap_#_mean", "gap_#_std"), (OPEN, CLOSE), ((20.0,),), lookback=lambda p: int(p[0]) + 1),
)
