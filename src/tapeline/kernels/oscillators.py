"""Oscillators of a window: stochastic, williams %r, cci, ultimate oscillator, aroon. Prices in, positions out.

NaN: bars without a trade are not seen. Flat windows give the middle of the scale: 50, -50 or 0.
"""

# ruff: noqa: ARG001 - all kernels share one signature, whatever they use of it
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from tapeline.kernels.catalogue import Kernel, register
from tapeline.kernels.engine import CLOSE, FIELDS, HIGH, LOW, NAN_SAFE, TILE, carray


@njit(fastmath=NAN_SAFE, error_model="numpy")
def extremes(bars, r, window, low, high):
    """Write the lowest low and the highest high of the ``window`` rows up to ``r``."""
    low[:] = bars[LOW, r]
    high[:] = bars[HIGH, r]
    for k in range(max(r - window + 1, 0), r):
        for j in range(TILE):
            low[j] = min(low[j], bars[LOW, k, j])
            high[j] = max(high[j], bars[HIGH, k, j])


def stoch(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Lane's slow stochastic in [0, 100]: k is the mean of ``slow`` raw values, d the mean of ``smooth`` values of k.

    Raw: where the close stands between the lowest low and highest high of ``window`` bars; flat window: 50.
    Warm-up in bars: k ``window`` + ``slow`` - 2, d ``smooth`` - 1 more.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (2, out_rows, TILE))
    window, slow, smooth = int(params[0]), int(params[1]), int(params[2])
    skip, margin = rows - out_rows, slow + smooth - 2
    raw = np.empty((out_rows + margin, TILE))
    low, high = np.empty(TILE), np.empty(TILE)
    for i in range(out_rows + margin):
        r = skip - margin + i
        if r < 0:
            raw[i] = math.nan
            continue
        extremes(bars, r, window, low, high)
        for j in range(TILE):
            reach = high[j] - low[j]
            stand = 100.0 * (bars[CLOSE, r, j] - low[j]) / reach if reach > 0.0 else 50.0
            raw[i, j] = stand if r - first[j] >= window - 1 else math.nan
    for i in range(out_rows):
        out[:, i] = 0.0
        for back in range(smooth - 1, -1, -1):
            for j in range(TILE):
                k = 0.0
                for older in range(slow - 1, -1, -1):
                    k += raw[i + margin - back - older, j]
                out[0, i, j] = k / slow
                out[1, i, j] += k / slow
        for j in range(TILE):
            out[1, i, j] /= smooth


def willr(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Williams' %R in [-100, 0]: how far the close stands below the highest high, in percent of the range.

    Warm-up: ``window`` - 1 bars are NaN. Flat window: -50.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (1, out_rows, TILE))
    window = int(params[0])
    low, high = np.empty(TILE), np.empty(TILE)
    for r in range(rows - out_rows, rows):
        extremes(bars, r, window, low, high)
        for j in range(TILE):
            reach = high[j] - low[j]
            value = -100.0 * (high[j] - bars[CLOSE, r, j]) / reach if reach > 0.0 else -50.0
            out[0, r - rows + out_rows, j] = value if r - first[j] >= window - 1 else math.nan


