"""Momentum: rsi. Closing prices in, oscillators out.

NaN: bars without a trade are not seen. Flat windows give the middle of the scale: neither side leads.
"""

# ruff: noqa: ARG001 - all kernels share one signature, whatever they use of it
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

from numba import njit

from tapeline.kernels.catalogue import Kernel, recursive_settle, register
from tapeline.kernels.engine import CLOSE, FIELDS, NAN_SAFE, TILE, carray


@njit(fastmath=NAN_SAFE, error_model="numpy")
def wilder_next(average, count, x, window):
    """One step of Wilder's average: the mean of the first ``window`` values, then += (x - average) / window.

    ``count`` values came before; negative means that ``x`` does not count yet. While seeding, ``average`` is a sum.
    """
    scale = 1.0 / window
    grown = average + (x if count < window else (x - average) * scale)
    grown *= scale if count + 1.0 == window else 1.0
    return grown if count >= 0.0 else average


@njit(fastmath=NAN_SAFE, error_model="numpy")
def rsi_of(gain, loss):
    """Return 100 gain / (gain + loss), and 50 when there is neither."""
    both = gain + loss
    return 100.0 * gain / both if both > 0.0 else 50.0


def rsi(bars, first, fresh, params, state, out, start, rows, out_rows):
    """Wilder's relative strength index, in [0, 100].

    State: bars seen, previous close, average gain, average loss. Warm-up: the first ``window`` bars are NaN.
    Flat window (no gain, no loss): 50.

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems (1978), section "RSI".
    """
    bars = carray(bars, (rows, FIELDS, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (4, TILE))
    out = carray(out, (1, out_rows, TILE))
    window = params[0]
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live = r >= fresh[j]
            x, count = bars[r, CLOSE, j], state[0, j]
            change = x - state[1, j]
            gain = wilder_next(state[2, j], count - 1.0, max(change, 0.0), window)
            loss = wilder_next(state[3, j], count - 1.0, max(-change, 0.0), window)
            state[0, j] = count + 1.0 if live else count
            state[1, j] = x if live else state[1, j]
            state[2, j] = gain if live else state[2, j]
            state[3, j] = loss if live else state[3, j]
        if r >= skip:
            for j in range(TILE):
                value = rsi_of(state[2, j], state[3, j])
                out[0, r - skip, j] = value if state[0, j] > window else math.nan


register(
    Kernel(rsi, ("rsi_#",), (CLOSE,), ((14.0,),), state=lambda _: 4, settle=lambda p: recursive_settle(p[0])),
)
