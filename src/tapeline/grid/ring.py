"""The ring under a grid: rows of bars, each with its time, its session and its revisions; the oldest goes first.

In: rows to make and to move, blocks of bars.  Out: slots, and the ring as kernels see it.
Refuses nothing: the grid has checked what comes in. A bar with a price of its four that is no finite number, or with a
high below its low, is no bar: all its fields are NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapeline.core.types import BAR_FIELDS, F64, I64
from tapeline.grid.records import session_number
from tapeline.kernels.engine import CLOSE, HIGH, LOW
from tapeline.kernels.plan import Bars
from tapeline.kernels.threads import share

NO_REVISION = -1


def close_gaps(block: F64) -> None:
    """Make what is no bar NaN in every field. ``block`` is float64 (7, ...), changed in place."""
    bar = np.isfinite(block[: CLOSE + 1].sum(axis=0)) & (block[HIGH] >= block[LOW])
    if not bar.all():
        block[:, ~bar] = np.nan


class Ring:
    """Rows of bars in slots; see the module.

    Attributes
    ----------
    fields : float64 (7, capacity, n_symbols)
    revision : int64 (capacity, n_symbols)
        -1 where there is no bar.
    events : int64 (capacity,)
        Start of each row's bars in UTC nanoseconds.
    sessions : float64 (capacity,)
        The number of each row's session.
    oldest, n : int
        The slot of the oldest row, and how many rows there are.
    """

    def __init__(self, capacity: int, n_symbols: int, day_begins_s: int) -> None:
        self.day_begins_s = day_begins_s
        self.fields: F64 = np.full((len(BAR_FIELDS), capacity, n_symbols), np.nan)
        self.revision: I64 = np.full((capacity, n_symbols), NO_REVISION, np.int64)
        self.events: I64 = np.zeros(capacity, np.int64)
        self.sessions: F64 = np.zeros(capacity)
        self.oldest = 0
        self.n = 0

    @property
    def capacity(self) -> int:
        """Rows that there is room for."""
        return len(self.events)

    def slot(self, row: int) -> int:
        """Return where a row stands, 0 being the oldest."""
        return (self.oldest + row) % self.capacity

    def slots(self) -> NDArray[np.intp]:
        """Return where the rows stand, oldest first."""
        return (self.oldest + np.arange(self.n)) % self.capacity

    def view(self) -> Bars:
        """Return the ring as kernels see it."""
        return Bars(self.fields, self.sessions, self.oldest, self.n)

    def field(self, index: int) -> F64:
        """Return a field, float64 (n, n_symbols), oldest bar first. Read-only; a view unless the ring wraps."""
        if self.oldest + self.n <= self.capacity:
            values = self.fields[index, self.oldest : self.oldest + self.n]
        else:
            values = self.fields[index, self.slots()]
        values.flags.writeable = False
        return values

    def begin(self, events: I64, revision: I64 | None = None) -> None:
        """Count the first rows of ``fields``, which have been written, as bars; their revisions are 0 if not given."""
        self.n = n = len(events)
        self.events[:n] = events
        self.sessions[:n] = session_number(events, self.day_begins_s)
        close_gaps(self.fields[:, :n])
        traded = np.where(np.isnan(self.fields[CLOSE, :n]), NO_REVISION, 0)
        self.revision[:n] = traded if revision is None else revision

    def newest(self, capacity: int) -> Ring:
        """Return a smaller ring with as many of the newest rows as it can hold."""
        slots = self.slots()[-capacity:]
        ring = Ring(capacity, self.fields.shape[2], self.day_begins_s)
        ring.fields[:, : len(slots)] = self.fields[:, slots]
        ring.begin(self.events[slots], self.revision[slots])
        return ring

    def take(self, columns: NDArray[np.intp]) -> Ring:
        """Return a ring of other columns, each a copy of the one of ours that it names; -1 names a new one."""
        is_known = columns >= 0
        ring = Ring(self.capacity, 0, self.day_begins_s)
        ring.events, ring.sessions = self.events.copy(), self.sessions.copy()
        ring.oldest, ring.n = self.oldest, self.n
        if np.array_equal(columns, np.arange(self.fields.shape[2])):
            ring.fields, ring.revision = self.fields.copy(), self.revision.copy()
            return ring
        if is_known.all() and len(columns):
            ring.fields = np.empty((len(BAR_FIELDS), self.capacity, len(columns)))
            taken = ring.fields

            def work(low: int, high: int) -> None:
                for index in range(low, high):
                    np.take(self.fields[index], columns, axis=1, out=taken[index], mode="clip")  # "raise" would buffer

            share(work, len(BAR_FIELDS), self.capacity * len(columns))
            ring.revision = self.revision[:, columns]
            return ring
        ring.fields = np.full((len(BAR_FIELDS), self.capacity, len(columns)), np.nan)
        ring.revision = np.full((self.capacity, len(columns)), NO_REVISION, np.int64)
        ring.fields[:, :, is_known] = self.fields[:, :, columns[is_known]]
        ring.revision[:, is_known] = self.revision[:, columns[is_known]]
        return ring

    def drop(self, n_rows: int) -> None:
        """Let the oldest rows go."""
        self.oldest = self.slot(n_rows)
        self.n -= n_rows

    def insert(self, row: int, event: int) -> None:
        """Make an empty row before ``row``; there must be room for it."""
        self.n += 1
        for later in range(self.n - 1, row, -1):  # a bar that comes out of order moves the younger rows up
            to, source = self.slot(later), self.slot(later - 1)
            self.fields[:, to] = self.fields[:, source]
            self.revision[to] = self.revision[source]
            self.events[to] = self.events[source]
            self.sessions[to] = self.sessions[source]
        slot = self.slot(row)
        self.fields[:, slot] = np.nan
        self.revision[slot] = NO_REVISION
        self.events[slot] = event
        self.sessions[slot] = session_number(event, self.day_begins_s)
