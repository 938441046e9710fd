"""What a lane shows of its symbols: last, session totals, indicators, Greeks.

In: the parts of a lane's state.  Out: one ``HotRow`` per symbol. Names: ``last``, ``bid``, ``ask``, ``oi``; of the
session ``volume``, ``session_vwap``, ``day_open``, ``day_high``, ``day_low``, ``change_pct``; each indicator as of the
newest closed bar (``bar_ns``), and with ``_open`` behind its name as if the open bar (``open_ns``) closed now; of an
option ``implied_vol``, the Greeks, ``option_status`` and ``option_on``, which says whether delta and gamma are per 1 of
its spot or of its future (see ``quotes``). A missing number is absent.
"""

from __future__ import annotations

from itertools import compress

import numpy as np

from tapeline.core.types import BAR_FIELDS, F64, I64
from tapeline.kernels.greeks import QUOTED
from tapeline.kernels.ticks import newest_rows
from tapeline.live.bars import BarFold
from tapeline.live.indicators import LaneIndicators
from tapeline.live.panel import F, Index, N
from tapeline.live.quotes import Quotes
from tapeline.streams.processor import HotRow

_MARKET = ("last", "session_vwap", "volume", "day_open", "day_high", "day_low", "change_pct", "bid", "ask", "oi")


def hot_rows(
    fold: BarFold, indicators: LaneIndicators, quotes: Quotes, columns: Index, rate: float
) -> dict[str, HotRow]:
    """Return the newest values of the symbols in ``columns`` that have a bar; ``rate`` is for the Greeks."""
    panel = fold.panel
    last_row: I64 = np.empty(columns.size, np.int64)
    newest_rows(panel.floats, panel.n_rows, columns, last_row)
    if (traded := last_row >= 0).sum() < columns.size:
        columns, last_row = columns[traded], last_row[traded]
    if not columns.size:
        return {}
    starts, valued = panel.times()[last_row], quotes.valued(columns, rate)
    n = len(indicators.names)
    table = np.full((len(_MARKET) + 2 * n + len(QUOTED), columns.size), np.nan)
    market, closed, ahead, options = np.split(table, np.cumsum([len(_MARKET), n, n]))
    _fill_market(market, fold, quotes, columns, last_row)
    _fill_indicators(closed, ahead, fold, indicators, columns, starts)
    options[:, valued.at] = valued.table
    names = (*_MARKET, *indicators.names, *indicators.open_names, *QUOTED)
    rows = _rows(names, table)
    feeds = [{"feed": feed, "label": label.value} for feed, label in fold.origins]
    origins = panel.ints[N.ORIGIN, last_row, columns].tolist()
    for row, start_ns, bar_ns, origin in zip(
        rows, starts.tolist(), _bar_starts(indicators, columns), origins, strict=True
    ):
        row["open_ns"] = start_ns
        if bar_ns >= 0:
            row["bar_ns"] = bar_ns
        row.update(feeds[origin])
    for i, why, on in zip(valued.at.tolist(), valued.why, valued.on, strict=True):
        rows[i]["option_status"], rows[i]["option_on"] = why, on
    return {panel.symbols[column]: row for column, row in zip(columns.tolist(), rows, strict=True)}


def _rows(names: tuple[str, ...], table: F64) -> list[HotRow]:
    """Return name -> number for each column of a table, without the missing. Few patterns of these ever occur."""
    flags, width = (~np.isnan(table.T)).tobytes(), len(names)
    names_of: dict[bytes, tuple[str, ...]] = {}
    rows: list[HotRow] = []
    for i, values in enumerate(table.T.tolist()):
        there = flags[i * width : (i + 1) * width]
        if there not in names_of:
            names_of[there] = tuple(compress(names, there))
        rows.append(dict(zip(names_of[there], compress(values, there), strict=True)))
    return rows


def _fill_market(market: F64, fold: BarFold, quotes: Quotes, columns: Index, last_row: I64) -> None:
    """Write the rows of ``_MARKET``."""
    totals = fold.session.totals(fold.panel, columns)
    market[0] = fold.panel.floats[F.CLOSE, last_row, columns]
    market[1], market[2] = totals.vwap, totals.table[3]
    market[3:6] = totals.table[:3]
    market[6] = (market[0] / market[3] - 1.0) * 100.0
    market[7:] = quotes.values[1:4, columns]


def _fill_indicators(
    closed: F64, ahead: F64, fold: BarFold, indicators: LaneIndicators, columns: Index, starts: I64
) -> None:
    """Write the values after closed bars, and those with the open bars of the newest row counted in."""
    newest, panel = indicators.newest(), fold.panel
    known = columns < newest.shape[1]
    closed[:, known] = newest[:, columns[known]]
    newest_ns = int(panel.times()[-1])
    if newest_ns + panel.base_ns <= fold.closed_upto_ns:
        return
    is_open = known & (starts == newest_ns)
    if is_open.any():
        mine = columns[is_open]
        bars = panel.floats[: len(BAR_FIELDS), panel.n_rows - 1, mine]
        ahead[:, is_open] = indicators.with_open(mine, newest_ns, bars)


def _bar_starts(indicators: LaneIndicators, columns: Index) -> list[int]:
    """Return when the newest closed bar of each symbol began, -1 where there is none."""
    starts = indicators.bar_starts()
    known = np.full(columns.size, -1, np.int64)
    has_bars = columns < starts.size
    known[has_bars] = starts[columns[has_bars]]
    return known.tolist()
