"""Trend: adx with its directional indicators, parabolic sar, supertrend. Prices in, strength and stops out.

NaN: bars without a trade are not seen; states carry over them. Flat windows: no direction, 0.
"""

# ruff: noqa: ARG001 - all kernels share one signature, whatever they use of it
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

from tapeline.kernels.catalogue import Kernel, recursive_settle, register
from tapeline.kernels.engine import CLOSE, FIELDS, HIGH, LOW, TILE, carray
from tapeline.kernels.steps import true_range, wilder_next


def adx(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Wilder's directional movement: trend strength adx and the indicators +di, -di, all in [0, 100].

    State: bars seen, previous high, low, close, smoothed +dm, -dm, true range, adx (a sum while seeding).
    Seeds as in TA-Lib: sums of ``window`` - 1 changes, then s += x - s / window. Warm-up: the indicators ``window``
    bars, adx 2 ``window`` - 1. No range: +di = -di = 0; no movement leaves the adx as it is.

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems (1978), section "Directional Movement".
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (8, TILE))
    out = carray(out, (3, out_rows, TILE))
    window = params[0]
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live, seen = r >= fresh[j], state[0, j]  # ``seen`` is also the number of this change
            high, low, x = bars[HIGH, r, j], bars[LOW, r, j], bars[CLOSE, r, j]
            rise, fall = high - state[1, j], state[2, j] - low
            reach = true_range(high, low, state[3, j])
            decay = 1.0 / window if seen >= window else 0.0
            counts = 1.0 if seen >= 1.0 else 0.0
            plus = state[4, j] - state[4, j] * decay + (rise if rise > fall and rise > 0.0 else 0.0) * counts
            minus = state[5, j] - state[5, j] * decay + (fall if fall > rise and fall > 0.0 else 0.0) * counts
            reach = state[6, j] - state[6, j] * decay + reach * counts
            both = plus + minus
            still = state[7, j] if seen >= 2.0 * window else 0.0
            dx = 100.0 * abs(plus - minus) / both if both > 0.0 else still
            strength = wilder_next(state[7, j], seen - window, dx, window)
            state[0, j] = seen + 1.0 if live else seen
            state[1, j] = high if live else state[1, j]
            state[2, j] = low if live else state[2, j]
            state[3, j] = x if live else state[3, j]
            state[4, j] = plus if live else state[4, j]
            state[5, j] = minus if live else state[5, j]
            state[6, j] = reach if live else state[6, j]
            state[7, j] = strength if live else state[7, j]
        if r >= skip:
            for j in range(TILE):
                reach = state[6, j] if state[6, j] > 0.0 else 1.0
                full = state[0, j] > window
                out[0, r - skip, j] = state[7, j] if state[0, j] >= 2.0 * window else math.nan
                out[1, r - skip, j] = 100.0 * state[4, j] / reach if full else math.nan
                out[2, r - skip, j] = 100.0 * state[5, j] / reach if full else math.nan


