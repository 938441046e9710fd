"""The running bar of the day, folded from the minutes of the session so far.

In: a ring of minute bars.  Out: one frame with a daily bar per symbol that has traded.
Refuses to show a bar for a symbol without a trade: its row is absent, and NaN in the daily grid.
"""

from __future__ import annotations

import numpy as np

from tapeline.core.calendar import Session
from tapeline.core.types import DAY_S, F64, I64, BarFrame, Label
from tapeline.grid.bars import BarGrid


def running_day(minutes: BarGrid, session: Session, *, as_of_ns: int, feed: str, label: Label) -> BarFrame:
    """Fold the minutes of ``session`` that started before ``as_of_ns`` into one daily bar per symbol.

    The bar is provisional until the session has closed. Its revision grows with every minute of the session and with
    every bar of the symbol, so a later fold replaces an earlier one wherever it arrives, also when all it has more is a
    bar that came late. Volume-weighted average price is NaN where nothing traded.
    """
    event_ns: I64 = minutes.event_ns
    begin, end = np.searchsorted(event_ns, (session.open_ns, min(as_of_ns, session.close_ns)))
    n_rows = max(0, int(end - begin))
    fields = {
        name: minutes.field(name)[begin:end] for name in ("open", "high", "low", "close", "volume", "vwap", "trades")
    }
    traded = ~np.isnan(fields["close"])
    cols = np.flatnonzero(traded.any(axis=0))
    first = traded[:, cols].argmax(axis=0) if cols.size else cols
    last = n_rows - 1 - traded[::-1, cols].argmax(axis=0) if cols.size else cols
    volume = _total(fields["volume"][:, cols])
    dollars = _total((fields["vwap"] * fields["volume"])[:, cols])
    columns = {
        "open": fields["open"][first, cols],
        "high": np.fmax.reduce(fields["high"], axis=0, initial=np.nan)[cols],
        "low": np.fmin.reduce(fields["low"], axis=0, initial=np.nan)[cols],
        "close": fields["close"][last, cols],
        "volume": volume,
        "vwap": np.divide(dollars, volume, out=np.full(len(cols), np.nan), where=volume > 0),
        "trades": _total(fields["trades"][:, cols]),
    }
    return BarFrame(
        timeframe_s=DAY_S,
        feed=feed,
        label=label,
        as_of_ns=as_of_ns,
        symbols=tuple(minutes.symbols[int(col)] for col in cols),
        event_ns=np.full(len(cols), session.open_ns, np.int64),
        revision=n_rows + traded.sum(axis=0)[cols],
        **columns,
    )


def _total(column: F64) -> F64:
    """Sum over bars; a minute without a trade adds nothing."""
    summed: F64 = np.where(np.isnan(column), 0.0, column).sum(axis=0)
    return summed
