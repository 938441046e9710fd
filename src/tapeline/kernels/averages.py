"""Moving averages and what is built of them. Closing prices in, averages, slopes and macd out.

NaN: bars without a trade are not seen; the average carries over them. Warm-up: stated per kernel, in traded bars.
A percent of an average that is not positive is NaN.
"""

# ruff: noqa: ARG001 - all kernels share one signature, whatever they use of it
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np

from tapeline.kernels.catalogue import Kernel, register, span_settle
from tapeline.kernels.engine import CLOSE, FIELDS, TILE, carray
from tapeline.kernels.steps import ema_next, recall


def sma(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Arithmetic mean of the last ``window`` closes, summed anew for each bar, oldest first.

    Warm-up: ``window`` - 1 bars are NaN. Flat window: the price. Cost: O(window) a value.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (1, out_rows, TILE))
    window = int(params[0])
    for r in range(rows - out_rows, rows):
        mean = out[0, r - rows + out_rows]
        mean[:] = 0.0
        for k in range(max(r - window + 1, 0), r + 1):
            for j in range(TILE):
                mean[j] += bars[CLOSE, k, j]
        for j in range(TILE):
            mean[j] = mean[j] / window if r - first[j] >= window - 1 else math.nan


def ema(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Exponential average of the closes, factor 2 / (span + 1), seeded by the mean of the first ``span`` closes.

    State: bars seen, average (a sum while seeding). Warm-up: ``span`` - 1 bars are NaN. Flat: the price.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (2, TILE))
    out = carray(out, (1, out_rows, TILE))
    span = params[0]
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live = r >= fresh[j]
            average = ema_next(state[1, j], state[0, j], bars[CLOSE, r, j], span)
            state[1, j] = average if live else state[1, j]
            state[0, j] += 1.0 if live else 0.0
        if r >= skip:
            for j in range(TILE):
                out[0, r - skip, j] = state[1, j] if state[0, j] >= span else math.nan


def macd(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Difference of a fast and a slow ema, its own ema (signal) and the distance of both (hist).

    ``fast`` < ``slow``: given the other way round the line changes its sign, where TA-Lib would swap them.
    Seeds as in TA-Lib: the fast average's seed ends where the slow one's ends. State: bars seen, fast, slow, signal.
    Warm-up: the line appears after ``slow`` - 1 bars, signal and hist ``signal`` - 1 later (TA-Lib shows the line no
    sooner than the signal). Flat: 0, both agree.

    References
    ----------
    G. Appel, Technical Analysis: Power Tools for Active Investors (2005).
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (4, TILE))
    out = carray(out, (3, out_rows, TILE))
    fast, slow, span = params[0], params[1], params[2]
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live = r >= fresh[j]
            x, count = bars[CLOSE, r, j], state[0, j]
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


def wma(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Mean of the last ``window`` closes with weights 1, 2, ... ``window``, the newest counting most.

    Warm-up: ``window`` - 1 bars are NaN. Flat window: the price.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (1, out_rows, TILE))
    window = int(params[0])
    weights = window * (window + 1) / 2.0
    for r in range(rows - out_rows, rows):
        mean = out[0, r - rows + out_rows]
        mean[:] = 0.0
        oldest = r - window
        for k in range(max(oldest + 1, 0), r + 1):
            for j in range(TILE):
                mean[j] += (k - oldest) * bars[CLOSE, k, j]
        for j in range(TILE):
            mean[j] = mean[j] / weights if r - first[j] >= window - 1 else math.nan


def ema_chain(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Double and triple exponential averages, and trix: the percent change of the triple smoothed average.

    dema = 2 e1 - e2, tema = 3 e1 - 3 e2 + e3, trix = 100 (e3 / e3 before - 1), where e2 is the ema of e1, e3 of e2.
    State: bars seen, e1, e2, e3, e3 before. Warm-up in bars: dema 2 (span - 1), tema 3 (span - 1), trix one more.
    Flat: the price; trix 0.

    References
    ----------
    P. Mulloy, Smoothing Data with Faster Moving Averages, Stocks & Commodities 12:1 (1994).
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (5, TILE))
    out = carray(out, (3, out_rows, TILE))
    span = params[0]
    lag = span - 1.0
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live = r >= fresh[j]
            count, before = state[0, j], state[3, j]
            e1 = ema_next(state[1, j], count, bars[CLOSE, r, j], span)
            e2 = ema_next(state[2, j], count - lag, e1, span) if count >= lag else 0.0
            e3 = ema_next(before, count - 2.0 * lag, e2, span) if count >= 2.0 * lag else 0.0
            state[0, j] = count + 1.0 if live else count
            state[1, j] = e1 if live else state[1, j]
            state[2, j] = e2 if live else state[2, j]
            state[3, j] = e3 if live else before
            state[4, j] = before if live else state[4, j]
        if r >= skip:
            for j in range(TILE):
                seen, e1, e2, e3 = state[0, j], state[1, j], state[2, j], state[3, j]
                out[0, r - skip, j] = 2.0 * e1 - e2 if seen > 2.0 * lag else math.nan
                out[1, r - skip, j] = 3.0 * e1 - 3.0 * e2 + e3 if seen > 3.0 * lag else math.nan
                full = seen > 3.0 * lag + 1.0 and state[4, j] > 0.0
                out[2, r - skip, j] = 100.0 * (e3 - state[4, j]) / state[4, j] if full else math.nan