def aroon(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """How recent the highest high (up) and lowest low (down) of ``window`` + 1 bars are, in [0, 100]; osc = up - down.

    Warm-up: ``window`` bars are NaN. Flat window: both are the newest bar, 100 each, osc 0.

    References
    ----------
    T. Chande, A Time Price Oscillator, Stocks & Commodities 13:9 (1995).
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (3, out_rows, TILE))
    window = int(params[0])
    low, high = np.empty(TILE), np.empty(TILE)
    for r in range(rows - out_rows, rows):
        up, down, osc = out[:, r - rows + out_rows]
        oldest = max(r - window, 0)
        low[:] = bars[LOW, oldest]
        high[:] = bars[HIGH, oldest]
        up[:] = 0.0
        down[:] = 0.0
        for k in range(oldest + 1, r + 1):
            recent = 100.0 * (k - oldest) / window
            for j in range(TILE):
                top, bottom, rose, fell = bars[HIGH, k, j], bars[LOW, k, j], up[j], down[j]
                up[j] = recent if top >= high[j] else rose
                down[j] = recent if bottom <= low[j] else fell
                high[j] = max(high[j], top)
                low[j] = min(low[j], bottom)
        for j in range(TILE):
            full = r - first[j] >= window
            osc[j] = up[j] - down[j] if full else math.nan
            up[j] = up[j] if full else math.nan
            down[j] = down[j] if full else math.nan


def cci(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Commodity channel index: (typical price - its mean) / (0.015 mean deviation). Warm-up ``window`` - 1. Flat: 0.

    References
    ----------
    D. Lambert, Commodity Channel Index, Commodities 9:10 (1980).
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (1, out_rows, TILE))
    window = int(params[0])
    mean, typical = np.empty(TILE), np.empty((window, TILE))
    for r in range(max(rows - out_rows, 0), rows):
        value = out[0, r - rows + out_rows]
        mean[:] = 0.0
        value[:] = 0.0
        oldest = r - window + 1
        for k in range(max(oldest, 0), r + 1):
            for j in range(TILE):
                typical[k - oldest, j] = (bars[HIGH, k, j] + bars[LOW, k, j] + bars[CLOSE, k, j]) / 3.0
                mean[j] += typical[k - oldest, j] / window
        for k in range(max(oldest, 0), r + 1):
            for j in range(TILE):
                value[j] += abs(typical[k - oldest, j] - mean[j]) / window
        for j in range(TILE):
            away, spread = typical[window - 1, j] - mean[j], value[j]
            flat = spread <= 1e-14 * abs(mean[j])
            index = 0.0 if flat else away / (0.015 * spread)
            value[j] = index if r - first[j] >= window - 1 else math.nan


def ultosc(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Williams' ultimate oscillator in [0, 100]: buying pressure over true range for three windows, weighted 4, 2, 1.

    Warm-up: the longest window's bars are NaN. No range in a window: that window counts 50.

    References
    ----------
    L. Williams, The Ultimate Oscillator, Stocks & Commodities 3:4 (1985).
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (1, out_rows, TILE))
    windows = np.sort(np.array([int(params[0]), int(params[1]), int(params[2])]))
    pressure, reach = np.empty(TILE), np.empty(TILE)
    for r in range(rows - out_rows, rows):
        value = out[0, r - rows + out_rows]
        value[:] = 0.0
        pressure[:] = 0.0
        reach[:] = 0.0
        back = 0
        for i in range(3):
            while back < windows[i]:
                k = max(r - back, 1)
                for j in range(TILE):
                    bottom = min(bars[LOW, k, j], bars[CLOSE, k - 1, j])
                    pressure[j] += bars[CLOSE, k, j] - bottom
                    reach[j] += max(bars[HIGH, k, j], bars[CLOSE, k - 1, j]) - bottom
                back += 1
            weight = 400.0 / 7.0 if i == 0 else (200.0 / 7.0 if i == 1 else 100.0 / 7.0)
            for j in range(TILE):
                value[j] += weight * (pressure[j] / reach[j] if reach[j] > 0.0 else 0.5)
        for j in range(TILE):
            value[j] = value[j] if r - first[j] >= windows[2] else math.nan


_HLC = (HIGH, LOW, CLOSE)

register(
    Kernel(
        stoch,
        ("stoch_#_#_#_k", "stoch_#_#_#_d"),
        _HLC,
        ((14.0, 3.0, 3.0),),
        lookback=lambda p: int(sum(p)) - 2,
        least=1,
    ),
    Kernel(willr, ("willr_#",), _HLC, ((14.0,),), lookback=lambda p: int(p[0])),
    Kernel(
        aroon,
        ("aroon_#_up", "aroon_#_down", "aroon_#_osc"),
        (HIGH, LOW),
        ((14.0,),),
        lookback=lambda p: int(p[0]) + 1,
    ),
    Kernel(cci, ("cci_#",), _HLC, ((20.0,),), lookback=lambda p: int(p[0])),
    Kernel(ultosc, ("ultosc_#_#_#",), _HLC, ((7.0, 14.0, 28.0),), lookback=lambda p: int(max(p)) + 1, least=1),
)
