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
from tapeline.sim.market import FIRST_MONTH
from tapeline.sim.tape import CLOSE, MINUTE_NS, PUBLISH_NS, Tape

FAVOURITES, MOVERS, MUCH_TRADED = 20, 12, 200


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


class Attention:
    """What everybody has in mind before a day begins: the favourites and yesterday's movers."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._kept: tuple[dt.date, list[str], list[tuple[str, float]]] | None = None

    def yesterday(self, now_ns: int) -> tuple[list[str], list[tuple[str, float]]]:
        """Return the most traded symbols of the last month, and (symbol, move) of the previous session's movers.

        Movers are taken from the much traded symbols, the farthest first. Both are empty before the third session.
        """
        day = new_york_day(now_ns)
        if self._kept is None or self._kept[0] != day:
            self._kept = day, *self._look_back(now_ns)
        return self._kept[1:]

    def _look_back(self, now_ns: int) -> tuple[list[str], list[tuple[str, float]]]:
        market, past = self._tape.market, self._tape.past_rows(now_ns)
        if past < 2:
            return [], []
        month = slice(max(0, past - FIRST_MONTH), past)
        dollars = np.nansum(market.daily["close"][month] * market.daily["volume"][month], axis=0)
        traded = np.argsort(-dollars, kind="stable")
        closes = self._tape.closes(slice(past - 2, past), now_ns)
        move = closes[1] / closes[0] - 1.0
        much = np.full_like(move, np.nan)
        much[traded[:MUCH_TRADED]] = move[traded[:MUCH_TRADED]]
        movers = [(market.symbols[i], float(move[i])) for i in farthest(much, MOVERS)]
        return [market.symbols[i] for i in traded[:FAVOURITES]], movers


def farthest(move: F64, count: int) -> list[int]:
    """Return the columns that have moved farthest, either way, the farthest first; ties by column."""
    size = np.nan_to_num(np.abs(move), nan=-1.0)
    return [int(i) for i in np.argsort(-size, kind="stable")[:count] if size[i] >= 0]


def last_seen(starts: I64, moment_ns: int) -> int:
    """Return the row of the last minute that had been published at a moment; -1 before the first."""
    return int(np.searchsorted(starts, moment_ns - MINUTE_NS - PUBLISH_NS, side="right")) - 1


def _carried(close: F64) -> F64:
    """Return ``close`` with each NaN replaced by the last price before it; leading ones stay NaN."""
    newest = np.maximum.accumulate(np.where(np.isnan(close), -1, np.arange(len(close))[:, None]), axis=0)
    carried = close[np.maximum(newest, 0), np.arange(close.shape[1])]
    return np.where(newest >= 0, carried, np.nan)