def kama(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Kaufman's adaptive average: fast where the price goes straight, slow where it goes to and fro.

    The factor is (er (2/3 - 2/31) + 2/31)^2, er = |change over the window| / sum of |changes| in it.
    State: bars seen, average, the last ``window`` closes. Warm-up: ``window`` bars are NaN. Flat: the price.

    References
    ----------
    P. Kaufman, Smarter Trading (1995), chapter 7.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    window = int(params[0])
    state = carray(state, (2 + window, TILE))
    out = carray(out, (1, out_rows, TILE))
    skip = rows - out_rows
    fast, slow = 2.0 / 3.0, 2.0 / 31.0
    past, moves = np.empty((window, TILE)), np.empty((window, TILE))  # rings: row r stands at r % window
    recall(state, 2, fresh, past)
    for at in range(window):
        moves[at] = np.abs(past[at] - past[at - 1])
    last, path = state[1 + window].copy(), np.empty(TILE)
    for r in range(start, rows):
        then, move = past[r % window], moves[r % window]
        for j in range(TILE):
            live, x = r >= fresh[j], bars[CLOSE, r, j]
            move[j] = abs(x - last[j]) if live else move[j]
            last[j] = x if live else last[j]
            path[j] = 0.0
        for k in range(r - window + 1, r + 1):
            for j in range(TILE):
                path[j] += moves[k % window, j]
        for j in range(TILE):
            live, x, seen = r >= fresh[j], last[j], state[0, j]
            net = x - then[j]
            straight = path[j] <= net or path[j] == 0.0
            factor = ((1.0 if straight else abs(net) / path[j]) * (fast - slow) + slow) ** 2
            average = state[1, j] + factor * (x - state[1, j]) if seen >= window else x
            state[1, j] = average if live else state[1, j]
            state[0, j] = seen + 1.0 if live else seen
            then[j] = x if live else then[j]
        if r >= skip:
            for j in range(TILE):
                out[0, r - skip, j] = state[1, j] if state[0, j] > window else math.nan
    for k in range(window):
        state[2 + k] = past[(rows + k) % window]


def sma_slope(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Slope of the sma in percent of itself a bar, over the last ``over`` bars.

    100 (sma now / sma ``over`` bars ago - 1) / over. Warm-up: ``window`` + ``over`` - 1 bars are NaN. Flat: 0.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (1, out_rows, TILE))
    window, over = int(params[0]), int(params[1])
    then = np.empty(TILE)
    for r in range(rows - out_rows, rows):
        now = out[0, r - rows + out_rows]
        now[:] = 0.0
        then[:] = 0.0
        for k in range(max(r - over - window + 1, 0), r + 1):
            for j in range(TILE):
                then[j] += bars[CLOSE, k, j] if k <= r - over else 0.0
                now[j] += bars[CLOSE, k, j] if k > r - window else 0.0
        for j in range(TILE):
            full = r - first[j] >= window + over - 1 and then[j] > 0.0
            now[j] = 100.0 * (now[j] / then[j] - 1.0) / over if full else math.nan


SPANS = ((5.0,), (10.0,), (12.0,), (20.0,), (26.0,), (50.0,), (100.0,), (200.0,))

register(
    Kernel(sma, ("sma_#",), (CLOSE,), SPANS, lookback=lambda p: int(p[0])),
    Kernel(ema, ("ema_#",), (CLOSE,), SPANS, memory=lambda _: "#$", settle=lambda p: span_settle(p[0])),
    Kernel(wma, ("wma_#",), (CLOSE,), ((20.0,),), lookback=lambda p: int(p[0])),
    Kernel(
        ema_chain,
        ("dema_#", "tema_#", "trix_#"),
        (CLOSE,),
        ((15.0,), (20.0,)),
        memory=lambda _: "#$$$$",
        settle=lambda p: 3.0 * span_settle(p[0]),
    ),
    Kernel(
        kama,
        ("kama_#",),
        (CLOSE,),
        ((10.0,),),
        memory=lambda p: "#$" + int(p[0]) * "$",
        settle=lambda _: 5_000.0,  # at its slowest the factor is (2/31)^2
    ),
    Kernel(sma_slope, ("sma_slope_#_#",), (CLOSE,), ((50.0, 5.0),), lookback=lambda p: int(p[0] + p[1])),
    Kernel(
        macd,
        ("macd_#_#_#", "macd_#_#_#_signal", "macd_#_#_#_hist"),
        (CLOSE,),
        ((12.0, 26.0, 9.0),),
        memory=lambda _: "#$$$",
        settle=lambda p: span_settle(max(p[:2])) + span_settle(p[2]),
    ),
)
