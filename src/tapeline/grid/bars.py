"""The grid: bars of a universe, time-major, in a ring that remembers what it dropped.

In: frames of bars, whole arrays, revisions, corporate actions.  Out: fields ``(n_bars, n_symbols)``, oldest bar first,
and, through ``indicators``, values equal to those of the endless stream.
Refuses frames of another timeframe. A bar whose open, high, low or close is no finite number, or whose high lies below
its low, has not traded: all its fields are NaN. Open and close are taken as given, even outside of high and low.

Any number of threads may use a grid: one at a time changes it or asks for indicators, which move its memory too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapeline.core.errors import BadInput, BadMessage
from tapeline.core.types import BAR_FIELDS, DAY_S, F64, I64, BarFrame
from tapeline.grid.anchors import Anchors
from tapeline.grid.given import columns_given, events_given, whole_seconds
from tapeline.grid.records import DAY_BEGINS_S, Applied, Snapshot
from tapeline.grid.ring import NO_REVISION, Ring, close_gaps
from tapeline.grid.universe import Universe, first_words
from tapeline.kernels.engine import CLOSE
from tapeline.kernels.plan import Bars

PRICES = ("open", "high", "low", "close", "vwap")
_FIELD = {name: index for index, name in enumerate(BAR_FIELDS)}


class BarGrid:
    """Bars of a universe in a ring; see ``from_arrays`` and ``empty``.

    Attributes
    ----------
    universe
        Which symbol stands in which column.
    timeframe_s
        Length of every bar in seconds.
    day_begins_s
        When the exchange's day begins, in seconds after midnight UTC: no session may reach over it.
    dropped
        Rows that the ring has let go since the grid began.
    lock
        Held while a call lasts. Hold it (``with grid.lock``) to read several things of one moment beside other threads.
    """

    def __init__(self, universe: Universe, capacity: int, timeframe_s: int, day_begins_s: int = DAY_BEGINS_S) -> None:
        if capacity < 2:
            raise BadInput(f"a grid holds at least 2 bars per symbol, not {capacity}")
        self.universe = universe
        self.timeframe_s = whole_seconds("timeframe_s", timeframe_s, 1)
        self.day_begins_s = whole_seconds("day_begins_s", day_begins_s, 1 - DAY_S, DAY_S - 1)
        self.dropped = 0
        self.anchors = Anchors(len(universe))
        self._ring = Ring(capacity, len(universe), self.day_begins_s)
        self.lock = threading.RLock()

    def __repr__(self) -> str:
        return (
            f"<BarGrid: {len(self.universe)} symbols x {self.n_bars} of {self.capacity} bars of {self.timeframe_s} s,"
            f" {self.dropped} dropped>"
        )

    def __reduce__(self) -> tuple[Callable[[bytes], BarGrid], tuple[bytes]]:
        return BarGrid.restore, (self.snapshot(),)

    @classmethod
    def empty(
        cls,
        symbols: Iterable[str],
        n_bars: int,
        timeframe_s: int = DAY_S,
        *,
        track: Sequence[str] = (),
        day_begins_s: int = DAY_BEGINS_S,
    ) -> BarGrid:
        """Return a grid without bars.

        Parameters
        ----------
        symbols
            The universe, in the order of the columns.
        n_bars
            Bars kept per symbol; an older one is dropped for each that is appended beyond.
        timeframe_s
            Length of a bar in seconds.
        track
            Indicators whose past is remembered from the first bar on.
        day_begins_s
            When the exchange's day begins, in seconds after midnight UTC; ``vwap_session`` begins anew there. Midnight
            in New York if not given; 66,600 for India (18:30 UTC). No session may reach over it.
        """
        grid = cls(Universe(symbols), n_bars, timeframe_s, day_begins_s)
        grid.track(track)
        return grid

    @classmethod
    def from_arrays(
        cls,
        symbols: Iterable[str],
        event_ns: ArrayLike,
        *,
        open: ArrayLike,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
        vwap: ArrayLike | None = None,
        trades: ArrayLike | None = None,
        timeframe_s: int = DAY_S,
        n_bars: int | None = None,
        track: Sequence[str] = (),
        day_begins_s: int = DAY_BEGINS_S,
    ) -> BarGrid:
        """Return a grid of copies of whole fields.

        Parameters
        ----------
        symbols
            The universe, in the order of the columns.
        event_ns : int64 or datetime64 of any unit (n_bars,)
            Start of each bar, rising: UTC nanoseconds, or UTC dates and times.
        open, high, low, close, volume, vwap, trades : float64 (n_bars, n_symbols)
            Oldest bar first. NaN marks a bar that never traded. Not modified.
        timeframe_s
            Length of a bar in seconds.
        n_bars
            Bars kept per symbol; as many as given unless said otherwise. Of more than that the newest are kept, and
            the others are remembered by the indicators in ``track`` as if they had been dropped one by one.
        track
            Indicators whose past is remembered from the first bar on.
        day_begins_s
            As in ``empty``.

        Raises
        ------
        BadInput
            For arrays that do not fit each other, times that do not rise or are no times, symbols that are no text.
        """
        events, universe = events_given(event_ns), Universe(symbols)
        capacity = max(len(events), 2) if n_bars is None else n_bars
        grid = cls(universe, max(len(events), capacity) if capacity >= 2 else capacity, timeframe_s, day_begins_s)
        given = (open, high, low, close, volume, vwap, trades)
        columns_given(dict(zip(BAR_FIELDS, given, strict=True)), grid._ring.fields[:, : len(events)])
        grid._ring.begin(events)
        grid.track(track)
        if len(events) > capacity:
            grid.anchors.drop(grid.view(), len(events) - capacity)
            grid._ring, grid.dropped = grid._ring.newest(capacity), len(events) - capacity
        return grid

    @property
    def symbols(self) -> tuple[str, ...]:
        """The universe in the order of the columns."""
        return self.universe.symbols

    @property
    def n_bars(self) -> int:
        """Rows that the grid holds now."""
        return self._ring.n

    @property
    def capacity(self) -> int:
        """Rows that the grid can hold."""
        return self._ring.capacity

    @property
    def event_ns(self) -> I64:
        """Start of each bar, int64 (n_bars,), oldest first. A copy."""
        with self.lock:
            return self._ring.events[self._ring.slots()]

    def column(self, symbol: str) -> int:
        """Return the column of a symbol."""
        return self.universe.column(symbol)

    def field(self, name: str) -> F64:
        """Return a field, float64 (n_bars, n_symbols), oldest bar first. Read-only; a view unless the ring wraps."""
        with self.lock:
            return self._ring.field(self._index(name))

    def last(self, name: str) -> F64:
        """Return a field's newest row, float64 (n_symbols,): NaN where that bar did not trade. A copy."""
        index, ring = self._index(name), self._ring
        with self.lock:
            return (
                np.array(ring.fields[index, ring.slot(ring.n - 1)]) if ring.n else np.full(len(self.universe), np.nan)
            )

    def revisions(self, low: int, high: int) -> I64:
        """Return the revisions of the rows ``low`` to ``high``, int64 (high - low, n_symbols); -1: no bar. A copy."""
        with self.lock:
            return self._ring.revision[self._ring.slots()[low:high]]

    def track(self, names: Sequence[str]) -> None:
        """Remember the past of these indicators when bars are dropped.

        The first call of ``indicators`` does so too; when bars have been dropped before, the past is lost, and
        indicators that need it are NaN until they have settled.
        """
        with self.lock:
            self.anchors.track(names, has_past=self.dropped > 0)

    def indicators(self, names: Sequence[str], rows: Literal["last", "all"] = "last") -> dict[str, F64]:
        """Return the named indicators; see ``tapeline.grid.indicators``."""
        if rows not in ("last", "all"):
            raise BadInput(f'rows is "last" or "all", not {rows!r}')
        with self.lock:
            self.track(names)
            if not self.n_bars:
                shape = (0, len(self.universe)) if rows == "all" else (len(self.universe),)
                return {name: np.full(shape, np.nan) for name in names}
            return self.anchors.values(names, self.view(), self.dropped, all_rows=rows == "all")

    def view(self) -> Bars:
        """Return the ring as kernels see it; not to be written to, and to be read before the grid changes."""
        return self._ring.view()

    def apply(self, frame: BarFrame) -> Applied:
        """Take a frame's bars in. Applying a frame twice changes nothing.

        A bar that starts later than all others appends a row; one with a higher revision than the known one replaces
        it; one with the same or a lower revision is ignored and counted.
        """
        if frame.timeframe_s != self.timeframe_s:
            raise BadInput(f"a frame of {frame.timeframe_s} s bars does not fit a grid of {self.timeframe_s} s bars")
        with self.lock:
            return self._apply(frame)

    def _apply(self, frame: BarFrame) -> Applied:
        if self._is_next_row(frame):
            return self._append(frame)
        columns = self.universe.columns(frame.symbols)
        known = np.flatnonzero(columns >= 0)
        done = Applied(unknown=len(frame) - len(known))
        events = frame.event_ns[known]
        one = bool(len(events)) and bool((events == events[0]).all())  # the usual poll; sorting would cost more
        for event in events[:1].tolist() if one else np.unique(events).tolist():
            rows = known if one else known[events == event]
            position, is_new = self._row_for(event)
            if position is None:
                done += Applied(late=len(rows))
                continue
            done += Applied(rows=int(is_new))
            while len(rows):  # a symbol may stand in a frame several times: each pass takes its next word
                once = first_words(columns[rows])
                done += self._write(frame, position, rows[once], columns[rows[once]])
                rows = rows[~once]
        return done

    def overwrite(self, event_ns: int, columns: NDArray[np.intp], block: F64) -> None:
        """Put bars that start at ``event_ns`` in, whatever was there and whatever its revision.

        For a copy that looks ahead: the open bar of a symbol is said anew with every tick.

        Parameters
        ----------
        event_ns
            A row of the grid, or one that can be made: see ``apply``, which ignores bars that come too late.
        columns : int (n,)
            Columns of the grid, each once.
        block : float64 (7, n)
            ``BAR_FIELDS``; NaN for no bar. Not modified.
        """
        with self.lock:
            row, _ = self._row_for(event_ns)
            if row is None:
                return
            slot, block = self._ring.slot(row), block.copy()
            close_gaps(block)
            self._ring.fields[:, slot, columns] = block
            self._ring.revision[slot, columns] = np.where(np.isnan(block[CLOSE]), NO_REVISION, 0)
            self.anchors.changed(self.dropped + row)

    def with_symbols(self, symbols: Iterable[str]) -> BarGrid:
        """Return a grid of another universe: columns of symbols in both keep their bars and their past."""
        grid = BarGrid(Universe(()), self.capacity, self.timeframe_s, self.day_begins_s)
        grid.universe = self.universe if symbols is self.symbols else Universe(symbols)
        columns = self.universe.columns(grid.universe.symbols)
        with self.lock:
            grid._ring, grid.anchors, grid.dropped = self._ring.take(columns), self.anchors.take(columns), self.dropped
        return grid

    def adjust(self, symbol: str, ex_ns: int, ratio: float) -> int:
        """Apply a corporate action: multiply prices before ``ex_ns`` by ``ratio`` and divide volume by it.

        A 2:1 split has ratio 0.5. What recursive indicators remember of dropped bars is scaled alike, so their values
        are those of the endless stream of adjusted bars (to the bit for powers of two, else to the last digits). Only
        if ``ex_ns`` lies before the oldest bar, among dropped ones, their past no longer fits: NaN until settled, for
        obv, ad, sar and supertrend for good. Returns the bars changed.
        """
        if not (np.isfinite(ratio) and ratio > 0.0):
            raise BadInput(f"the ratio of a corporate action is a positive number, not {ratio}")
        column = self.column(symbol)
        with self.lock:
            ring, slots = self._ring, self._ring.slots()
            slots = slots[ring.events[slots] < ex_ns]
            for name in PRICES:
                ring.fields[_FIELD[name], slots, column] *= ratio
            ring.fields[_FIELD["volume"], slots, column] /= ratio
            if self.dropped and ex_ns < ring.events[ring.oldest]:
                self.anchors.forget_symbol(column, has_past=True)
            else:
                self.anchors.scale_symbol(column, ratio)
            return int((~np.isnan(ring.fields[CLOSE, slots, column])).sum())

    def snapshot(self) -> bytes:
        """Return the whole grid, its anchors included, as bytes for ``restore``. Same grid, same bytes."""
        with self.lock:
            return msgspec.msgpack.encode(self.record())

    def record(self, *, with_bars: bool = True) -> Snapshot:
        """Return the grid as it goes over the wire; without its bars, these two fields are empty."""
        ring, slots = self._ring, self._ring.slots()
        return Snapshot(
            symbols=self.symbols,
            timeframe_s=self.timeframe_s,
            capacity=self.capacity,
            dropped=self.dropped,
            tracked=tuple(self.anchors.names),
            event_ns=ring.events[slots].tobytes(),
            bars=ring.fields[:, slots].tobytes() if with_bars else b"",
            revision=ring.revision[slots].tobytes() if with_bars else b"",
            anchor=self.anchors.anchor.tobytes(),
            cold=self.anchors.cold.tobytes(),
            day_begins_s=self.day_begins_s,
        )

    @classmethod
    def restore(cls, data: bytes) -> BarGrid:
        """Return the grid that ``snapshot`` saw. Raises ``BadMessage`` for bytes that are no snapshot."""
        try:
            kept = msgspec.msgpack.decode(data, type=Snapshot)
            grid = cls(Universe(kept.symbols), kept.capacity, kept.timeframe_s, kept.day_begins_s)
            n, width = len(kept.event_ns) // 8, len(kept.symbols)
            grid._ring.fields[:, :n] = np.frombuffer(kept.bars).reshape(len(BAR_FIELDS), n, width)
            grid._ring.begin(
                np.frombuffer(kept.event_ns, np.int64), np.frombuffer(kept.revision, np.int64).reshape(n, width)
            )
            grid.dropped = kept.dropped
            grid.track(kept.tracked)
            grid.anchors.anchor = np.frombuffer(kept.anchor)
            grid.anchors.cold[:] = np.frombuffer(kept.cold, np.bool_).reshape(grid.anchors.cold.shape)
        except (msgspec.DecodeError, BadInput, ValueError) as error:
            raise BadMessage(f"these bytes are no snapshot of a grid: {error}") from error
        return grid

    def _index(self, name: str) -> int:
        if name not in _FIELD:
            raise BadInput(f"a bar has no field {name!r}; it has {', '.join(BAR_FIELDS)}")
        return _FIELD[name]

    def _row_for(self, event: int) -> tuple[int | None, bool]:
        """Return the row of bars that start at ``event``, made if need be, or None when it is too late for one."""
        ring = self._ring
        newest = ring.events[ring.slot(ring.n - 1)] if ring.n else event - 1
        if event == newest:
            return ring.n - 1, False
        if event < newest:
            events = self.event_ns
            row = int(np.searchsorted(events, event))
            if events[row] == event:
                return row, False
            if row == 0 and (ring.n == ring.capacity or self.dropped):
                return None, False
            return self._insert(row, event), True
        return self._insert(ring.n, event), True

    def _insert(self, row: int, event: int) -> int:
        """Make an empty row before ``row``, dropping the oldest when the ring is full; return where it stands."""
        if self._ring.n == self._ring.capacity:
            self.anchors.drop(self.view(), 1)
            self._ring.drop(1)
            self.dropped += 1
            row -= 1
        self._ring.insert(row, event)
        self.anchors.changed(self.dropped + row)
        return row

    def _is_next_row(self, frame: BarFrame) -> bool:
        """Return whether a frame is the next bar of the whole universe in its order: the usual poll of a market."""
        if frame.symbols != self.symbols or not len(frame):
            return False
        first, ring = int(frame.event_ns[0]), self._ring
        is_later = not ring.n or first > ring.events[ring.slot(ring.n - 1)]
        return is_later and bool((frame.event_ns == first).all()) and bool((frame.revision > NO_REVISION).all())

    def _append(self, frame: BarFrame) -> Applied:
        """Take in what ``_is_next_row``: field by field, with nothing to look up and nothing to compare."""
        ring = self._ring
        row = self._insert(ring.n, int(frame.event_ns[0]))
        slot = ring.slot(row)
        for index, name in enumerate(BAR_FIELDS):
            ring.fields[index, slot] = getattr(frame, name)
        close_gaps(ring.fields[:, slot])
        ring.revision[slot] = frame.revision
        self.anchors.changed(self.dropped + row)
        return Applied(rows=1, new=len(frame))

    def _write(self, frame: BarFrame, row: int, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Applied:
        """Write bars of different symbols into one row where their revision is higher than the known one."""
        ring, slot = self._ring, self._ring.slot(row)
        known, given = ring.revision[slot, columns], frame.revision[rows]
        newer = given > known
        every = bool(newer.all())
        if not every:
            rows, columns, known, given = rows[newer], columns[newer], known[newer], given[newer]
        block = np.stack([getattr(frame, name) for name in BAR_FIELDS])
        if len(rows) < len(frame) or not (rows[1:] > rows[:-1]).all():
            block = block[:, rows]
        close_gaps(block)
        full = len(columns) == len(self.universe) and bool((columns[1:] > columns[:-1]).all())
        where = slice(None) if full else columns  # a whole row in order is copied, not scattered
        ring.fields[:, slot, where] = block
        ring.revision[slot, where] = given
        if len(rows):
            self.anchors.changed(self.dropped + row)
        revised = int((known > NO_REVISION).sum())
        return Applied(new=len(rows) - revised, revised=revised, ignored=len(newer) - len(rows))
