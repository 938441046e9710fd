"""What of a market can be seen at a moment: the only door from the simulator's routes to its prices.

In: a market, columns, a window of time and the moment of asking.  Out: ``Rows`` of bars.
Refuses to show the future: every method takes ``now_ns`` and reads nothing that ends after it.
"""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tapeline.core.types import BAR_FIELDS, F64, I64, MINUTE_S, NS_PER_S, Label
from tapeline.sim.clock import new_york_day, new_york_ns
from tapeline.sim.market import DAILY_FIELDS, Market

MINUTE_NS = MINUTE_S * NS_PER_S
PUBLISH_NS = NS_PER_S
"""A bar appears this long after its minute has ended."""
CACHED_CELLS = 1_000_000
"""Symbol-minutes kept of days other than the newest: five days of 524 symbols, 56 bytes each."""

OPEN, HIGH, LOW, CLOSE, VOLUME, VWAP, TRADES = range(len(BAR_FIELDS))

Columns = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rows:
    """Bars in a block.

    Attributes
    ----------
    event_ns
        int64 (n_rows,) start of each bar, oldest first.
    values
        float64 (7, n_rows, n_columns) in the order of ``BAR_FIELDS``; all NaN where there is no bar. Daily bars of
        the past have NaN vwap and trades, which their source does not tell.
    """

    event_ns: I64
    values: F64

    @staticmethod
    def join(parts: list[Rows], n_columns: int) -> Rows:
        """Return the rows of all parts, in their order."""
        if not parts:
            return Rows(np.zeros(0, np.int64), np.zeros((len(BAR_FIELDS), 0, n_columns)))
        return Rows(np.concatenate([part.event_ns for part in parts]), np.concatenate([p.values for p in parts], 1))


def aggregate(values: F64) -> F64:
    """Return the one bar that the rows of ``values`` (7, n_rows >= 1, n) add up to, as (7, n)."""
    traded = ~np.isnan(values[CLOSE])
    n_rows, columns = len(traded), np.arange(traded.shape[1])
    first, last = traded.argmax(axis=0), n_rows - 1 - traded[::-1].argmax(axis=0)
    silent = ~traded.any(axis=0)
    volume = np.nansum(values[VOLUME], axis=0)
    worth = np.nansum(values[VOLUME] * values[VWAP], axis=0)
    bar = np.stack(
        [
            values[OPEN, first, columns],
            np.fmax.reduce(values[HIGH], axis=0),
            np.fmin.reduce(values[LOW], axis=0),
            values[CLOSE, last, columns],
            volume,
            np.divide(worth, volume, out=np.full_like(worth, np.nan), where=volume > 0),
            np.nansum(values[TRADES], axis=0),
        ]
    )
    bar[:, silent] = np.nan
    return bar


