"""The lane's true state under kills: the bars of a disturbed run are those of an undisturbed one, to the bit."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
import msgspec
import pytest
from tests.live.rows_of import MINUTE_NS, PLAIN, START_NS, session
from tests.streams.toys import (
    BreakingStore,
    Broken,
    Killed,
    closed_bytes,
    drain,
    drain_whatever_happens,
    is_drained,
    seeded_run,
)

from tapeline.core.config import StreamsConfig
from tapeline.core.process import Child, spawn
from tapeline.core.types import BarFrame
from tapeline.live.state import LaneState
from tapeline.streams.closed import ClosedReader
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.lanes import Publisher
from tapeline.streams.store import BEGINNING, LaneStore
from tapeline.streams.valkey import connect

CONFIG = StreamsConfig(lanes=2, batch_size=3, snapshot_s=0.3)
SYMBOLS = tuple("ABCDEFG")


def lane_state(_: int) -> LaneState:
    return LaneState(PLAIN)


async def publish(store: LaneStore, frames: Sequence[BarFrame], n_lanes: int = 2) -> None:
    publisher = Publisher(store, n_lanes)
    await publisher.open()
    for frame in frames:
        await publisher.publish(frame)


def bars_after(store: BreakingStore, seed: int = 0) -> list[list[bytes]]:
    """Run a morning through the store in two halves, whatever breaks; return the closed bars."""
    frames = session(12, SYMBOLS)

    async def main() -> list[list[bytes]]:
        for half in (frames[:7], frames[7:]):
            await publish(store, half)
            await drain_whatever_happens(store, lane_state, CONFIG)
        return await closed_bytes(store)

    return seeded_run(main, seed)


UNDISTURBED = BreakingStore()
EXPECTED = bars_after(UNDISTURBED)


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_kill_at_any_call_leaves_the_bars_of_an_undisturbed_run(*, after_effect: bool) -> None:
    assert min(len(lane) for lane in EXPECTED) > 12  # minutes, and five minutes twice
    for k in range(1, UNDISTURBED.calls + 1):
        store = BreakingStore(k, after_effect=after_effect, error=Killed)
        assert bars_after(store) == EXPECTED, f"killed at call {k}"


@pytest.mark.parametrize("seed", range(10))
def test_a_lost_server_under_any_schedule_leaves_the_bars_of_an_undisturbed_run(seed: int) -> None:
    store = BreakingStore(3 + 2 * seed, after_effect=seed % 2 == 0, error=Broken)
    assert bars_after(store, seed) == EXPECTED


WORKER = """
import os, sys
import msgspec
from tapeline.core.config import LiveConfig, StreamsConfig
from tapeline.live.state import LaneState
from pathlib import Path
from tapeline.streams.marks import Marks
from tapeline.streams.worker import serve_worker
streams, live = msgspec.json.decode(sys.argv[2], type=tuple[StreamsConfig, LiveConfig])
say_ready = lambda: print(os.getpid(), flush=True)
marks = Marks(Path(sys.argv[3]), sys.argv[1])
serve_worker(sys.argv[1], "worker", streams, lambda lane: LaneState(live), marks=marks, on_ready=say_ready)
"""


def start_worker(socket_path: Path, config: StreamsConfig, log_path: Path) -> tuple[Child, int]:
    """Start a worker process; return it and the process id of the worker itself, not of its guard."""
    source = Path(sys.modules[LaneState.__module__].__file__ or "").parents[2]
    settings = msgspec.json.encode((config, PLAIN)).decode()
    child = spawn(
        [sys.executable, "-c", WORKER, str(socket_path), settings, str(log_path.with_name("marks"))],
        name="worker",
        log_path=log_path,
        pipe_stdout=True,
        env={**os.environ, "PYTHONPATH": str(source)},
    )
    return child, int(child.read_line(30.0))


@pytest.mark.process
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_killed_worker_process_loses_and_doubles_nothing(anyio_backend: str) -> None:
    frames = session(90, [f"S{i}" for i in range(40)])
    config = StreamsConfig(lanes=2, lease_s=0.6, snapshot_s=0.05)
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        async with embedded_valkey(Path(short)) as server, connect(str(server.socket_path)) as store:
            start = partial(start_worker, server.socket_path, config, Path(short) / "worker.log")
            first, pid = await anyio.to_thread.run_sync(start)
            with first:
                await publish(store, frames[:60])
                reader = ClosedReader(store, 2)
                await reader.read_until(START_NS + 20 * MINUTE_NS)
                os.kill(pid, signal.SIGKILL)
            second, _ = await anyio.to_thread.run_sync(start)
            with second:
                await publish(store, frames[60:])
                await reader.read_until(START_NS + 90 * MINUTE_NS, timeout_s=20.0)
                disturbed = await closed_bytes(store)
                hot = [await store.read_hot(lane, ["S0", "S1", "S2"]) for lane in range(2)]
            assert second.poll() == 0
            assert (await store.progress(0)).owner is None
            assert (await store.progress(0)).snapshot_id == (await store.progress(0)).last_id
            assert await is_drained(store, 2)
    assert disturbed == await anyio.to_thread.run_sync(undisturbed, frames)  # trio cannot run inside asyncio
    assert sum(value is not None for values in hot for value in values) == 3


def undisturbed(frames: Sequence[BarFrame]) -> list[list[bytes]]:
    """Return the closed bars of an undisturbed run in memory."""

    async def main() -> list[list[bytes]]:
        store = BreakingStore()
        await publish(store, frames)
        await drain(store, lane_state, CONFIG, "one")
        assert (await store.progress(0)).applied_id != BEGINNING
        return await closed_bytes(store)

    return seeded_run(main)
