"""What a lane shows of its symbols: last, session totals, indicators, Greeks.

In: the parts of a lane's state.  Out: one ``HotRow`` per symbol. Names: ``last``, ``bid``, ``ask``, ``oi``; of the
session ``volume``, ``session_vwap``, ``day_open``, ``day_high``, ``day_low``, ``change_pct``; each indicator as of the
newest closed bar (``bar_ns``), and with ``_open`` behind its name as if the open bar (``open_ns``) closed now; of an
option ``implied_vol``, the Greeks, ``option_status`` and ``option_on``, which says whether delta and gamma are per 1 of
its spot or of its future (see ``quotes``). A missing number is absent.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tapeline.core.types import BAR_FIELDS, F64, I64, BarFrame, Label
from tapeline.live.bars import BarFold
from tapeline.live.indicators import LaneIndicators
from tapeline.live.panel import F, Index, N
from tapeline.live.quotes import Quotes
from tapeline.streams.processor import HotRow


def hot_rows(
    fold: BarFold, indicators: LaneIndicators, quotes: Quotes, columns: Index, rate: float
) -> dict[str, HotRow]:
    """Return the newest values of the symbols in ``columns`` that have a bar; ``rate`` is for the Greeks."""
    panel = fold.panel
    if not columns.size or not panel.n_rows:
        return {}
    present = ~np.isnan(panel.floats[F.CLOSE, : panel.n_rows].take(columns, axis=1))  # (rows, columns)
    traded = present.any(axis=0)
    columns, present = columns[traded], present[:, traded]
    if not columns.size:
        return {}
    last_row = panel.n_rows - 1 - present[::-1].argmax(axis=0)
    starts = panel.times()[last_row]
    numbers = _numbers(fold, quotes, columns, last_row)
    numbers |= _indicator_values(fold, indicators, columns, last_row, starts)
    names = list(numbers)
    table = np.stack(list(numbers.values()), axis=1).tolist()
    greeks, bar_starts = quotes.values_of(columns, rate), indicators.bar_starts().tolist()
    origins = panel.ints[N.ORIGIN, last_row, columns].tolist()
    hot: dict[str, HotRow] = {}
    for column, values, start_ns, origin in zip(columns.tolist(), table, starts.tolist(), origins, strict=True):
        row: HotRow = {name: value for name, value in zip(names, values, strict=True) if value == value}  # not NaN
        feed, label = fold.origins[origin]
        row["open_ns"], row["feed"], row["label"] = start_ns, feed, label.value
        if column < len(bar_starts) and bar_starts[column] >= 0:
            row["bar_ns"] = bar_starts[column]
        if column in greeks:
            row |= greeks[column]
        hot[panel.symbols[column]] = row
    return hot


def _numbers(fold: BarFold, quotes: Quotes, columns: Index, last_row: Index) -> dict[str, F64]:
    panel, totals = fold.panel, fold.session.totals(fold.panel, columns)
    last = panel.floats[F.CLOSE, last_row, columns]
    return {
        "last": last,
        "session_vwap": totals.vwap,
        "volume": totals.volume,
        "day_open": totals.open,
        "day_high": totals.high,
        "day_low": totals.low,
        "change_pct": (last / totals.open - 1.0) * 100.0,
        "bid": quotes.values[1, columns],
        "ask": quotes.values[2, columns],
        "oi": quotes.values[3, columns],
    }


def _indicator_values(
    fold: BarFold, indicators: LaneIndicators, columns: Index, last_row: Index, starts: I64
) -> dict[str, F64]:
    """Return the closed values, and those with the open bars of the newest row counted in."""
    found: dict[str, F64] = {}
    for name, values in indicators.newest().items():
        wide = np.full(fold.panel.n_columns, np.nan)
        wide[: values.size] = values
        found[name] = wide[columns]
    newest_ns = int(fold.panel.times()[-1])
    is_open = starts == newest_ns
    if newest_ns + fold.panel.base_ns > fold.closed_upto_ns and is_open.any():
        provisional = indicators.with_open(_open_bars(fold, columns[is_open], last_row[is_open], newest_ns))
        for name, values in provisional.items():
            found[f"{name}_open"] = np.full(columns.size, np.nan)
            found[f"{name}_open"][is_open] = values
    return found


def _open_bars(fold: BarFold, columns: Index, last_row: Index, start_ns: int) -> BarFrame:
    panel = fold.panel
    fields: dict[str, Any] = {name: panel.floats[i, last_row, columns] for i, name in enumerate(BAR_FIELDS)}
    names = tuple(panel.symbols[column] for column in columns.tolist())
    base_s = fold.timeframes_s[0]
    return BarFrame(base_s, "", Label.REAL, start_ns, names, np.full(columns.size, start_ns, np.int64), **fields)
