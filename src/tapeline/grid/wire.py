"""A grid on the wire in parts: a head, and each bar's row by itself, so that what did not change need not travel.

In: a grid, or a head with rows.  Out: bytes, or the grid that they were made of.
Refuses heads and rows that do not belong together. A row has as many columns as there were when it was written; columns
that came later have no bar in it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from msgspec.structs import replace

from tapeline.core.errors import BadMessage
from tapeline.core.types import BAR_FIELDS
from tapeline.grid.bars import BarGrid
from tapeline.grid.records import Snapshot
from tapeline.grid.ring import NO_REVISION

_PLANES = len(BAR_FIELDS) + 1


def head_of(grid: BarGrid) -> bytes:
    """Return everything of a grid but the bars: symbols, times of the rows, what indicators remember."""
    with grid.lock:
        return msgspec.msgpack.encode(grid.record(with_bars=False))


def row_of(grid: BarGrid, event_ns: int) -> bytes:
    """Return the bars that start at ``event_ns``, with their revisions; no bytes when there is no such row."""
    with grid.lock:
        row = int(np.searchsorted(grid.event_ns, event_ns))
        if row == grid.n_bars or grid.event_ns[row] != event_ns:
            return b""
        fields = np.stack([grid.field(name)[row] for name in BAR_FIELDS])
        return fields.tobytes() + grid.revisions(row, row + 1).tobytes()


def grid_of(head: bytes, rows: Mapping[int, bytes]) -> BarGrid:
    """Return the grid of which these are the head and the rows, by the start of their bars.

    Raises
    ------
    BadMessage
        For bytes that are no head, and for a row that is missing or does not fit.
    """
    try:
        kept = msgspec.msgpack.decode(head, type=Snapshot)
        events = np.frombuffer(kept.event_ns, np.int64).tolist()
        width = len(kept.symbols)
        bars = np.full((len(BAR_FIELDS), len(events), width), np.nan)
        revision = np.full((len(events), width), NO_REVISION, np.int64)
        for row, event_ns in enumerate(events):
            saved = np.frombuffer(rows[event_ns]).reshape(_PLANES, -1)
            wide = saved.shape[1]
            bars[:, row, :wide] = saved[:-1]
            revision[row, :wide] = saved[-1].view(np.int64)
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        raise BadMessage(f"these parts are no grid: {error!r}") from error
    return BarGrid.restore(msgspec.msgpack.encode(replace(kept, bars=bars.tobytes(), revision=revision.tobytes())))
