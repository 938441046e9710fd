"""The node's end of the lanes: the bars that workers closed.

In: the streams of closed bars.  Out: ``ClosedBatch`` per entry, lane by lane in the lane's order.
Keeps no state of its own besides the offsets, which the journal stores in the transaction that stores the bars. Refuses
to wait for ever: a lane that falls silent is an error that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import anyio

from tapeline.core.errors import Unavailable
from tapeline.core.types import BarFrame
from tapeline.streams import frames, keys
from tapeline.streams.store import BEGINNING, LaneStore


@dataclass(frozen=True, slots=True)
class ClosedBatch:
    """Bars that one entry of a lane closed. ``id`` becomes the lane's offset once they are in the journal."""

    lane: int
    id: str
    frames: tuple[BarFrame, ...]


class ClosedReader:
    """Reads the closed bars of every lane from given offsets on.

    Parameters
    ----------
    store
        Where the lanes live.
    n_lanes
        How many there are; when that changes, it is noticed at the next ``read_until``.
    offsets
        lane -> id of the last entry that is already in the journal.
    """

    def __init__(self, store: LaneStore, n_lanes: int, offsets: Mapping[int, str] | None = None) -> None:
        self._store = store
        self._known = dict(offsets or {})
        self._n_lanes = n_lanes
        self.offsets: dict[int, str] = {}
        self._as_of_ns: dict[int, int] = {}
        self._widen(n_lanes)

    def _widen(self, n_lanes: int) -> None:
        for lane in range(len(self.offsets), n_lanes):
            self.offsets[lane], self._as_of_ns[lane] = self._known.get(lane, BEGINNING), 0

    async def _follow(self) -> list[ClosedBatch]:
        """Go by the number of lanes there is now; return what lanes that are none any more had still to say."""
        layout = await self._store.layout()
        self._n_lanes = layout.lanes or self._n_lanes
        self._widen(max(layout.widest, self._n_lanes))
        found: list[ClosedBatch] = []
        for lane in range(self._n_lanes, len(self.offsets)):
            while batches := await self.read(lane):
                found += batches
        return found

    async def read(self, lane: int, *, count: int = 100, block_s: float = 0.0) -> list[ClosedBatch]:
        """Return what a lane closed since the last call, waiting at most ``block_s`` real seconds for it."""
        entries = await self._store.read_closed(lane, self.offsets[lane], count=count, block_s=block_s)
        batches = [ClosedBatch(lane, entry.id, unpack_closed(entry.fields[keys.FRAME])) for entry in entries]
        for batch in batches:
            self.offsets[lane] = batch.id
            self._as_of_ns[lane] = max([self._as_of_ns[lane], *(frame.as_of_ns for frame in batch.frames)])
        return batches

    async def read_until(self, as_of_ns: int, *, timeout_s: float = 30.0) -> list[ClosedBatch]:
        """Return all that was closed until every lane knows everything before ``as_of_ns``.

        This is how the node waits for the workers: a lane closes its bars, or says that there are none, as time passes
        each boundary of a bar. ``timeout_s`` is in real seconds, since a worker's liveness is physical.

        Raises
        ------
        Unavailable
            When a lane has not come that far in time; the text names the lanes.
        """
        before = dict(self.offsets), dict(self._as_of_ns)
        found: list[ClosedBatch] = []
        try:
            with anyio.fail_after(timeout_s):
                found += await self._follow()
                for lane in range(self._n_lanes):
                    while self._as_of_ns[lane] < as_of_ns:
                        found.extend(await self.read(lane, block_s=0.25))
        except BaseException as error:
            late = ", ".join(str(lane) for lane in range(self._n_lanes) if self._as_of_ns[lane] < as_of_ns)
            self.offsets, self._as_of_ns = before  # what was found is handed to nobody: it will be read again
            if isinstance(error, TimeoutError):
                raise Unavailable(f"no worker has closed the bars of lane {late} within {timeout_s:.0f} s") from error
            raise
        return found

    async def trim(self) -> None:
        """Drop what the offsets cover from the streams. Call it once the journal has them on disk."""
        for lane, offset in self.offsets.items():
            await self._store.trim_closed(lane, offset)


def pack_closed(closed: tuple[BarFrame, ...]) -> bytes:
    """Return the closed frames of one entry as one payload."""
    return frames.pack([frames.encode(frame) for frame in closed])


def unpack_closed(payload: bytes) -> tuple[BarFrame, ...]:
    """Return the closed frames inside a payload; raise ``BadMessage`` when it holds none."""
    return tuple(frames.decode(part) for part in frames.unpack(payload))
