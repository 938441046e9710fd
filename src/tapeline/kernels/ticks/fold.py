"""Trades into open bars, one after the other in their order, until something has to be done about it.

In: rows of trades and the planes of a panel of bars.  Out: the planes, changed in place, and why the loop stopped.
How rows are cut into calls never changes a bit: the caller acts exactly where the loop stops, and it stops at the same
rows whatever the cut.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from tapeline.kernels.ticks.exact import loop

DONE, NEEDS_ROW, CLOSED, LATE = range(4)
"""All rows are in; the next row begins a bar that has no place yet; the last row moved time past the end of a bar; the
last row changed a bar that was closed."""

OPEN, HIGH, LOW, CLOSE, VOLUME, VWAP, TRADES, TURNOVER = range(8)
FIRST_NS, LAST_NS, _, ORIGIN = range(4)
LAST, BID, ASK, OI, SPOT = range(5)
STATED = np.iinfo(np.int64).max


@njit(nogil=True)
def _find(slots, n_rows, start):
    """Return the row of a start, or -1. Most are the newest."""
    low, high = 0, n_rows - 1
    if high >= 0 and slots[high] == start:
        return high
    while low <= high:
        middle = (low + high) // 2
        if slots[middle] == start:
            return middle
        if slots[middle] < start:
            low = middle + 1
        else:
            high = middle - 1
    return -1


@njit(nogil=True)
def _add(floats, ints, row, col, event_ns, price, volume, origin):
    """Add one trade to a bar: sums in order of arrival, open and close by exchange time. False for a stated bar."""
    if ints[LAST_NS, row, col] == STATED:
        return False
    if not floats[HIGH, row, col] >= price:
        floats[HIGH, row, col] = price
    if not floats[LOW, row, col] <= price:
        floats[LOW, row, col] = price
    floats[VOLUME, row, col] += volume
    floats[TRADES, row, col] += 1.0
    if volume > 0.0:
        floats[TURNOVER, row, col] += price * volume
    if event_ns < ints[FIRST_NS, row, col]:
        floats[OPEN, row, col] = price
        ints[FIRST_NS, row, col] = event_ns
    if event_ns >= ints[LAST_NS, row, col]:
        floats[CLOSE, row, col] = price
        ints[LAST_NS, row, col] = event_ns
    total = floats[VOLUME, row, col]
    floats[VWAP, row, col] = floats[TURNOVER, row, col] / total if total > 0.0 else np.nan
    ints[ORIGIN, row, col] = origin
    return True


@njit(nogil=True)
def _quote(quotes, times, col, underlying, event_ns, numbers):
    """Keep the newest quote; of an option also what its underlying stood at."""
    quotes[LAST, col], times[col] = numbers[0], event_ns
    for k in range(1, 4):
        if not np.isnan(numbers[k + 1]):
            quotes[k, col] = numbers[k + 1]
    if underlying >= 0:
        quotes[SPOT, col] = quotes[LAST, underlying]


def _fold_body(
    slots,
    n_rows,
    floats,
    ints,
    quotes,
    times,
    underlying,
    touched,
    dirty,
    at,
    columns,
    event_ns,
    numbers,
    origin,
    late,
    limits,
):
    watermark, closed_upto, floor, base, grace = limits
    for i in range(at, columns.size):
        if event_ns[i] < floor:
            late[i] = True
            continue
        start = event_ns[i] // base * base
        row = _find(slots, n_rows, start)
        if row < 0:
            return i, NEEDS_ROW, watermark
        col = columns[i]
        changed = _add(floats, ints, row, col, event_ns[i], numbers[i, 0], numbers[i, 1], origin[i])
        _quote(quotes, times, col, underlying[col], event_ns[i], numbers[i])
        touched[row] = True
        dirty[col] = True
        watermark = max(watermark, event_ns[i])
        if (watermark - grace) // base > closed_upto // base:
            return i + 1, CLOSED, watermark
        if changed and start + base <= closed_upto:
            return i + 1, LATE, watermark
    return columns.size, DONE, watermark


fold_ticks: Any = loop(_fold_body)
"""Fold rows of trades from row ``at`` on; return (next row, why it stopped, watermark).

Parameters
----------
slots : int64 (rows,)
    Start of each row's bar, rising; the first ``n_rows`` count.
floats, ints : (planes, rows, columns)
    The panel (``live.panel``).
quotes : float64 (5, columns)
    Last price, bid, ask, open interest, and the underlying's price at the last trade.
times, underlying : int64 (columns,)
    Time of the last trade, and the column of the underlying; -1 where there is none.
touched, dirty : bool (rows,), (columns,)
    Set where something changed.
columns, event_ns, numbers, origin
    The trades: (n,), (n,), (n, 5) price, volume, bid, ask, open interest, (n,).
late : bool (n,)
    Set for rows that begin before ``floor``; they change nothing.
limits
    Watermark, closed up to, floor, length of a bar and grace, in nanoseconds.
"""
