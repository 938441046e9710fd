"""Several grids as one: columns move to another grid with their bars and their past.

In: grids of the same bars and indicators, of different symbols.  Out: a grid of any of their symbols.
Its rows are those of all, the newest as many as it holds: a symbol has not traded in the rows of others. Changes the
grids that it is given: older rows go as they would have gone in the larger grid. Refuses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tapeline.grid.bars import BarGrid


def join(grids: Sequence[BarGrid], symbols: Iterable[str]) -> BarGrid:
    """Return a grid of ``symbols``, each with what the first grid that has it knows; see the module.

    Parameters
    ----------
    grids
        At least one; all with the capacity, timeframe and tracked indicators of the first.
    symbols
        Columns of the new grid, in order; one that no grid has begins empty.
    """
    first = grids[0]
    events = np.unique(np.concatenate([grid.event_ns for grid in grids]))[-first.capacity :]
    joined = BarGrid.empty(
        symbols, first.capacity, first.timeframe_s, track=tuple(first.anchors.names), day_begins_s=first.day_begins_s
    )
    ring, states = joined._ring, joined.anchors.anchor
    known = np.zeros(len(joined.symbols), np.bool_)
    for grid in grids:
        for event in events.tolist():
            grid._row_for(event)
        old = grid.universe.columns(joined.symbols)
        new = np.flatnonzero((old >= 0) & ~known)
        old, slots = old[new], grid._ring.slots()
        known[new] = True
        ring.fields[:, : events.size, new] = grid._ring.fields[:, slots][:, :, old]
        ring.revision[: events.size, new] = grid._ring.revision[slots][:, old]
        states[:, new] = grid.anchors.anchor[:, old]
        joined.anchors.cold[:, new] = grid.anchors.cold[:, old]
        joined.dropped = max(joined.dropped, grid.dropped)
    ring.begin(events, ring.revision[: events.size].copy())
    joined.anchors.anchor = states
    return joined
