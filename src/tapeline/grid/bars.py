"""The grid: bars of a universe, time-major, in a ring that remembers what it dropped.

In: frames of bars, whole arrays, revisions, corporate actions.  Out: fields ``(n_bars, n_symbols)``, oldest bar first,
and, through ``indicators``, values equal to those of the endless stream.
Refuses frames of another timeframe. A bar whose open, high, low or close is no finite number has not traded: all its
fields are NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapeline.core.errors import BadInput, BadMessage
from tapeline.core.types import BAR_FIELDS, DAY_S, F64, I64, BarFrame
from tapeline.grid.anchors import Anchors
from tapeline.grid.records import Applied, Snapshot, session_number
from tapeline.grid.universe import Universe
from tapeline.kernels.engine import CLOSE
from tapeline.kernels.plan import Bars

PRICES = ("open", "high", "low", "close", "vwap")
_FIELD = {name: index for index, name in enumerate(BAR_FIELDS)}
_NO_REVISION = -1


def _first_words(columns: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return a mask of each column's first appearance."""
    if (columns[1:] > columns[:-1]).all():  # symbols in the universe's order: the usual poll
        return np.ones(len(columns), np.bool_)
    once = np.zeros(len(columns), np.bool_)
    once[np.unique(columns, return_index=True)[1]] = True
    return once


