"""Several timeframes fed from one: minutes in; minutes, 5, 15, 60 minutes and days out.

In: frames of the shortest timeframe.  Out: one grid per timeframe, each bar the exact sum of the short bars in it.
Bars are counted from the session's open, as exchanges do, so the last one of a session may be short. Bars outside
sessions stay in the shortest grid only. Refuses a shortest grid that no longer holds the bars of the bar it must build,
before anything is changed; and bars of several days.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadArgument, BadInput, BadMessage
from tapeline.core.types import BAR_FIELDS, DAY_S, NS_PER_S, BarFrame
from tapeline.grid.bars import BarGrid
from tapeline.grid.given import whole_seconds
from tapeline.grid.records import DAY_BEGINS_S, Applied, session_number


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
        Timeframe in seconds -> bars kept. The shortest is fed, the others are whole multiples of it, up to a day, which
        is one bar a session.
    sessions
        The exchange's sessions.
    track
        Indicators whose past every grid remembers.
    day_begins_s
        When the exchange's day begins, as in ``BarGrid.empty``.
    """

    def __init__(
        self,
        symbols: Iterable[str],
        n_bars: Mapping[int, int],
        sessions: Sessions,
        *,
        track: Sequence[str] = (),
        day_begins_s: int = DAY_BEGINS_S,
    ) -> None:
        _check(n_bars)
        symbols = symbols if isinstance(symbols, str) else tuple(symbols)
        self._begin(
            {
                s: BarGrid.empty(symbols, n, s, track=track, day_begins_s=day_begins_s)
                for s, n in sorted(n_bars.items())
            },
            sessions,
        )

    def _begin(self, grids: dict[int, BarGrid], sessions: Sessions) -> None:
        self.grids = grids
        self._sessions = sessions
        self._base_s = min(grids)
        self._lock = threading.RLock()

    @classmethod
    def _of(cls, grids: dict[int, BarGrid], sessions: Sessions) -> Self:
        frames = cls.__new__(cls)
        frames._begin(grids, sessions)
        return frames

    def __getitem__(self, timeframe_s: int) -> BarGrid:
        if timeframe_s not in self.grids:
            raise BadArgument(f"there are no bars of {timeframe_s!r} s; there are {', '.join(map(str, self.grids))}")
        return self.grids[timeframe_s]

    def apply(self, frame: BarFrame) -> Applied:
        """Take bars of the shortest timeframe in and rebuild the longer bars they belong to.

        Returns what it did to the shortest grid. Applying a frame twice changes nothing. Raises BadInput, and changes
        nothing, when the shortest grid is too short for a longer bar.
        """
        base = self.grids[self._base_s]
        columns = np.unique(base.universe.columns(frame.symbols))
        columns = columns[columns >= 0]
        with self._lock:
            spans = self._spans(frame)
            done = base.apply(frame)
            if done.new + done.revised == 0:
                return done
            for timeframe_s, start_ns, end_ns in spans:
                self.grids[timeframe_s].apply(self._built(frame, timeframe_s, start_ns, end_ns, columns))
        return done

    def with_symbols(self, symbols: Iterable[str]) -> Self:
        """Return the same timeframes of another universe; see ``BarGrid.with_symbols``."""
        symbols = tuple(symbols)
        with self._lock:
            return self._of({s: grid.with_symbols(symbols) for s, grid in self.grids.items()}, self._sessions)

    def adjust(self, symbol: str, ex_ns: int, ratio: float) -> int:
        """Apply a corporate action to every timeframe; see ``BarGrid.adjust``. ``ex_ns`` lies between two sessions.

        Returns the bars of the shortest timeframe that it changed.
        """
        with self._lock:
            changed = {s: grid.adjust(symbol, ex_ns, ratio) for s, grid in self.grids.items()}
        return changed[self._base_s]

    def snapshot(self) -> bytes:
        """Return every grid as bytes for ``restore``."""
        with self._lock:
            return msgspec.msgpack.encode([grid.snapshot() for grid in self.grids.values()])

    @classmethod
    def restore(cls, data: bytes, sessions: Sessions) -> Self:
        """Return the timeframes that ``snapshot`` saw. Raises ``BadMessage`` for bytes that are no snapshot."""
        try:
            grids = [BarGrid.restore(each) for each in msgspec.msgpack.decode(data, type=list[bytes])]
            _check({grid.timeframe_s: grid.capacity for grid in grids})
        except (msgspec.DecodeError, BadArgument) as error:
            raise BadMessage(f"these bytes are no snapshot of timeframes: {error}") from error
        return cls._of({grid.timeframe_s: grid for grid in grids}, sessions)

    def _spans(self, frame: BarFrame) -> list[tuple[int, int, int]]:
        """Return timeframe, start and end of the longer bars that a frame belongs to; refuse those it cannot build."""
        base = self.grids[self._base_s]
        events = np.unique(frame.event_ns[base.universe.columns(frame.symbols) >= 0])
        coming = np.union1d(base.event_ns, events)
        oldest = int(coming[-base.capacity :][0]) if len(coming) else 0
        lost = bool(base.dropped) or len(coming) > base.capacity
        spans = set()
        for timeframe_s in list(self.grids)[1:]:
            for event in events[events >= oldest].tolist():
                start_ns, end_ns = self._bar_of(event, timeframe_s)
                if lost and start_ns < min(end_ns, oldest):
                    raise BadInput(
                        f"{base.capacity} bars of {self._base_s} s are too few to build one of {timeframe_s} s"
                    )
                if start_ns < end_ns:
                    spans.add((timeframe_s, start_ns, end_ns))
        return sorted(spans)

    def _bar_of(self, event_ns: int, timeframe_s: int) -> tuple[int, int]:
        """Return start and end of the bar that holds a moment; an empty span outside sessions."""
        session = self._sessions.next_session(event_ns)
        if event_ns < session.open_ns:
            return event_ns, event_ns
        first, last = session_number([session.open_ns, session.close_ns - 1], self.grids[self._base_s].day_begins_s)
        if first != last:
            raise BadInput("the exchange's day begins in the middle of a session: give the grids their day_begins_s")
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


def _check(n_bars: Mapping[int, int]) -> None:
    """Raise BadArgument for timeframes that cannot be built from the shortest of them."""
    if not n_bars:
        raise BadArgument("n_bars names no timeframe: give seconds -> bars kept, such as {60: 390, 300: 200}")
    base_s = min(whole_seconds("a timeframe", s, 1, DAY_S) for s in n_bars)
    if any(s % base_s for s in n_bars):
        raise BadArgument(f"every timeframe must be a multiple of {base_s} s: {sorted(n_bars)}")
    long_s = max((s for s in n_bars if s < DAY_S), default=base_s)
    if n_bars[base_s] * base_s < long_s:
        raise BadArgument(f"{n_bars[base_s]} bars of {base_s} s are too few to build one of {long_s} s")