class Tape:
    """A market, seen only up to a given moment.

    Minutes of a day are bridged when they are first asked for and then kept. A session of an earlier date is over;
    today's daily bar is what its minutes so far add up to, which after the close is the real row to the cent.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._days: OrderedDict[dt.date, Rows] = OrderedDict()
        self._today: tuple[int, F64] | None = None
        self._newest: tuple[int, I64, F64] | None = None
        self._factors: tuple[str, dt.date, F64] | None = None
        self._midnight_ns = np.array([new_york_ns(day) for day in market.sessions], np.int64)
        daily = [market.daily[name] for name in DAILY_FIELDS]
        absent = np.full_like(daily[0], np.nan)
        self._daily = np.stack([*daily, absent, absent])
        self._rows = {day: row for row, day in enumerate(market.sessions)}
        self.columns = {symbol: column for column, symbol in enumerate(market.symbols)}
        self._resampled = bool((market.label[~np.isnan(daily[CLOSE])] == 2).any())

    @property
    def market(self) -> Market:
        """The whole market, future included: for what never changes (names, sectors), not for prices."""
        return self._market

    def columns_of(self, symbols: tuple[str, ...]) -> Columns:
        """Return the columns of those symbols that the market has."""
        return np.array([self.columns[s] for s in symbols if s in self.columns], np.intp)

    def label(self, *, bridged: bool) -> Label:
        """Return where an answer's numbers come from; one resampled symbol makes the whole universe resampled."""
        if self._resampled:
            return Label.RESAMPLED
        return Label.BRIDGED if bridged else Label.REAL

    def session_row(self, now_ns: int) -> int | None:
        """Return the row of today's session, or None on a day without one."""
        return self._rows.get(new_york_day(now_ns))

    def past_rows(self, now_ns: int) -> int:
        """Return how many sessions ended on earlier dates; row ``past_rows - 1`` is the previous session."""
        return int(np.searchsorted(self._midnight_ns, new_york_ns(new_york_day(now_ns))))

    def minutes(self, columns: Columns, start_ns: int, end_ns: int, now_ns: int, step_s: int = MINUTE_S) -> Rows:
        """Return intraday bars of ``step_s`` seconds that start in [start_ns, end_ns] and whose minutes have ended.

        A longer bar that still runs is what its minutes so far add up to, as the vendor makes it.
        """
        step_ns = step_s * NS_PER_S
        shown_ns = min(end_ns // step_ns * step_ns + step_ns - MINUTE_NS, now_ns - MINUTE_NS - PUBLISH_NS)
        first = int(np.searchsorted(self._market.close_ns, start_ns, side="right"))
        last = int(np.searchsorted(self._market.open_ns, shown_ns, side="right"))
        from_ns = -(-start_ns // step_ns) * step_ns
        parts = []
        for row in range(first, last):
            day = self._day(self._market.sessions[row])
            low, high = np.searchsorted(day.event_ns, [from_ns, shown_ns + 1])
            if low < high:
                part = Rows(day.event_ns[low:high], day.values[:, low:high][:, :, columns])
                parts.append(part if step_s == MINUTE_S else regroup(part, step_ns))
        return Rows.join(parts, len(columns))

    def count_minutes(self, start_ns: int, end_ns: int, now_ns: int) -> int:
        """Return an upper bound on the rows that ``minutes`` would give, without making any."""
        low = np.maximum(self._market.open_ns, start_ns)
        high = np.minimum(self._market.close_ns, min(end_ns, now_ns) + MINUTE_NS)
        return int(np.maximum(-(-(high - low) // MINUTE_NS), 0).sum())

    def daily(self, columns: Columns, start_ns: int, end_ns: int, now_ns: int, adjustment: str = "raw") -> Rows:
        """Return daily bars whose New York midnight lies in [start_ns, end_ns], today's so far included."""
        past = self.past_rows(now_ns)
        low, high = (int(i) for i in np.searchsorted(self._midnight_ns[:past], [start_ns, end_ns + 1]))
        values = self._daily[:, low:high][:, :, columns]
        if adjustment != "raw":
            values = values * self.adjustment(adjustment, now_ns)[:, low:high][:, :, columns]
        parts = [Rows(self._midnight_ns[low:high], values)]
        if (row := self.session_row(now_ns)) is not None and start_ns <= self._midnight_ns[row] <= end_ns:
            today = self.today(now_ns)
            if today is not None:
                parts.append(Rows(self._midnight_ns[row : row + 1], today[:, None, columns]))
        return Rows.join(parts, len(columns))

    def today(self, now_ns: int) -> F64 | None:
        """Return today's bar so far of every symbol, (7, n_symbols), or None before its first minute has ended."""
        if (row := self.session_row(now_ns)) is None:
            return None
        shown_ns = now_ns - MINUTE_NS - PUBLISH_NS
        if shown_ns < self._market.open_ns[row]:
            return None
        day = self._day(self._market.sessions[row])
        last_ns = int(day.event_ns[np.searchsorted(day.event_ns, shown_ns, side="right") - 1])
        if self._today is None or self._today[0] != last_ns:
            seen = int(np.searchsorted(day.event_ns, last_ns, side="right"))
            self._today = last_ns, aggregate(day.values[:, :seen])
        return self._today[1]

    def last_minute(self, now_ns: int) -> tuple[I64, F64]:
        """Return each symbol's newest minute bar, today's or else the previous session's.

        Returns
        -------
        tuple
            int64 (n_symbols,) starts, 0 where there is no bar; float64 (7, n_symbols).
        """
        shown = (now_ns - PUBLISH_NS) // MINUTE_NS
        if self._newest is None or self._newest[0] != shown:
            self._newest = shown, *self._find_newest(now_ns)
        return self._newest[1:]

    def _find_newest(self, now_ns: int) -> tuple[I64, F64]:
        n_symbols = len(self._market.symbols)
        starts, bars = np.zeros(n_symbols, np.int64), np.full((len(BAR_FIELDS), n_symbols), np.nan)
        today, past = self.session_row(now_ns), self.past_rows(now_ns)
        for row in [today, past - 1 if past else None]:
            if row is None or not (missing := np.flatnonzero(starts == 0)).size:
                continue
            day = self._day(self._market.sessions[row])
            seen = int(np.searchsorted(day.event_ns, now_ns - MINUTE_NS - PUBLISH_NS, side="right"))
            if not seen:
                continue
            traded = ~np.isnan(day.values[CLOSE, :seen])
            last = seen - 1 - traded[::-1].argmax(axis=0)
            found = missing[traded[:, missing].any(axis=0)]
            starts[found] = day.event_ns[last[found]]
            bars[:, found] = day.values[:, last[found], found]
        return starts, bars

    def closes(self, rows: slice, now_ns: int) -> F64:
        """Return closes of sessions on earlier dates, comparable with today's, (n_rows, n_symbols)."""
        past = slice(*rows.indices(self.past_rows(now_ns)))
        return self._daily[CLOSE, past] * self.adjustment("all", now_ns)[CLOSE, past]

    def adjustment(self, kind: str, now_ns: int) -> F64:
        """Return factors (7, n_sessions, n_symbols) that make bars comparable with today's.

        Only actions whose ex-date has come are known. ``"split"`` scales prices and volume by splits; ``"all"`` also
        prices by spin-offs and special dividends.
        """
        today = new_york_day(now_ns)
        if self._factors is not None and self._factors[:2] == (kind, today):
            return self._factors[2]
        factors = np.ones_like(self._daily)
        for action in self._market.corporate_actions:
            is_split = action.kind == "split"
            if action.ex_date > today or action.symbol not in self.columns or (kind == "split" and not is_split):
                continue
            before = slice(0, int(np.searchsorted(self._midnight_ns, new_york_ns(action.ex_date))))
            column = self.columns[action.symbol]
            for field in (OPEN, HIGH, LOW, CLOSE, VWAP):
                factors[field, before, column] *= action.ratio
            if is_split:
                factors[VOLUME, before, column] /= action.ratio
        self._factors = kind, today, factors
        return factors

    def adjust_minutes(self, rows: Rows, columns: Columns, kind: str, now_ns: int) -> Rows:
        """Return intraday bars made comparable with today's; see ``adjustment``."""
        session = np.searchsorted(self._midnight_ns, rows.event_ns, side="right") - 1
        return Rows(rows.event_ns, rows.values * self.adjustment(kind, now_ns)[:, session][:, :, columns])

    def two_sessions_ago_ns(self, now_ns: int) -> int:
        """Return the New York midnight of the session before the previous one, or of the first there is."""
        return int(self._midnight_ns[max(0, self.past_rows(now_ns) - 2)])

    def day_rows(self, day: dt.date) -> Rows:
        """Return all minutes of a session, the future included: for rules that look at prefixes only (news)."""
        return self._day(day)

    def _day(self, day: dt.date) -> Rows:
        if day not in self._days:
            minutes = self._market.minutes(day)
            self._days[day] = Rows(minutes.event_ns, np.stack([getattr(minutes, name) for name in BAR_FIELDS]))
            while len(self._days) > 2 and sum(rows.values[0].size for rows in self._days.values()) > CACHED_CELLS:
                self._days.popitem(last=False)
        self._days.move_to_end(day)
        return self._days[day]


def regroup(minutes: Rows, step_ns: int) -> Rows:
    """Return the bars of ``step_ns`` that the minutes of one day add up to."""
    bucket = minutes.event_ns // step_ns
    cuts = np.flatnonzero(np.diff(bucket)) + 1
    edges = [0, *(int(cut) for cut in cuts), len(bucket)]
    bars = [aggregate(minutes.values[:, low:high]) for low, high in pairwise(edges)]
    return Rows(bucket[np.array(edges[:-1])] * step_ns, np.stack(bars, axis=1))
