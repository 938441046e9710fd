"""Volatility: ranges, bands, channels and realised volatility. Prices in; widths and volatilities out.

NaN: bars without a trade are not seen. Flat windows: ranges and widths are 0, positions are the middle.
What is measured in percent or fractions of a price is NaN where that price is not positive.
"""

# ruff: noqa: ARG001 - all kernels share one signature, whatever they use of it
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np

from tapeline.kernels.catalogue import Kernel, recursive_settle, register, span_settle
from tapeline.kernels.engine import CLOSE, FIELDS, HIGH, LOW, OPEN, TILE, carray
from tapeline.kernels.steps import ema_next, true_range, wilder_next


def atr(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Wilder's average true range in price units, in percent of the close (natr), and before this bar (before).

    A range that contains today cannot measure today: ``before`` is what a bar is compared with.
    State: bars seen, previous close, average (a sum while seeding). Warm-up: the first ``window`` bars are NaN.
    Flat window: 0.

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems (1978), section "Volatility".
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (3, TILE))
    out = carray(out, (3, out_rows, TILE))
    window = params[0]
    scale = 1.0 / window
    skip = rows - out_rows
    for r in range(start, rows):
        if r >= skip:
            for j in range(TILE):
                out[2, r - skip, j] = state[2, j] if state[0, j] > window else math.nan
        for j in range(TILE):
            live = r >= fresh[j]
            seen, average, x = state[0, j] - 1.0, state[2, j], bars[CLOSE, r, j]
            reach = true_range(bars[HIGH, r, j], bars[LOW, r, j], state[1, j])
            grown = average + (reach if seen < window else (reach - average) * scale)
            grown *= scale if seen + 1.0 == window else 1.0
            state[0, j] += 1.0 if live else 0.0
            state[1, j] = x if live else state[1, j]
            state[2, j] = grown if live and seen >= 0.0 else average
        if r >= skip:
            for j in range(TILE):
                average = state[2, j] if state[0, j] > window else math.nan
                out[0, r - skip, j] = average
                out[1, r - skip, j] = 100.0 * average / state[1, j] if state[1, j] > 0.0 else math.nan


def bbands(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Bollinger's bands: mean of ``window`` closes +- ``deviations`` standard deviations (of the population).

    Outputs: upper, middle, lower; pctb = (close - lower) / (upper - lower); width = (upper - lower) / middle.
    Warm-up: ``window`` - 1 bars are NaN. Flat window: the three bands agree, pctb 0.5, width 0.

    References
    ----------
    J. Bollinger, Bollinger on Bollinger Bands (2001), chapter 7.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (5, out_rows, TILE))
    window, deviations = int(params[0]), params[1]
    for r in range(rows - out_rows, rows):
        upper, mean, lower, pctb, width = out[:, r - rows + out_rows]
        mean[:] = 0.0
        lower[:] = 0.0
        for k in range(max(r - window + 1, 0), r + 1):
            for j in range(TILE):
                mean[j] += bars[CLOSE, k, j]
        for j in range(TILE):
            mean[j] = mean[j] / window if r - first[j] >= window - 1 else math.nan
        for k in range(max(r - window + 1, 0), r + 1):
            for j in range(TILE):
                lower[j] += (bars[CLOSE, k, j] - mean[j]) ** 2
        for j in range(TILE):
            reach = deviations * math.sqrt(lower[j] / window)
            flat = reach <= 1e-14 * abs(mean[j])
            upper[j] = mean[j] + reach
            lower[j] = mean[j] - reach
            pctb[j] = 0.5 if flat else (bars[CLOSE, r, j] - lower[j]) / (2.0 * reach)
            width[j] = 2.0 * reach / mean[j] if mean[j] > 0.0 else math.nan


def trange(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """True range in price units: the bar's range, stretched to the close before it. Warm-up: 1 bar. Flat: 0."""
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (1, out_rows, TILE))
    skip = rows - out_rows
    for r in range(skip, rows):
        for j in range(TILE):
            reach = true_range(bars[HIGH, r, j], bars[LOW, r, j], bars[CLOSE, max(r - 1, 0), j])
            out[0, r - skip, j] = reach if r > first[j] else math.nan


def keltner(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Keltner's channel: the ema of the close +- ``width`` average true ranges, in price units.

    Outputs: upper, middle, lower. State: bars seen, previous close, ema, atr. Warm-up: until both averages stand,
    ``span`` - 1 or ``window`` bars. Flat: all three are the price.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (4, TILE))
    out = carray(out, (3, out_rows, TILE))
    span, window, width = params[0], params[1], params[2]
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live, seen, x = r >= fresh[j], state[0, j], bars[CLOSE, r, j]
            reach = true_range(bars[HIGH, r, j], bars[LOW, r, j], state[1, j])
            average = ema_next(state[2, j], seen, x, span)
            reach = wilder_next(state[3, j], seen - 1.0, reach, window)
            state[0, j] = seen + 1.0 if live else seen
            state[1, j] = x if live else state[1, j]
            state[2, j] = average if live else state[2, j]
            state[3, j] = reach if live else state[3, j]
        if r >= skip:
            for j in range(TILE):
                full = state[0, j] >= span and state[0, j] > window
                middle = state[2, j] if full else math.nan
                out[0, r - skip, j] = middle + width * state[3, j]
                out[1, r - skip, j] = middle
                out[2, r - skip, j] = middle - width * state[3, j]