class BarGrid:
    """Bars of a universe in a ring; see ``from_arrays`` and ``empty``.

    Attributes
    ----------
    universe
        Which symbol stands in which column.
    timeframe_s
        Length of every bar in seconds.
    dropped
        Rows that the ring has let go since the grid began.
    """

    def __init__(self, universe: Universe, capacity: int, timeframe_s: int) -> None:
        if capacity < 2:
            raise BadInput(f"a grid holds at least 2 bars per symbol, not {capacity}")
        self.universe = universe
        self.timeframe_s = timeframe_s
        self.dropped = 0
        self._ring: F64 = np.full((len(BAR_FIELDS), capacity, len(universe)), np.nan)
        self._revision: I64 = np.full((capacity, len(universe)), _NO_REVISION, np.int64)
        self._events: I64 = np.zeros(capacity, np.int64)
        self._sessions: F64 = np.zeros(capacity)
        self._oldest = 0
        self._n = 0
        self.anchors = Anchors(len(universe))

    @classmethod
    def empty(
        cls, symbols: Iterable[str], n_bars: int, timeframe_s: int = DAY_S, *, track: Sequence[str] = ()
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
        """
        grid = cls(Universe(symbols), n_bars, timeframe_s)
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
    ) -> BarGrid:
        """Return a grid of copies of whole fields.

        Parameters
        ----------
        symbols
            The universe, in the order of the columns.
        event_ns : int64 (n_bars,)
            Start of each bar in UTC nanoseconds, rising.
        open, high, low, close, volume, vwap, trades : float64 (n_bars, n_symbols)
            Oldest bar first. NaN marks a bar that never traded. Not modified.
        timeframe_s
            Length of a bar in seconds.
        n_bars
            Bars kept per symbol; as many as given unless said otherwise.
        track
            Indicators whose past is remembered from the first bar on.
        """
        events = np.ascontiguousarray(event_ns, np.int64)
        given = (open, high, low, close, volume, vwap, trades)
        grid = cls(Universe(symbols), max(n_bars or len(events), len(events), 2), timeframe_s)
        if events.ndim != 1 or (np.diff(events) <= 0).any():
            raise BadInput("event_ns must be one rising row of bar starts")
        for index, (name, column) in enumerate(zip(BAR_FIELDS, given, strict=True)):
            if column is None:
                continue
            values = np.asarray(column, np.float64)
            if values.shape != (len(events), len(grid.universe)):
                raise BadInput(f"{name} has shape {values.shape}, expected {(len(events), len(grid.universe))}")
            grid._ring[index, : len(events)] = values
        grid._events[: len(events)] = events
        grid._sessions[: len(events)] = session_number(events)
        grid._n = len(events)
        grid._close_gaps(slice(0, len(events)))
        traded = ~np.isnan(grid._ring[CLOSE, : len(events)])
        grid._revision[: len(events)][traded] = 0
        grid.track(track)
        return grid

    @property
    def symbols(self) -> tuple[str, ...]:
        """The universe in the order of the columns."""
        return self.universe.symbols

    @property
    def n_bars(self) -> int:
        """Rows that the grid holds now."""
        return self._n

    @property
    def capacity(self) -> int:
        """Rows that the grid can hold."""
        return len(self._events)

    @property
    def event_ns(self) -> I64:
        """Start of each bar, int64 (n_bars,), oldest first. A copy."""
        return self._events[self._slots()]

    def column(self, symbol: str) -> int:
        """Return the column of a symbol."""
        return self.universe.column(symbol)

    def field(self, name: str) -> F64:
        """Return a field, float64 (n_bars, n_symbols), oldest bar first. Read-only; a view unless the ring wraps."""
        index = self._index(name)
        if self._oldest + self._n <= self.capacity:
            values = self._ring[index, self._oldest : self._oldest + self._n]
        else:
            values = self._ring[index, self._slots()]
        values.flags.writeable = False
        return values

    def last(self, name: str) -> F64:
        """Return a field's newest row, float64 (n_symbols,): NaN where that bar did not trade. A copy."""
        index = self._index(name)
        if not self._n:
            return np.full(len(self.universe), np.nan)
        return np.array(self._ring[index, self._slot(self._n - 1)])

    def revisions(self, low: int, high: int) -> I64:
        """Return the revisions of the rows ``low`` to ``high``, int64 (high - low, n_symbols); -1: no bar. A copy."""
        return self._revision[self._slots()[low:high]]

    def track(self, names: Sequence[str]) -> None:
        """Remember the past of these indicators when bars are dropped.

        The first call of ``indicators`` does so too; when bars have been dropped before, the past is lost, and
        indicators that need it are NaN until they have settled.
        """
        self.anchors.track(names, has_past=self.dropped > 0)

    def indicators(self, names: Sequence[str], rows: Literal["last", "all"] = "last") -> dict[str, F64]:
        """Return the named indicators; see ``tapeline.grid.indicators``."""
        if rows not in ("last", "all"):
            raise BadInput(f'rows is "last" or "all", not {rows!r}')
        self.track(names)
        if not self._n:
            shape = (0, len(self.universe)) if rows == "all" else (len(self.universe),)
            return {name: np.full(shape, np.nan) for name in names}
        return self.anchors.values(names, self.view(), self.dropped, all_rows=rows == "all")

    def view(self) -> Bars:
        """Return the ring as kernels see it; not to be written to."""
        return Bars(self._ring, self._sessions, self._oldest, self._n)

    def apply(self, frame: BarFrame) -> Applied:
        """Take a frame's bars in. Applying a frame twice changes nothing.

        A bar that starts later than all others appends a row; one with a higher revision than the known one replaces
        it; one with the same or a lower revision is ignored and counted.
        """
        if frame.timeframe_s != self.timeframe_s:
            raise BadInput(f"a frame of {frame.timeframe_s} s bars does not fit a grid of {self.timeframe_s} s bars")
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
                once = _first_words(columns[rows])
                done += self._write(frame, position, rows[once], columns[rows[once]])
                rows = rows[~once]
        return done

    def with_symbols(self, symbols: Iterable[str]) -> BarGrid:
        """Return a grid of another universe: columns of symbols in both keep their bars and their past."""
        universe = Universe(symbols)
        grid = BarGrid(universe, self.capacity, self.timeframe_s)
        old = self.universe.columns(universe.symbols)
        new = np.flatnonzero(old >= 0)
        old = old[new]
        grid._ring[:, :, new] = self._ring[:, :, old]
        grid._revision[:, new] = self._revision[:, old]
        grid._events[:] = self._events
        grid._sessions[:] = self._sessions
        grid._oldest, grid._n, grid.dropped = self._oldest, self._n, self.dropped
        grid.anchors.track(self.anchors.names, has_past=False)  # a new symbol has no past that could be missing
        states = grid.anchors.anchor
        states[:, new] = self.anchors.anchor[:, old]
        grid.anchors.anchor = states
        grid.anchors.cold[:, new] = self.anchors.cold[:, old]
        return grid

    def adjust(self, symbol: str, ex_ns: int, ratio: float) -> int:
        """Apply a corporate action: multiply prices before ``ex_ns`` by ``ratio`` and divide volume by it.

        A 2:1 split has ratio 0.5. The past of the symbol's recursive indicators no longer fits when bars were dropped:
        they are NaN until settled. Returns the bars changed.
        """
        if not (np.isfinite(ratio) and ratio > 0.0):
            raise BadInput(f"the ratio of a corporate action is a positive number, not {ratio}")
        column = self.column(symbol)
        slots = self._slots()
        slots = slots[self._events[slots] < ex_ns]
        for name in PRICES:
            self._ring[_FIELD[name], slots, column] *= ratio
        self._ring[_FIELD["volume"], slots, column] /= ratio
        self.anchors.forget_symbol(column, has_past=self.dropped > 0)
        return int((~np.isnan(self._ring[CLOSE, slots, column])).sum())

    def snapshot(self) -> bytes:
        """Return the whole grid, its anchors included, as bytes for ``restore``. Same grid, same bytes."""
        slots = self._slots()
        return msgspec.msgpack.encode(
            Snapshot(
                symbols=self.symbols,
                timeframe_s=self.timeframe_s,
                capacity=self.capacity,
                dropped=self.dropped,
                tracked=tuple(self.anchors.names),
                event_ns=self._events[slots].tobytes(),
                bars=self._ring[:, slots].tobytes(),
                revision=self._revision[slots].tobytes(),
                anchor=self.anchors.anchor.tobytes(),
                cold=self.anchors.cold.tobytes(),
            )
        )

    @classmethod
    def restore(cls, data: bytes) -> BarGrid:
        """Return the grid that ``snapshot`` saw. Raises ``BadMessage`` for bytes that are no snapshot."""
        try:
            kept = msgspec.msgpack.decode(data, type=Snapshot)
            grid = cls(Universe(kept.symbols), kept.capacity, kept.timeframe_s)
            n, width = len(kept.event_ns) // 8, len(kept.symbols)
            grid._events[:n] = np.frombuffer(kept.event_ns, np.int64)
            grid._sessions[:n] = session_number(grid._events[:n])
            grid._ring[:, :n] = np.frombuffer(kept.bars).reshape(len(BAR_FIELDS), n, width)
            grid._revision[:n] = np.frombuffer(kept.revision, np.int64).reshape(n, width)
            grid._n, grid.dropped = n, kept.dropped
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

    def _slot(self, row: int) -> int:
        return (self._oldest + row) % self.capacity

    def _slots(self) -> NDArray[np.intp]:
        return (self._oldest + np.arange(self._n)) % self.capacity

    def _close_gaps(self, slots: slice) -> None:
        """Make bars without four finite prices NaN in every field."""
        block = self._ring[:, slots]
        gap = ~np.isfinite(block[: CLOSE + 1].sum(axis=0))
        if gap.any():
            block[:, gap] = np.nan

    def _row_for(self, event: int) -> tuple[int | None, bool]:
        """Return the row of bars that start at ``event``, made if need be, or None when it is too late for one."""
        if self._n and event <= self._events[self._slot(self._n - 1)]:
            events = self.event_ns
            row = int(np.searchsorted(events, event))
            if events[row] == event:
                return row, False
            if row == 0 and (self._n == self.capacity or self.dropped):
                return None, False
            return self._insert(row, event), True
        return self._insert(self._n, event), True

    def _insert(self, row: int, event: int) -> int:
        """Make an empty row before ``row``, dropping the oldest when the ring is full; return where it stands."""
        if self._n == self.capacity:
            self.anchors.drop(self.view(), 1)
            self._oldest = self._slot(1)
            self._n -= 1
            self.dropped += 1
            row -= 1
        self._n += 1
        for later in range(self._n - 1, row, -1):  # a bar that comes out of order moves the younger rows up
            to, source = self._slot(later), self._slot(later - 1)
            self._ring[:, to] = self._ring[:, source]
            self._revision[to] = self._revision[source]
            self._events[to] = self._events[source]
            self._sessions[to] = self._sessions[source]
        slot = self._slot(row)
        self._ring[:, slot] = np.nan
        self._revision[slot] = _NO_REVISION
        self._events[slot] = event
        self._sessions[slot] = session_number(event)
        self.anchors.changed(self.dropped + row)
        return row

    def _write(self, frame: BarFrame, row: int, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Applied:
        """Write bars of different symbols into one row where their revision is higher than the known one."""
        slot = self._slot(row)
        known, given = self._revision[slot, columns], frame.revision[rows]
        newer = given > known
        every = bool(newer.all())
        if not every:
            rows, columns, known, given = rows[newer], columns[newer], known[newer], given[newer]
        block = np.stack([getattr(frame, name) for name in BAR_FIELDS])
        if len(rows) < len(frame) or not (rows[1:] > rows[:-1]).all():
            block = block[:, rows]
        gap = ~np.isfinite(block[: CLOSE + 1].sum(axis=0))
        if gap.any():
            block[:, gap] = np.nan
        full = len(columns) == len(self.universe) and bool((columns[1:] > columns[:-1]).all())
        where = slice(None) if full else columns  # a whole row in order is copied, not scattered
        self._ring[:, slot, where] = block
        self._revision[slot, where] = given
        if len(rows):
            self.anchors.changed(self.dropped + row)
        revised = int((known > _NO_REVISION).sum())
        return Applied(new=len(rows) - revised, revised=revised, ignored=len(newer) - len(rows))
