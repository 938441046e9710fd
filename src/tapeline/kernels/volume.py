"""Volume: obv, ad, mfi, cmf, session vwap, relative volume, dollar volume. Bars in; shares, dollars and ratios out.

NaN: bars without a trade are not seen. A traded bar of unknown volume yields NaN; running sums carry over it, windows
that hold it are NaN.
"""

# ruff: noqa: ARG001 - all kernels share one signature, whatever they use of it
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np

from tapeline.kernels.catalogue import Kernel, register
from tapeline.kernels.engine import CLOSE, FIELDS, HIGH, LOW, SESSION, TILE, VOLUME, VWAP, carray

SAME_PRICE = 1e-12
"""Typical prices this close, relative to themselves, are equal: cents added in another order differ by a last bit."""


def obv(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """On-balance volume in shares: volume added on a rise, taken off on a fall, begun with the first bar's volume.

    State: bars seen, previous close, sum. No warm-up. Flat: stands still.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (3, TILE))
    out = carray(out, (1, out_rows, TILE))
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live, x, volume = r >= fresh[j], bars[CLOSE, r, j], bars[VOLUME, r, j]
            sign = 1.0 if x > state[1, j] or state[0, j] == 0.0 else (-1.0 if x < state[1, j] else 0.0)
            state[2, j] += sign * volume if live and volume == volume else 0.0
            state[1, j] = x if live else state[1, j]
            state[0, j] += 1.0 if live else 0.0
        if r >= skip:
            for j in range(TILE):
                out[0, r - skip, j] = state[2, j] if bars[VOLUME, r, j] == bars[VOLUME, r, j] else math.nan


def ad(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Chaikin's accumulation/distribution line in shares: volume times where the close stands in the bar, -1 to 1.

    State: bars seen, sum. No warm-up. A bar without range adds nothing.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (2, TILE))
    out = carray(out, (1, out_rows, TILE))
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live, high, low, volume = r >= fresh[j], bars[HIGH, r, j], bars[LOW, r, j], bars[VOLUME, r, j]
            stand = (2.0 * bars[CLOSE, r, j] - high - low) / (high - low) if high > low else 0.0
            state[1, j] += stand * volume if live and volume == volume else 0.0
            state[0, j] += 1.0 if live else 0.0
        if r >= skip:
            for j in range(TILE):
                out[0, r - skip, j] = state[1, j] if bars[VOLUME, r, j] == bars[VOLUME, r, j] else math.nan


def mfi(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Money flow index in [0, 100]: the share of dollar volume on bars whose typical price rose.

    Warm-up: ``window`` bars are NaN. No flow either way: 50. Prices below zero have no flow: NaN.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (1, out_rows, TILE))
    window = int(params[0])
    up, both, before = np.empty(TILE), np.empty(TILE), np.empty(TILE)
    for r in range(rows - out_rows, rows):
        up[:] = 0.0
        both[:] = 0.0
        oldest = max(r - window, 0)
        for j in range(TILE):
            before[j] = (bars[HIGH, oldest, j] + bars[LOW, oldest, j] + bars[CLOSE, oldest, j]) / 3.0
        for k in range(oldest + 1, r + 1):
            for j in range(TILE):
                typical = (bars[HIGH, k, j] + bars[LOW, k, j] + bars[CLOSE, k, j]) / 3.0
                flow = typical * bars[VOLUME, k, j] if typical >= 0.0 else math.nan
                still = abs(typical - before[j]) <= SAME_PRICE * abs(typical)
                up[j] += flow if typical > before[j] and not still else 0.0
                both[j] += 0.0 * flow if still else flow  # unknown stays unknown, still or not
                before[j] = typical
        for j in range(TILE):
            value = 50.0 if both[j] == 0.0 else 100.0 * up[j] / both[j]
            out[0, r - rows + out_rows, j] = value if r - first[j] >= window else math.nan


def volume_window(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Chaikin money flow in [-1, 1], relative volume, and mean dollar volume, over ``window`` bars.

    relative_volume = this bar's volume / mean volume of the ``window`` bars before it; NaN when those traded nothing.
    Warm-up: ``window`` - 1 bars, relative volume one more. No volume at all: cmf 0, neither side leads.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    first = carray(first, (TILE,))
    out = carray(out, (3, out_rows, TILE))
    window = int(params[0])
    volume = np.empty(TILE)
    for r in range(rows - out_rows, rows):
        cmf, relative, dollars = out[:, r - rows + out_rows]
        cmf[:] = 0.0
        dollars[:] = 0.0
        volume[:] = 0.0
        for k in range(max(r - window + 1, 0), r + 1):
            for j in range(TILE):
                high, low, x, shares = bars[HIGH, k, j], bars[LOW, k, j], bars[CLOSE, k, j], bars[VOLUME, k, j]
                cmf[j] += shares * ((2.0 * x - high - low) / (high - low) if high > low else 0.0)
                dollars[j] += x * shares
                volume[j] += shares
        for j in range(TILE):
            full, seen = r - first[j] >= window - 1, r - first[j] >= window
            cmf[j] = (0.0 if volume[j] == 0.0 else cmf[j] / volume[j]) if full else math.nan
            dollars[j] = dollars[j] / window if full else math.nan
            before = 0.0
            for k in range(max(r - window, 0), r):
                before += bars[VOLUME, k, j]
            relative[j] = bars[VOLUME, r, j] * window / before if seen and before != 0.0 else math.nan


def vwap_session(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Volume-weighted average price since the session began, by increments, in price units.

    A bar counts with its own vwap where that is known, else with its typical price. State: sessions seen, session,
    dollars, shares. No warm-up; NaN until the session's first share. Where a session begins, the grid is told
    (``day_begins_s``). After a past that is missing: NaN until the next session.
    """
    bars = carray(bars, (FIELDS, depth, TILE))
    fresh = carray(fresh, (TILE,))
    state = carray(state, (4, TILE))
    out = carray(out, (1, out_rows, TILE))
    skip = rows - out_rows
    for r in range(start, rows):
        for j in range(TILE):
            live, session, shares = r >= fresh[j], bars[SESSION, r, j], bars[VOLUME, r, j]
            typical = (bars[HIGH, r, j] + bars[LOW, r, j] + bars[CLOSE, r, j]) / 3.0
            price = bars[VWAP, r, j] if bars[VWAP, r, j] > 0.0 else typical
            shares = shares if shares > 0.0 else 0.0
            same = session == state[1, j] and state[0, j] > 0.0
            begun = state[0, j] if same else state[0, j] + 1.0
            dollars = (state[2, j] if same else 0.0) + price * shares
            total = (state[3, j] if same else 0.0) + shares
            state[0, j] = begun if live else state[0, j]
            state[1, j] = session if live else state[1, j]
            state[2, j] = dollars if live else state[2, j]
            state[3, j] = total if live else state[3, j]
        if r >= skip:
            for j in range(TILE):
                known = state[3, j] > 0.0 and bars[VOLUME, r, j] == bars[VOLUME, r, j]
                out[0, r - skip, j] = state[2, j] / state[3, j] if known else math.nan


_HLCV = (HIGH, LOW, CLOSE, VOLUME)

register(
    Kernel(obv, ("obv",), (CLOSE, VOLUME), memory=lambda _: "#$v", settle=lambda _: math.inf),
    Kernel(ad, ("ad",), _HLCV, memory=lambda _: "#v", settle=lambda _: math.inf),
    Kernel(mfi, ("mfi_#",), _HLCV, ((14.0,),), lookback=lambda p: int(p[0]) + 1),
    Kernel(
        volume_window,
        ("cmf_#", "relative_volume_#", "dollar_volume_#"),
        _HLCV,
        ((20.0,),),
        lookback=lambda p: int(p[0]) + 1,
    ),
    Kernel(
        vwap_session,
        ("vwap_session",),
        (*_HLCV, VWAP, SESSION),
        memory=lambda _: "###v",  # dollars stay what they are in a split
        by_session=True,
    ),
)
