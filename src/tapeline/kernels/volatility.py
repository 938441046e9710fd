"""Volatility: atr, natr, bbands. Prices in, widths in price units, in percent or as fractions out.

NaN: bars without a trade are not seen. Flat windows: ranges and widths are 0, positions are the middle.
"""

# ruff: noqa: ARG001 - all kernels share one signature, whatever they use of it
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

from numba import njit

from tapeline.kernels.catalogue import Kernel, recursive_settle, register
from tapeline.kernels.engine import CLOSE, FIELDS, HIGH, LOW, NAN_SAFE, TILE, carray


@njit(fastmath=NAN_SAFE, error_model="numpy")
def true_range(high, low, before):
    """Return the range of a bar, stretched to the close before it."""
    return max(high, before) - min(low, before)


def atr(bars, first, fresh, params, state, out, start, rows, out_rows):
    """Wilder's average true range in price units, and in percent of the close (natr).

    State: bars seen, previous close, average (a sum while seeding). Warm-up: the first ``window`` bars are NaN.
    Flat window: 0.

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems (1978), section "Volatility".
    """
    bars = carray(bars, (rows, FIELDS, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (3, TILE))
    out = carray(out, (2, out_rows, TILE))
    window = params[0]
    scale = 1.0 / window
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live = r >= fresh[j]
            seen, average, x = state[0, j] - 1.0, state[2, j], bars[r, CLOSE, j]
            reach = true_range(bars[r, HIGH, j], bars[r, LOW, j], state[1, j])
            grown = average + (reach if seen < window else (reach - average) * scale)
            grown *= scale if seen + 1.0 == window else 1.0
            state[0, j] += 1.0 if live else 0.0
            state[1, j] = x if live else state[1, j]
            state[2, j] = grown if live and seen >= 0.0 else average
        if r >= skip:
            for j in range(TILE):
                average = state[2, j] if state[0, j] > window else math.nan
                out[0, r - skip, j] = average
                out[1, r - skip, j] = 100.0 * average / state[1, j]


def bbands(bars, first, fresh, params, state, out, start, rows, out_rows):
    """Bollinger's bands: mean of ``window`` closes +- ``deviations`` standard deviations (of the population).

    Outputs: upper, middle, lower; pctb = (close - lower) / (upper - lower); width = (upper - lower) / middle.
    Warm-up: ``window`` - 1 bars are NaN. Flat window: the three bands agree, pctb 0.5, width 0.

    References
    ----------
    J. Bollinger, Bollinger on Bollinger Bands (2001), chapter 7.
    """
    bars = carray(bars, (rows, FIELDS, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (5, out_rows, TILE))
    window, deviations = int(params[0]), params[1]
    for r in range(rows - out_rows, rows):
        upper, mean, lower, pctb, width = out[:, r - rows + out_rows]
        mean[:] = 0.0
        lower[:] = 0.0
        for k in range(max(r - window + 1, 0), r + 1):
            for j in range(TILE):
                mean[j] += bars[k, CLOSE, j]
        for j in range(TILE):
            mean[j] = mean[j] / window if r - first[j] >= window - 1 else math.nan
        for k in range(max(r - window + 1, 0), r + 1):
            for j in range(TILE):
                lower[j] += (bars[k, CLOSE, j] - mean[j]) ** 2
        for j in range(TILE):
            reach = deviations * math.sqrt(lower[j] / window)
            flat = reach <= 1e-14 * abs(mean[j])
            upper[j] = mean[j] + reach
            lower[j] = mean[j] - reach
            pctb[j] = 0.5 if flat else (bars[r, CLOSE, j] - lower[j]) / (2.0 * reach)
            width[j] = 2.0 * reach / mean[j]


register(
    Kernel(
        atr,
        ("atr_#", "natr_#"),
        (HIGH, LOW, CLOSE),
        ((14.0,),),
        state=lambda _: 3,
        settle=lambda p: recursive_settle(p[0]),
    ),
    Kernel(
        bbands,
        ("bbands_#_#_upper", "bbands_#_#_middle", "bbands_#_#_lower", "bbands_#_#_pctb", "bbands_#_#_width"),
        (CLOSE,),
        ((20.0, 2.0),),
        lookback=lambda p: int(p[0]),
        whole=1,
    ),
)
