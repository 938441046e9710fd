"""Momentum of closing prices: rsi, stochastic rsi, rate of change. Closing prices in, oscillators out.

NaN: bars without a trade are not seen. Flat windows give the middle of the scale: neither side leads.
"""

# ruff: noqa: ARG001 - all kernels share one signature, whatever they use of it
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np
from numba import njit

from tapeline.kernels.catalogue import Kernel, recursive_settle, register
from tapeline.kernels.engine import CLOSE, FIELDS, NAN_SAFE, TILE, carray
from tapeline.kernels.steps import recall, wilder_next


@njit(fastmath=NAN_SAFE, error_model="numpy")
def rsi_of(gain, loss):
    """Return 100 gain / (gain + loss), and 50 when there is neither."""
    both = gain + loss
    return 100.0 * gain / both if both > 0.0 else 50.0


@njit(fastmath=NAN_SAFE, error_model="numpy")
def stand_between(ring, row, window, low, high, out):
    """Write where ``row`` of a ring stands between the lowest and highest of the ``window`` rows up to it, 0 to 100."""
    size = len(ring)
    low[:] = ring[row % size]
    high[:] = low
    for k in range(row - window + 1, row):
        older = ring[k % size]
        for j in range(TILE):
            low[j] = min(low[j], older[j])
            high[j] = max(high[j], older[j])
    for j in range(TILE):
        reach = high[j] - low[j]
        out[j] = 100.0 * (ring[row % size, j] - low[j]) / reach if reach > 0.0 else 50.0


@njit(fastmath=NAN_SAFE, error_model="numpy")
def rsi_step(close, fresh, r, state, window):
    """Fold row ``r`` of closes into the rsi's state: bars seen, previous close, average gain, average loss."""
    for j in range(TILE):
        live = r >= fresh[j]
        x, count = close[j], state[0, j]
        change = x - state[1, j]
        gain = wilder_next(state[2, j], count - 1.0, max(change, 0.0), window)
        loss = wilder_next(state[3, j], count - 1.0, max(-change, 0.0), window)
        state[0, j] = count + 1.0 if live else count
        state[1, j] = x if live else state[1, j]
        state[2, j] = gain if live else state[2, j]
        state[3, j] = loss if live else state[3, j]


def rsi(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Wilder's relative strength index, in [0, 100].

    State: bars seen, previous close, average gain, average loss. Warm-up: the first ``window`` bars are NaN.
    Flat window (no gain, no loss): 50.

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems (1978), section "RSI".
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (4, TILE))
    out = carray(out, (1, out_rows, TILE))
    skip = rows - out_rows
    for r in range(start, rows):
        rsi_step(bars[CLOSE, r], fresh, r, state, params[0])
        if r >= skip:
            for j in range(TILE):
                value = rsi_of(state[2, j], state[3, j])
                out[0, r - skip, j] = value if state[0, j] > params[0] else math.nan


def stochrsi(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Where the rsi stands between its own lowest and highest of ``window`` bars (k), in [0, 100], and k's mean (d).

    State: the rsi's four rows, then the last ``window`` + ``smooth`` - 1 values of the rsi. Warm-up in bars:
    k ``length`` + ``window`` - 1, d ``smooth`` - 1 more. Flat rsi: 50.

    References
    ----------
    T. Chande and S. Kroll, The New Technical Trader (1994), chapter 8.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    length, window, smooth = params[0], int(params[1]), int(params[2])
    memory = window + smooth - 1
    state = carray(state, (4 + memory, TILE))
    out = carray(out, (2, out_rows, TILE))
    skip = rows - out_rows
    low, high = np.empty(TILE), np.empty(TILE)
    past = np.empty((memory, TILE))  # a ring: the rsi of row r stands at r % memory
    recall(state, 4, fresh, past)
    for r in range(start, rows):
        rsi_step(bars[CLOSE, r], fresh, r, state, length)
        now = past[r % memory]
        for j in range(TILE):
            value = rsi_of(state[2, j], state[3, j])
            now[j] = value if r >= fresh[j] else now[j]
        if r >= skip:
            fast, mean = out[0, r - skip], out[1, r - skip]
            mean[:] = 0.0
            for back in range(smooth - 1, -1, -1):
                stand_between(past, r - back, window, low, high, fast)
                for j in range(TILE):
                    mean[j] += fast[j]
            for j in range(TILE):
                fast[j] = fast[j] if state[0, j] >= length + window else math.nan
                mean[j] = mean[j] / smooth if state[0, j] >= length + window + smooth - 1 else math.nan
    for k in range(memory):
        state[4 + k] = past[(rows + k) % memory]


def change(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Rate of change in percent (roc) and momentum in price units (mom) over ``window`` bars.

    Warm-up: ``window`` bars are NaN. Flat: 0. roc from a price <= 0: NaN.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (2, out_rows, TILE))
    window = int(params[0])
    skip = rows - out_rows
    for r in range(skip, rows):
        for j in range(TILE):
            full = r - first[j] >= window
            then = bars[CLOSE, max(r - window, 0), j]
            out[0, r - skip, j] = 100.0 * (bars[CLOSE, r, j] / then - 1.0) if full and then > 0.0 else math.nan
            out[1, r - skip, j] = bars[CLOSE, r, j] - then if full else math.nan


register(
    Kernel(rsi, ("rsi_#",), (CLOSE,), ((14.0,),), memory=lambda _: "#$$$", settle=lambda p: recursive_settle(p[0])),
    Kernel(
        stochrsi,
        ("stochrsi_#_#_#_k", "stochrsi_#_#_#_d"),
        (CLOSE,),
        ((14.0, 14.0, 3.0),),
        memory=lambda p: "#$$$" + (int(p[1] + p[2]) - 1) * "#",
        settle=lambda p: recursive_settle(p[0]) + p[1] + p[2],
    ),
    Kernel(change, ("roc_#", "mom_#"), (CLOSE,), ((10.0,),), lookback=lambda p: int(p[0]) + 1, least=1),
)
