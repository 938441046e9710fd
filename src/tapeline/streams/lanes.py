"""Which lane a symbol takes, and how a frame gets there.

In: a ``BarFrame`` of any symbols.  Out: one entry in every lane, with the lane's share of the rows.
A lane without rows gets an empty frame, because time passes there too. Refuses nothing: bad rows are the worker's to
judge, and revisions of old bars pass like new ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import anyio
import msgspec
import numpy as np

from tapeline.core.errors import Unavailable
from tapeline.core.types import BarFrame
from tapeline.streams import frames
from tapeline.streams.store import LaneStore, LayoutMoved

CHANGE_LIMIT_S = 120.0
"""Longest wait, in real seconds, for a change of the number of lanes under way."""
_LOOK_EVERY_S = 0.05

Index = np.ndarray[tuple[int], np.dtype[np.intp]]
Underlying = Callable[[str], str]
"""Names the underlying of a symbol, so that an option shares its lane."""


def itself(symbol: str) -> str:
    """Return the symbol: an equity is its own underlying."""
    return symbol


def lane_of(symbol: str, n_lanes: int, underlying: Underlying = itself) -> int:
    """Return the lane of a symbol: a hash of its underlying that never changes between runs, machines or versions."""
    return zlib.crc32(underlying(symbol).encode()) % n_lanes


class _Note(msgspec.Struct, frozen=True):
    """What the publisher has asked for: everything until ``usual_ns``, of some symbols only until an earlier mark."""

    usual_ns: int = 0
    behind: dict[str, int] = {}

    @staticmethod
    def read(told: bytes | None) -> _Note:
        return _Note() if told is None else msgspec.msgpack.decode(told, type=_Note)

    def mark_of(self, symbol: str) -> int:
        return self.behind.get(symbol, self.usual_ns)


def join_notes(notes: Sequence[bytes | None]) -> bytes | None:
    """Return one note that is true of every symbol, whichever lane it had; None where nobody wrote one.

    Lanes may differ where a publisher died between two: the earliest mark counts, and what is asked for again changes
    nothing.
    """
    told = [_Note.read(note) for note in notes]
    if all(note is None for note in notes):
        return None
    behind = {symbol: mark_ns for note in told for symbol, mark_ns in note.behind.items()}
    return msgspec.msgpack.encode(_Note(min(note.usual_ns for note in told), behind))


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
        self._epoch = 0

    async def open(self) -> int | None:
        """Claim the lanes; return up to when every lane has all that was asked for, or None for a fresh store.

        The poller restarts from there: a frame that reached only some lanes is published to all again.
        """
        await self._store.claim_lanes(self.n_lanes)
        return await self._follow()

    async def _follow(self) -> int | None:
        """Go by the layout there is, once no change is under way; return as ``open`` does."""
        limit_s = anyio.current_time() + CHANGE_LIMIT_S
        while (layout := await self._store.layout()).is_changing:
            if anyio.current_time() > limit_s:
                raise Unavailable(
                    f"the change to {layout.next_lanes} lanes has not ended within {CHANGE_LIMIT_S:.0f} s; end it with "
                    f"`tapeline lanes --set {layout.next_lanes}`"
                )
            await anyio.sleep(_LOOK_EVERY_S)  # a change is a physical fact, also in a replay
        self._epoch = layout.epoch
        if layout.lanes and layout.lanes != self.n_lanes:
            self.n_lanes = layout.lanes
            self._lane_by_symbol.clear()
        marks = [await self._store.watermark(lane) for lane in range(self.n_lanes)]
        known = {lane: mark for lane, mark in enumerate(marks) if mark is not None}
        self._watermark_ns = known
        return min(known.values()) if len(known) == self.n_lanes else None

    async def marks_of(self, symbols: Iterable[str]) -> dict[str, int]:
        """Return up to when each symbol's lane has all that was asked for of it, of those that were ever noted."""
        told = [_Note.read(await self._store.note(lane)) for lane in range(self.n_lanes)]
        marks = {symbol: told[self._lane(symbol)].mark_of(symbol) for symbol in symbols}
        return {symbol: mark for symbol, mark in marks.items() if mark}

    async def publish(self, frame: BarFrame, marks: Mapping[str, int] | None = None) -> Mapping[int, str]:
        """Append each lane's rows, with its watermark, in one transaction per lane.

        Parameters
        ----------
        frame
            Its rows go to the lanes of their symbols.
        marks
            Up to when each symbol has been asked for, these rows included; ``marks_of`` finds it again. It moves in the
            same transaction as the rows, so after a crash between two lanes each knows exactly what it has.

        Returns
        -------
        lane -> id of its last entry. The worker has done with the frame once the lane's applied id reaches it.
        """
        ids: dict[int, str] = {}
        while True:
            lanes = self._lanes_of(frame.symbols)
            try:
                await self._publish(frame, lanes, marks, ids)
            except LayoutMoved:  # what some lanes took before is theirs; the rest goes out by the new layout
                frame = frame.take(~np.isin(lanes, list(ids)))
                ids.clear()
                await self._follow()
            else:
                return ids

    async def _publish(
        self, frame: BarFrame, lanes: Index, marks: Mapping[str, int] | None, ids: dict[int, str]
    ) -> None:
        notes = self._notes(marks) if marks is not None else (None,) * self.n_lanes
        for lane in range(self.n_lanes):
            parts = [frames.to_fields(part) for part in _parts(frame.take(lanes == lane))]
            moved = frame.as_of_ns > self._watermark_ns.get(lane, 0)
            mark_ns = frame.as_of_ns if moved else None
            found = await self._store.publish(lane, parts, mark_ns, note=notes[lane], epoch=self._epoch)
            ids[lane] = found[-1]
            if moved:
                self._watermark_ns[lane] = frame.as_of_ns

    def _notes(self, marks: Mapping[str, int]) -> tuple[bytes, ...]:
        """Return each lane's note: the usual mark, and whose is another."""
        usual_ns = max(marks.values(), default=0)
        behind: list[dict[str, int]] = [{} for _ in range(self.n_lanes)]
        for symbol, mark_ns in marks.items():
            if mark_ns != usual_ns:
                behind[self._lane(symbol)][symbol] = mark_ns
        return tuple(msgspec.msgpack.encode(_Note(usual_ns, each)) for each in behind)

    def _lane(self, symbol: str) -> int:
        lane = self._lane_by_symbol.get(symbol)
        if lane is None:
            lane = self._lane_by_symbol[symbol] = lane_of(symbol, self.n_lanes, self._underlying)
        return lane

    def _lanes_of(self, symbols: tuple[str, ...]) -> Index:
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
