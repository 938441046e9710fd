"""Which lane a symbol takes, and how a frame gets there.

In: a ``BarFrame`` of any symbols.  Out: one entry in every lane, with the lane's share of the rows.
A lane without rows gets an empty frame, because time passes there too. Refuses nothing: bad rows are the worker's to
judge, and revisions of old bars pass like new ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from tapeline.core.types import BarFrame
from tapeline.streams import frames
from tapeline.streams.store import LaneStore

Underlying = Callable[[str], str]
"""Names the underlying of a symbol, so that an option shares its lane."""


def itself(symbol: str) -> str:
    """Return the symbol: an equity is its own underlying."""
    return symbol


def lane_of(symbol: str, n_lanes: int, underlying: Underlying = itself) -> int:
    """Return the lane of a symbol: a hash of its underlying that never changes between runs, machines or versions."""
    return zlib.crc32(underlying(symbol).encode()) % n_lanes


class Publisher:
    """Splits frames by lane and appends them.

    Parameters
    ----------
    store
        Where the lanes live.
    n_lanes
        How many there are.
    underlying
        Names a symbol's underlying.
    """

    def __init__(self, store: LaneStore, n_lanes: int, underlying: Underlying = itself) -> None:
        self._store = store
        self.n_lanes = n_lanes
        self._underlying = underlying
        self._lane_by_symbol: dict[str, int] = {}
        self._watermark_ns: dict[int, int] = {}

    async def open(self) -> int | None:
        """Claim the lanes; return up to when every lane has all that was asked for, or None for a fresh store.

        The poller restarts from there: a frame that reached only some lanes is published to all again.
        """
        await self._store.claim_lanes(self.n_lanes)
        marks = [await self._store.watermark(lane) for lane in range(self.n_lanes)]
        known = {lane: mark for lane, mark in enumerate(marks) if mark is not None}
        self._watermark_ns = known
        return min(known.values()) if len(known) == self.n_lanes else None

    async def publish(self, frame: BarFrame) -> Mapping[int, str]:
        """Append each lane's rows, with its watermark, in one transaction per lane.

        Returns
        -------
        lane -> id of its last entry. The worker has done with the frame once the lane's applied id reaches it.
        """
        lanes = self._lanes_of(frame.symbols)
        ids: dict[int, str] = {}
        for lane in range(self.n_lanes):
            parts = [frames.to_fields(part) for part in _parts(frame.take(lanes == lane))]
            moved = frame.as_of_ns > self._watermark_ns.get(lane, 0)
            ids[lane] = (await self._store.publish(lane, parts, frame.as_of_ns if moved else None))[-1]
            if moved:
                self._watermark_ns[lane] = frame.as_of_ns
        return ids

    def _lanes_of(self, symbols: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        known = self._lane_by_symbol
        for symbol in symbols:
            if symbol not in known:
                known[symbol] = lane_of(symbol, self.n_lanes, self._underlying)
        return np.array([known[symbol] for symbol in symbols], np.intp)


def _parts(frame: BarFrame) -> list[BarFrame]:
    """Cut a frame into entries of bounded size; only the last one moves time on, when all rows are there."""
    if len(frame) <= frames.MAX_ROWS:
        return [frame]
    cuts = range(0, len(frame), frames.MAX_ROWS)
    parts = [frame.take(np.arange(cut, min(cut + frames.MAX_ROWS, len(frame)))) for cut in cuts]
    return [*(replace(part, as_of_ns=int(frame.event_ns.min())) for part in parts[:-1]), parts[-1]]
