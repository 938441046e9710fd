"""A processor whose output is easy to check, and stores that break on command."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import BadMessage, Unavailable
from tapeline.core.types import NS_PER_S, BarFrame, Label
from tapeline.streams import frames
from tapeline.streams.closed import unpack_closed
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.processor import HotRow, LaneOutput, Refused
from tapeline.streams.store import BEGINNING, Commit, DeadLetter, Entry, LaneStore, Saved

START_NS = 1_273_152_600 * NS_PER_S
CONFIG = StreamsConfig(lanes=2, batch_size=3, snapshot_s=0.5, lease_s=3.0, max_entries=1000)


def frame_of(k: int, symbols: Sequence[str] = ("A", "B", "C", "D"), price: float = 10.0) -> BarFrame:
    """Return the frame of the ``k``-th minute."""
    n = len(symbols)
    prices, ones = np.full(n, price + k), np.ones(n)
    start_ns = START_NS + k * 60 * NS_PER_S
    times = np.full(n, start_ns, np.int64)
    head = (60, "sip", Label.BRIDGED, start_ns + 60 * NS_PER_S, tuple(symbols), times)
    return BarFrame(*head, prices, prices, prices, prices, ones, prices, ones)


class Counter:
    """Counts rows per symbol; closes each frame as it came, with the count as volume.

    A frame of price 666 makes it stumble, as a bug would, as often as ``stumbles`` says; rows of price 13 are refused.
    """

    def __init__(self, stumbles: Iterator[bool] | None = None) -> None:
        self.rows: dict[str, int] = {}
        self._changed: set[str] = set()
        self._stumbles = stumbles

    def apply(self, frame: BarFrame) -> LaneOutput:
        """Count."""
        if frame.timeframe_s == 999:
            raise BadMessage("bars of 999 s")
        if (frame.close == 666).any() and (self._stumbles is None or next(self._stumbles)):
            raise ZeroDivisionError("a bug")
        bad = frame.close == 13
        refused = (Refused("thirteen", frame.take(bad)),) if bad.any() else ()
        frame = frame.take(~bad)
        for symbol in frame.symbols:
            self.rows[symbol] = self.rows.get(symbol, 0) + 1
        self._changed.update(frame.symbols)
        counts = np.array([float(self.rows[symbol]) for symbol in frame.symbols])
        closed = BarFrame(
            *(60, frame.feed, frame.label, frame.as_of_ns, frame.symbols, frame.event_ns),
            *(frame.open, frame.high, frame.low, frame.close, counts, frame.vwap, frame.trades),
        )
        return LaneOutput((closed,), refused)

    def take_hot(self) -> Mapping[str, HotRow]:
        """Return the counts that changed."""
        hot: dict[str, HotRow] = {symbol: {"rows": self.rows[symbol]} for symbol in sorted(self._changed)}
        self._changed.clear()
        return hot

    def snapshot(self) -> bytes:
        """Return the counts."""
        return json.dumps(self.rows).encode()

    def restore(self, snapshot: bytes) -> None:
        """Take over counts."""
        self.rows = json.loads(snapshot)


class Broken(Unavailable):
    """The server went away."""


class BreakingStore(MemoryLaneStore):
    """Breaks at the ``k``-th call of the worker, before or after it took effect. Later calls work again."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.break_at: int | None = None
        self.after_effect = False

    def _count(self, *, after: bool) -> None:
        if not after:
            self.calls += 1
        if self.calls == self.break_at and after == self.after_effect:
            raise Broken(f"call {self.calls}")

    async def read(self, lane: int, after: str, *, count: int, block_s: float) -> list[Entry]:
        """Read, or break."""
        self._count(after=False)
        found = await super().read(lane, after, count=count, block_s=block_s)
        self._count(after=True)
        return found

    async def load(self, lane: int) -> Saved:
        """Load, or break."""
        self._count(after=False)
        saved = await super().load(lane)
        self._count(after=True)
        return saved

    async def commit(self, lane: int, token: str, commit: Commit) -> None:
        """Commit, or break."""
        self._count(after=False)
        await super().commit(lane, token, commit)
        self._count(after=True)

    async def lease(self, lane: int, token: str, life_s: float) -> bool:
        """Take a lane, or break."""
        self._count(after=False)
        taken = await super().lease(lane, token, life_s)
        self._count(after=True)
        return taken

    async def trim(self, lane: int, max_entries: int) -> int:
        """Trim, or break."""
        self._count(after=False)
        gone = await super().trim(lane, max_entries)
        self._count(after=True)
        return gone


async def closed_bytes(store: LaneStore, n_lanes: int = 2) -> list[list[bytes]]:
    """Return every closed frame of every lane as bytes, in order."""
    found = []
    for lane in range(n_lanes):
        entries = await store.read_closed(lane, BEGINNING, count=10_000, block_s=0.0)
        found.append([frames.encode(f) for entry in entries for f in unpack_closed(entry.fields[b"frame"])])
    return found


async def dead_letters(store: LaneStore, lane: int = 0) -> list[DeadLetter]:
    """Return the dead letters of a lane."""
    return await store.read_dead(lane, BEGINNING, count=10_000)