def sar(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Wilder's parabolic stop and reverse, in price units: below a rising market, above a falling one.

    A falling market is folded as a rising one mirrored at 0, so both directions are one formula.
    State: bars seen, side (1 or -1), next stop, extreme, acceleration, previous high, low, the stop of the newest bar.
    Starts falling when the second bar moved down more than up. Warm-up: 1 bar is NaN. Flat: the price.

    References
    ----------
    J. W. Wilder, New Concepts in Technical Trading Systems (1978), section "Parabolic Time/Price System".
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (8, TILE))
    out = carray(out, (1, out_rows, TILE))
    most = params[1]
    step = min(params[0], most)
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live, seen = r >= fresh[j], state[0, j]
            high, low = bars[HIGH, r, j], bars[LOW, r, j]
            falls = state[6, j] - low > 0.0 and high - state[5, j] < state[6, j] - low
            second = seen == 1.0
            side = (-1.0 if falls else 1.0) if second else state[1, j]
            up = side > 0.0
            top, bottom = (high if up else -low), (low if up else -high)
            top_before = top if second else (state[5, j] if up else -state[6, j])
            bottom_before = bottom if second else (state[6, j] if up else -state[5, j])
            stop = (state[6, j] if up else -state[5, j]) if second else side * state[2, j]
            extreme = top if second else side * state[3, j]
            speed = step if second else state[4, j]
            flip = bottom <= stop
            # reversed: the stop jumps to the extreme, never inside the last two bars, and the extreme starts anew
            turned = max(extreme, top_before, top)
            after_turn = max(turned + step * (bottom - turned), top_before, top)
            # held: a new extreme speeds the stop up, which never enters the last two bars
            faster = min(speed + step, most) if top > extreme else speed
            reached = max(extreme, top)
            after_hold = min(stop + faster * (reached - stop), bottom_before, bottom)
            state[0, j] = seen + 1.0 if live else seen
            state[1, j] = (-side if flip else side) if live else state[1, j]
            state[2, j] = side * (after_turn if flip else after_hold) if live else state[2, j]
            state[3, j] = side * (bottom if flip else reached) if live else state[3, j]
            state[4, j] = (step if flip else faster) if live else state[4, j]
            state[5, j] = high if live else state[5, j]
            state[6, j] = low if live else state[6, j]
            state[7, j] = side * (turned if flip else stop) if live else state[7, j]
        if r >= skip:
            for j in range(TILE):
                out[0, r - skip, j] = state[7, j] if state[0, j] >= 2.0 else math.nan


def supertrend(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """A trailing stop ``width`` average true ranges from the middle of the bar, and its side (1 below, -1 above).

    The stop only tightens until a close crosses it. State: bars seen, previous close, atr, upper, lower stop, side.
    Warm-up: the first ``window`` bars are NaN. Flat: the price, side 1.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (6, TILE))
    out = carray(out, (2, out_rows, TILE))
    window, width = params[0], params[1]
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live, seen, before = r >= fresh[j], state[0, j], state[1, j]
            high, low, x = bars[HIGH, r, j], bars[LOW, r, j], bars[CLOSE, r, j]
            reach = wilder_next(state[2, j], seen - 1.0, true_range(high, low, before), window)
            middle, begins = 0.5 * (high + low), seen <= window
            upper, lower = middle + width * reach, middle - width * reach
            upper = upper if begins or before > state[3, j] else min(upper, state[3, j])
            lower = lower if begins or before < state[4, j] else max(lower, state[4, j])
            side = 1.0 if begins else state[5, j]
            side = 1.0 if x > upper else (-1.0 if x < lower else side)
            state[0, j] = seen + 1.0 if live else seen
            state[1, j] = x if live else before
            state[2, j] = reach if live else state[2, j]
            state[3, j] = upper if live else state[3, j]
            state[4, j] = lower if live else state[4, j]
            state[5, j] = side if live else state[5, j]
        if r >= skip:
            for j in range(TILE):
                full = state[0, j] > window
                stop = state[4, j] if state[5, j] > 0.0 else state[3, j]
                out[0, r - skip, j] = stop if full else math.nan
                out[1, r - skip, j] = state[5, j] if full else math.nan


_HLC = (HIGH, LOW, CLOSE)

register(
    Kernel(
        adx,
        ("adx_#", "plus_di_#", "minus_di_#"),
        _HLC,
        ((14.0,),),
        memory=lambda _: "#$$$$$$#",
        settle=lambda p: 2.0 * recursive_settle(p[0]),
    ),
    Kernel(
        sar,
        ("sar_#_#",),
        (HIGH, LOW),
        ((0.02, 0.2),),
        memory=lambda _: "##$$#$$$",
        settle=lambda _: math.inf,  # the stop depends on every bar since the last reversal, however long ago
        whole=0,
    ),
    Kernel(
        supertrend,
        ("supertrend_#_#", "supertrend_#_#_side"),
        _HLC,
        ((10.0, 3.0),),
        memory=lambda _: "#$$$$#",
        settle=lambda _: math.inf,
        whole=1,
    ),
)