def donchian(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Donchian's channel: the highest high, the lowest low of ``window`` bars, this one included, and their middle.

    Warm-up: ``window`` - 1 bars are NaN. Flat: the price.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (3, out_rows, TILE))
    window = int(params[0])
    for r in range(rows - out_rows, rows):
        upper, middle, lower = out[:, r - rows + out_rows]
        upper[:] = bars[HIGH, r]
        lower[:] = bars[LOW, r]
        for k in range(max(r - window + 1, 0), r):
            for j in range(TILE):
                upper[j] = max(upper[j], bars[HIGH, k, j])
                lower[j] = min(lower[j], bars[LOW, k, j])
        for j in range(TILE):
            full = r - first[j] >= window - 1
            upper[j] = upper[j] if full else math.nan
            lower[j] = lower[j] if full else math.nan
            middle[j] = 0.5 * (upper[j] + lower[j])


def realized_vol(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Standard deviation of ``window`` log returns of the close, a fraction a bar (not annualised), sample form.

    Warm-up: ``window`` bars are NaN. Flat: 0. Prices <= 0: NaN.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (1, out_rows, TILE))
    window = int(params[0])
    change = np.empty((window, TILE))
    for r in range(rows - out_rows, rows):
        oldest = r - window + 1
        for j in range(TILE):
            mean, spread = 0.0, 0.0
            for k in range(max(oldest, 1), r + 1):
                before = bars[CLOSE, k - 1, j]
                change[k - oldest, j] = math.log(bars[CLOSE, k, j] / before) if before > 0.0 else math.nan
                mean += change[k - oldest, j] / window
            for k in range(max(oldest, 1), r + 1):
                spread += (change[k - oldest, j] - mean) ** 2
            value = math.sqrt(spread / (window - 1.0))
            out[0, r - rows + out_rows, j] = value if r - first[j] >= window else math.nan


def range_vol(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Volatility from the bars' ranges, a fraction a bar (not annualised): Parkinson and Garman-Klass.

    Warm-up: ``window`` - 1 bars are NaN. Flat: 0. Prices <= 0: NaN.

    References
    ----------
    M. Parkinson, Journal of Business 53 (1980); M. Garman and M. Klass, Journal of Business 53 (1980), estimator 6.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (2, out_rows, TILE))
    window = int(params[0])
    skip = rows - out_rows
    for r in range(skip, rows):
        for j in range(TILE):
            parkinson, garman_klass = 0.0, 0.0
            for k in range(max(r - window + 1, 0), r + 1):
                priced = min(bars[LOW, k, j], bars[OPEN, k, j], bars[CLOSE, k, j]) > 0.0
                reach = math.log(bars[HIGH, k, j] / bars[LOW, k, j]) ** 2 if priced else math.nan
                body = math.log(bars[CLOSE, k, j] / bars[OPEN, k, j]) ** 2
                parkinson += reach / (4.0 * math.log(2.0))
                garman_klass += 0.5 * reach - (2.0 * math.log(2.0) - 1.0) * body
            full = r - first[j] >= window - 1
            out[0, r - skip, j] = math.sqrt(parkinson / window) if full else math.nan
            garman_klass = 0.0 if garman_klass < 0.0 else garman_klass
            out[1, r - skip, j] = math.sqrt(garman_klass / window) if full else math.nan


_HLC = (HIGH, LOW, CLOSE)

register(
    Kernel(
        atr,
        ("atr_#", "natr_#", "atr_#_before"),
        _HLC,
        ((14.0,),),
        memory=lambda _: "#$$",
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
    Kernel(trange, ("trange",), _HLC, lookback=lambda _: 2),
    Kernel(
        keltner,
        ("keltner_#_#_#_upper", "keltner_#_#_#_middle", "keltner_#_#_#_lower"),
        _HLC,
        ((20.0, 10.0, 2.0),),
        memory=lambda _: "#$$$",
        settle=lambda p: max(span_settle(p[0]), recursive_settle(p[1])),
        whole=2,
    ),
    Kernel(
        donchian,
        ("donchian_#_upper", "donchian_#_middle", "donchian_#_lower"),
        (HIGH, LOW),
        ((20.0,),),
        lookback=lambda p: int(p[0]),
    ),
    Kernel(realized_vol, ("realized_vol_#",), (CLOSE,), ((20.0,),), lookback=lambda p: int(p[0]) + 1),
    Kernel(
        range_vol,
        ("parkinson_vol_#", "garman_klass_vol_#"),
        (OPEN, *_HLC),
        ((20.0,),),
        lookback=lambda p: int(p[0]),
    ),
)
