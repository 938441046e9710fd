"""What the lanes were told of the last minutes before a restart, for the poller to read them once more.

In: the journal, and what workers closed that is not in it yet.  Out: frames of minute bars, as they were told.
Refuses to answer before the workers have applied all that was published: half an answer would be told twice.
"""

from __future__ import annotations

import anyio

from tapeline.core.types import MINUTE_S, NS_PER_S, BarFrame
from tapeline.feed.reread import KEPT_MINUTES
from tapeline.loop.desk import Desk
from tapeline.store import queries
from tapeline.streams.closed import ClosedReader

PATIENCE_S = 10.0
PAUSE_S = 0.02
"""How long the workers may take, and between two looks, in real seconds."""


async def told_lately(desk: Desk, closed: ClosedReader, covered_ns: int) -> list[BarFrame]:
    """Return the minute bars of the last ``KEPT_MINUTES`` before ``covered_ns``; none when the workers are too late.

    ``closed`` is not moved: what it has not read yet is read again by the session.
    """
    since_ns = covered_ns - KEPT_MINUTES * MINUTE_S * NS_PER_S
    found = await desk.journal.read(lambda connection: queries.bars(connection, MINUTE_S, since_ns))
    ahead = ClosedReader(desk.store, len(closed.offsets), closed.offsets)
    for lane in closed.offsets:
        if not await _has_applied_all(desk, lane):
            return []
        while batches := await ahead.read(lane):
            frames = [frame for batch in batches for frame in batch.frames]
            found += [frame for frame in frames if frame.timeframe_s == MINUTE_S and len(frame)]
    return found


async def _has_applied_all(desk: Desk, lane: int) -> bool:
    with anyio.move_on_after(PATIENCE_S):  # real seconds, since a worker's liveness is physical
        while True:
            progress = await desk.store.progress(lane)
            if progress.applied_id == progress.last_id:
                return True
            await anyio.sleep(PAUSE_S)
    return False
