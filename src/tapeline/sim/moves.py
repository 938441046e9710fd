"""How far each symbol has moved, minute by minute: what news and talk are made of.

In: the tape and the moment of asking.  Out: today's minutes, and each symbol's move since the previous close in them.
Refuses to look ahead for its readers only as far as they do: row ``i`` is made of rows up to ``i`` alone, but all rows
of the day are there, so a reader uses prefixes.
"""

from __future__ import annotations

import datetime as dt

import numpy as np

from tapeline.core.types import F64, I64
from tapeline.sim.clock import new_york_day
from tapeline.sim.tape import CLOSE, Tape


class DayMoves:
    """The moves of the newest day that was asked for, kept."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._kept: tuple[dt.date, I64, F64] | None = None

    def today(self, now_ns: int) -> tuple[I64, F64] | None:
        """Return the starts of today's minutes and moves (n_minutes, n_symbols) as fractions; None without a session.

        A move is the last price so far over the previous close, less one; NaN before a symbol's first trade.
        """
        day = new_york_day(now_ns)
        if self._tape.session_row(now_ns) is None or self._tape.past_rows(now_ns) == 0:
            return None
        if self._kept is None or self._kept[0] != day:
            rows = self._tape.day_rows(day)
            before = self._tape.closes(slice(-1, None), now_ns)[0]
            self._kept = day, rows.event_ns, _carried(rows.values[CLOSE]) / before - 1.0
        return self._kept[1:]


def _carried(close: F64) -> F64:
    """Return ``close`` with each NaN replaced by the last price before it; leading ones stay NaN."""
    newest = np.maximum.accumulate(np.where(np.isnan(close), -1, np.arange(len(close))[:, None]), axis=0)
    carried = close[np.maximum(newest, 0), np.arange(close.shape[1])]
    return np.where(newest >= 0, carried, np.nan)
