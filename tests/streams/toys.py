"""A processor whose output is easy to check, and stores that break on command."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar, cast

import anyio
import numpy as np
import pytest
import trio
import trio.testing

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import BadMessage, Unavailable
from tapeline.core.types import NS_PER_S, BarFrame, Label
from tapeline.streams import frames
from tapeline.streams.blocks import Block
from tapeline.streams.closed import unpack_closed
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.processor import HotRow, LaneOutput, ProcessorFactory, Refused, TicksOutput
from tapeline.streams.store import BEGINNING, Commit, DeadLetter, LaneStore, Saved
from tapeline.streams.ticks import TickRows
from tapeline.streams.worker import run_worker

T = TypeVar("T")

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

    def apply_ticks(self, rows: TickRows) -> TicksOutput:
        """Count."""
        names = [rows.symbols[i] for i in rows.symbol.tolist()]
        if "STUMBLE" in names and (self._stumbles is None or next(self._stumbles)):
            raise ZeroDivisionError("a bug")
        bad = np.flatnonzero(rows.numbers[:, 0] == 13)
        steps = tuple((i, self._count(rows, i, name)) for i, name in enumerate(names) if i not in bad)
        return TicksOutput(steps, (("thirteen", bad),) if bad.size else ())

    def _count(self, rows: TickRows, i: int, name: str) -> LaneOutput:
        self.rows[name] = self.rows.get(name, 0) + 1
        self._changed.add(name)
        one, event_ns = np.ones(1), rows.event_ns[i : i + 1]
        feed, label = rows.origins[rows.origin[i]]
        head = (60, feed, label, int(event_ns[0]), (name,), event_ns)
        return LaneOutput((BarFrame(*head, one, one, one, one, one * self.rows[name], one, one),))

    def take_hot(self) -> Mapping[str, HotRow]:
        """Return the counts that changed."""
        hot: dict[str, HotRow] = {symbol: {"rows": self.rows[symbol]} for symbol in sorted(self._changed)}
        self._changed.clear()
        return hot

    def take_snapshot(self) -> dict[str, bytes]:
        """Return the counts."""
        return {"rows": json.dumps(self.rows).encode()}

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take over counts."""
        self.rows = json.loads(parts["rows"])


class Killed(Exception):
    """The process is gone: nobody catches it."""


class Broken(Unavailable):
    """The server does not answer."""


class BreakingStore(MemoryLaneStore):
    """Breaks one of the worker's calls, before or after it took effect. All others work.

    Attributes
    ----------
    break_at
        Number of the call, from 1; None for no break.
    after_effect
        True to break when the call has been made, as if its answer was lost.
    error
        What is raised.
    calls
        Calls so far.
    """

    def __init__(
        self, break_at: int | None = None, *, after_effect: bool = False, error: type[Exception] = Killed
    ) -> None:
        super().__init__()
        self.break_at, self.after_effect, self.error = break_at, after_effect, error
        self.calls = 0

    async def _breakable(self, call: Awaitable[T]) -> T:
        self.calls += 1
        breaks = self.calls == self.break_at
        if breaks and not self.after_effect:
            cast(Coroutine[None, None, T], call).close()
            raise self.error(f"call {self.break_at}")
        found = await call
        if breaks:
            raise self.error(f"call {self.break_at}")
        return found

    async def read(self, lane: int, after: str, *, count: int, block_s: float) -> Block:
        """Read, or break."""
        return await self._breakable(super().read(lane, after, count=count, block_s=block_s))

    async def heartbeat(self, worker_id: str, life_s: float) -> int:
        """Say that we live, or break."""
        return await self._breakable(super().heartbeat(worker_id, life_s))

    async def load(self, lane: int) -> Saved:
        """Load, or break."""
        return await self._breakable(super().load(lane))

    async def commit(self, lane: int, token: str, commit: Commit) -> None:
        """Commit, or break."""
        await self._breakable(super().commit(lane, token, commit))

    async def lease(self, lane: int, token: str, life_s: float) -> bool:
        """Take a lane, or break."""
        return await self._breakable(super().lease(lane, token, life_s))

    async def release(self, lane: int, token: str) -> None:
        """Give a lane back, or break."""
        await self._breakable(super().release(lane, token))

    async def trim(self, lane: int, max_entries: int, since_ms: int = 0) -> int:
        """Trim, or break."""
        return await self._breakable(super().trim(lane, max_entries, since_ms))

    async def count_failure(self, lane: int, token: str, entry_id: str) -> int:
        """Count, or break."""
        return await self._breakable(super().count_failure(lane, token, entry_id))


def seeded_run(main: Callable[[], Awaitable[T]], seed: int = 0) -> T:
    """Run on trio with a clock that jumps over every sleep and a schedule that follows from ``seed``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
        patch.setattr(trio._core._run, "_r", random.Random(seed))
        return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def drain(
    store: LaneStore, factory: ProcessorFactory, config: StreamsConfig, worker_id: str, *, limit_s: float = 60.0
) -> None:
    """Run a worker until nothing waits in any lane, then stop it in peace."""
    with anyio.fail_after(limit_s):
        async with anyio.create_task_group() as group:
            worker = await group.start(partial(run_worker, store, factory, config, worker_id))
            while not await is_drained(store, config.lanes):
                await anyio.sleep(0.05)
            worker.stop()


async def is_drained(store: LaneStore, n_lanes: int) -> bool:
    """Tell whether every entry of every lane has been applied."""
    lanes = [await store.progress(lane) for lane in range(n_lanes)]
    return all(lane.applied_id == lane.last_id for lane in lanes)


async def drain_whatever_happens(store: LaneStore, factory: ProcessorFactory, config: StreamsConfig) -> int:
    """Start workers, one after the death of the other, until the lanes are drained; return how many it took."""
    for attempt in range(1, 10):
        try:
            await drain(store, factory, config, f"worker-{anyio.current_time()}")
        except* Killed:
            pass  # the next worker takes over
        else:
            return attempt
    raise AssertionError("killed too often")


def entries_of(block: Block) -> list[tuple[str, dict[bytes, bytes]]]:
    """Return id and fields of every entry."""
    return [(block.id(i), block.fields(i)) for i in range(len(block))]


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
