"""What a panel of bars holds of some symbols: the newest bar of each, and what a session adds up to.

In: the planes of a panel and columns of it.  Out: row numbers, and totals, added to in place.
Sums go strictly one row after the other, so that none depends on how its rows were cut.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from __future__ import annotations

from typing import Any

import numpy as np

from tapeline.kernels.ticks.exact import loop
from tapeline.kernels.ticks.fold import CLOSE, HIGH, LOW, OPEN, TURNOVER, VOLUME, VWAP

T_OPEN, T_HIGH, T_LOW, T_VOLUME, T_TURNOVER, T_KNOWN = range(6)
"""Rows of a table of totals; the last is the volume of the bars whose VWAP is known."""


def _newest_body(floats, n_rows, columns, newest):
    for i in range(columns.size):
        row = n_rows - 1
        while row >= 0 and np.isnan(floats[CLOSE, row, columns[i]]):
            row -= 1
        newest[i] = row


def _add_up_body(floats, low, high, columns, totals):
    for row in range(low, high):
        for i in range(columns.size):
            col = columns[i]
            if np.isnan(floats[CLOSE, row, col]):
                continue
            if np.isnan(totals[T_OPEN, i]):
                totals[T_OPEN, i] = floats[OPEN, row, col]
            if not totals[T_HIGH, i] >= floats[HIGH, row, col]:
                totals[T_HIGH, i] = floats[HIGH, row, col]
            if not totals[T_LOW, i] <= floats[LOW, row, col]:
                totals[T_LOW, i] = floats[LOW, row, col]
            totals[T_VOLUME, i] += floats[VOLUME, row, col]
            if not np.isnan(floats[VWAP, row, col]):
                totals[T_TURNOVER, i] += floats[TURNOVER, row, col]
                totals[T_KNOWN, i] += floats[VOLUME, row, col]


newest_rows: Any = loop(_newest_body)
"""Write the row of each column's newest bar, -1 where there is none, into ``newest`` int64 (n,).

Parameters: ``floats`` float64 (8, rows, columns) of which the first ``n_rows`` count, ``columns`` int64 (n,).
"""

add_up: Any = loop(_add_up_body)
"""Add the rows ``low`` to ``high`` of a panel to ``totals`` float64 (6, n): the session's open, high, low (NaN where
nothing traded), volume, turnover and volume of the bars whose VWAP is known.

Parameters: ``floats`` float64 (8, rows, columns), ``columns`` int64 (n,): what each of the totals is of. O(rows x n).
"""
