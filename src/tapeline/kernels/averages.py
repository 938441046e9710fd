"""Moving averages and what is built of them: sma, ema, macd. Closing prices in, averages out.

NaN: bars without a trade are not seen; the average carries over them. Warm-up: stated per kernel, in traded bars.
"""

# ruff: noqa: ARG001 - all kernels share one signature, whatever they use of it
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

from numba import njit

from tapeline.kernels.catalogue import Kernel, register, span_settle
from tapeline.kernels.engine import CLOSE, FIELDS, NAN_SAFE, TILE, carray


@njit(fastmath=NAN_SAFE, error_model="numpy")
def ema_next(average, count, x, span):
    """One step: the average after ``x``, its seed being the mean of the first ``span`` values.

    While seeding, ``average`` is a sum. Written without branches so that it becomes vector instructions.
    """
    seeding = count < span
    average += x if seeding else (2.0 / (span + 1.0)) * (x - average)
    average *= 1.0 / span if count + 1.0 == span else 1.0
    return average


def sma(bars, first, fresh, params, state, out, start, rows, out_rows):
    """Arithmetic mean of the last ``window`` closes, summed anew for each bar, oldest first.

    Warm-up: ``window`` - 1 bars are NaN. Flat window: the price. Cost: O(window) a value.
    """
    bars = carray(bars, (rows, FIELDS, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (1, out_rows, TILE))
    window = int(params[0])
    for r in range(rows - out_rows, rows):
        mean = out[0, r - rows + out_rows]
        mean[:] = 0.0
        for k in range(max(r - window + 1, 0), r + 1):
            for j in range(TILE):
                mean[j] += bars[k, CLOSE, j]
        for j in range(TILE):
            mean[j] = mean[j] / window if r - first[j] >= window - 1 else math.nan


def ema(bars, first, fresh, params, state, out, start, rows, out_rows):
    """Exponential average of the closes, factor 2 / (span + 1), seeded by the mean of the first ``span`` closes.

    State: bars seen, average (a sum while seeding). Warm-up: ``span`` - 1 bars are NaN. Flat: the price.
    """
    bars = carray(bars, (rows, FIELDS, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (2, TILE))
    out = carray(out, (1, out_rows, TILE))
    span = params[0]
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live = r >= fresh[j]
            average = ema_next(state[1, j], state[0, j], bars[r, CLOSE, j], span)
            state[1, j] = average if live else state[1, j]
            state[0, j] += 1.0 if live else 0.0
        if r >= skip:
            for j in range(TILE):
                out[0, r - skip, j] = state[1, j] if state[0, j] >= span else math.nan


def macd(bars, first, fresh, params, state, out, start, rows, out_rows):
    """Difference of a fast and a slow ema, its own ema (signal) and the distance of both (hist).

    Seeds as in TA-Lib: the fast average's seed ends where the slow one's ends. State: bars seen, fast, slow, signal.
    Warm-up: the line appears after ``slow`` - 1 bars, signal and hist ``signal`` - 1 later. Flat: 0, both agree.

    References
    ----------
    G. Appel, Technical Analysis: Power Tools for Active Investors (2005).
    """
    bars = carray(bars, (rows, FIELDS, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (4, TILE))
    out = carray(out, (3, out_rows, TILE))
    fast, slow, span = params[0], params[1], params[2]
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live = r >= fresh[j]
            x, count = bars[r, CLOSE, j], state[0, j]
            quick = ema_next(state[1, j], count - (slow - fast), x, fast) if count >= slow - fast else 0.0
            late = ema_next(state[2, j], count, x, slow)
            signal = ema_next(state[3, j], count - (slow - 1.0), quick - late, span) if count >= slow - 1.0 else 0.0
            state[0, j] = count + 1.0 if live else count
            state[1, j] = quick if live else state[1, j]
            state[2, j] = late if live else state[2, j]
            state[3, j] = signal if live else state[3, j]
        if r >= skip:
            for j in range(TILE):
                line = state[1, j] - state[2, j] if state[0, j] >= slow else math.nan
                signal = state[3, j] if state[0, j] >= slow + span - 1.0 else math.nan
                out[0, r - skip, j] = line
                out[1, r - skip, j] = signal
                out[2, r - skip, j] = line - signal


SPANS = ((5.0,), (10.0,), (12.0,), (20.0,), (26.0,), (50.0,), (100.0,), (200.0,))

register(
    Kernel(sma, ("sma_#",), (CLOSE,), SPANS, lookback=lambda p: int(p[0])),
    Kernel(ema, ("ema_#",), (CLOSE,), SPANS, state=lambda _: 2, settle=lambda p: span_settle(p[0])),
    Kernel(
        macd,
        ("macd_#_#_#", "macd_#_#_#_signal", "macd_#_#_#_hist"),
        (CLOSE,),
        ((12.0, 26.0, 9.0),),
        state=lambda _: 4,
        settle=lambda p: span_settle(max(p[:2])) + span_settle(p[2]),
    ),
)
