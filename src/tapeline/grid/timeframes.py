"""Several timeframes fed from one: minutes in; minutes, 5, 15, 60 minutes and days out.

In: frames of the shortest timeframe.  Out: one grid per timeframe, each bar the exact sum of the short bars in it.
Bars are counted from the session's open, as exchanges do, so the last one of a session may be short. Bars outside
sessions stay in the shortest grid only. Refuses a shortest grid that no longer holds the bars of the bar it must build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadInput
from tapeline.core.types import BAR_FIELDS, DAY_S, NS_PER_S, BarFrame
from tapeline.grid.bars import BarGrid
from tapeline.grid.records import Applied


class Span(Protocol):
    """A session: [open_ns, close_ns)."""

    @property
    def open_ns(self) -> int: ...
    @property
    def close_ns(self) -> int: ...


class Sessions(Protocol):
    """Tells which session a moment belongs to; ``core.calendar.SessionCalendar`` does."""

    def next_session(self, moment_ns: int) -> Span:
        """Return the session that is open at ``moment_ns`` or opens next."""
        ...


class Timeframes:
    """Grids of several timeframes over one universe.

    Parameters
    ----------
    symbols
        The universe.
    n_bars
        Timeframe in seconds -> bars kept. The shortest is fed, the others are whole multiples of it; a day is one bar
        a session.
    sessions
        The exchange's sessions.
    track
        Indicators whose past every grid remembers.
    """

    def __init__(
        self, symbols: Sequence[str], n_bars: Mapping[int, int], sessions: Sessions, *, track: Sequence[str] = ()
    ) -> None:
        self.grids = {s: BarGrid.empty(symbols, n, s, track=track) for s, n in sorted(n_bars.items())}
        self._sessions = sessions
        self._base_s = min(self.grids)
        if any(s % self._base_s for s in self.grids):
            raise BadInput(f"every timeframe must be a multiple of {self._base_s} s: {list(self.grids)}")

    def __getitem__(self, timeframe_s: int) -> BarGrid:
        return self.grids[timeframe_s]

    def apply(self, frame: BarFrame) -> Applied:
        """Take bars of the shortest timeframe in and rebuild the longer bars they belong to.

        Returns what it did to the shortest grid. Applying a frame twice changes nothing.
        """
        base = self.grids[self._base_s]
        done = base.apply(frame)
        columns = np.unique(base.universe.columns(frame.symbols))
        columns = columns[columns >= 0]
        if done.new + done.revised == 0:
            return done
        for timeframe_s, grid in self.grids.items():
            if timeframe_s == self._base_s:
                continue
            for start_ns, end_ns in sorted({self._bar_of(e, timeframe_s) for e in np.unique(frame.event_ns).tolist()}):
                if start_ns < end_ns:
                    grid.apply(self._built(frame, timeframe_s, start_ns, end_ns, columns))
        return done

    def _bar_of(self, event_ns: int, timeframe_s: int) -> tuple[int, int]:
        """Return start and end of the bar that holds a moment; an empty span outside sessions."""
        session = self._sessions.next_session(event_ns)
        if event_ns < session.open_ns:
            return event_ns, event_ns
        if timeframe_s >= DAY_S:
            return session.open_ns, session.close_ns
        step = timeframe_s * NS_PER_S
        start = session.open_ns + (event_ns - session.open_ns) // step * step
        return start, min(start + step, session.close_ns)

    def _built(
        self, frame: BarFrame, timeframe_s: int, start_ns: int, end_ns: int, columns: NDArray[np.intp]
    ) -> BarFrame:
        """Return the bars of one span, added up from the shortest grid. Symbols that did not trade are left out."""
        base = self.grids[self._base_s]
        events = base.event_ns
        low, high = np.searchsorted(events, [start_ns, end_ns])
        if base.dropped and low == 0 and events[0] > start_ns:
            raise BadInput(f"{base.capacity} bars of {self._base_s} s are too few to build one of {timeframe_s} s")
        block = {name: base.field(name)[low:high, columns] for name in BAR_FIELDS}
        traded = ~np.isnan(block["close"])
        kept = traded.any(axis=0)
        columns, traded = columns[kept], traded[:, kept]
        block = {name: field[:, kept] for name, field in block.items()}
        each = np.arange(len(columns))
        priced = ~np.isnan(block["vwap"])
        weight = np.where(priced, block["volume"], 0.0)
        shares = np.nansum(weight, axis=0)
        dollars = np.nansum(np.where(priced, block["vwap"], 0.0) * weight, axis=0)
        fields = {
            "open": block["open"][traded.argmax(axis=0), each],
            "high": np.fmax.reduce(block["high"], axis=0),
            "low": np.fmin.reduce(block["low"], axis=0),
            "close": block["close"][len(traded) - 1 - traded[::-1].argmax(axis=0), each],
            "volume": np.nansum(block["volume"], axis=0),
            "vwap": np.divide(dollars, shares, out=np.full(len(each), np.nan), where=shares > 0.0),
            "trades": np.nansum(block["trades"], axis=0),
        }
        # more bars, or a revised one, make a higher number: the longer bar's revision
        revision = (base.revisions(low, high)[:, columns] + 1).sum(axis=0)
        symbols = tuple(base.symbols[c] for c in columns)
        starts = np.full(len(columns), start_ns)
        return BarFrame(
            timeframe_s, frame.feed, frame.label, frame.as_of_ns, symbols, starts, revision=revision, **fields
        )
