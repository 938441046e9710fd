"""``kill -9`` of a real ``tapeline lanes --set`` in the middle; the same command ends it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import anyio
import msgspec
import pytest
from tests.chaos import kills
from tests.live.rows_of import PLAIN
from tests.live.test_chaos import CONFIG, ticks, undisturbed
from tests.live.test_relane import SETTINGS, bars_of, closed_of

from tapeline.live.state import LaneState
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.ingress import ValkeyIngress
from tapeline.streams.layout import Layout
from tapeline.streams.valkey import ValkeyLaneStore, connect
from tapeline.streams.worker import run_worker

MANY = 16
"""So that putting the lanes in place takes many steps, and a kill falls between them."""


MOMENTS: tuple[Callable[[Layout], bool], ...] = (lambda layout: layout.is_changing, lambda layout: layout.is_staged)
MOMENTS = MOMENTS[-kills(1, 2) :]
"""When it is killed: `make chaos` does it before everything is staged, too."""


async def work(store: ValkeyLaneStore, name: str) -> None:
    """Be a worker until all is applied and saved."""
    ingress = ValkeyIngress(store)
    start = partial(run_worker, store, lambda _: LaneState(PLAIN), CONFIG, name, ingress=ingress)
    async with anyio.create_task_group() as group:
        worker = await group.start(start)
        while True:
            at, n_lanes = await ingress.progress(), (await store.layout()).lanes
            lanes = [await store.progress(lane) for lane in range(n_lanes)]
            if at.applied_id == at.last_id and all(lane.snapshot_id == lane.last_id for lane in lanes):
                break
            await anyio.sleep(0.02)
        worker.stop()


async def killed_when(store: ValkeyLaneStore, command: Sequence[str], is_so: Callable[[Layout], bool]) -> Layout:
    """Run a command and kill it as soon as the layout is so; return the layout that it left."""
    running = await anyio.open_process(command, stdin=None, stdout=subprocess.DEVNULL, stderr=None)
    try:
        while not is_so(await store.layout()):
            assert running.returncode is None, "it ended before it could be killed"
    finally:
        running.kill()
        await running.wait()
    return await store.layout()


@pytest.mark.process
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_change_that_is_killed_is_ended_by_the_same_command(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        folder = Path(short)
        monkeypatch.setenv("TAPELINE_HOME", str(folder / "home"))
        (folder / "mine.json").write_bytes(msgspec.json.encode(SETTINGS))
        async with embedded_valkey(folder) as server, connect(str(server.socket_path)) as store:
            where = ("--address", f"unix://{server.socket_path}", "--config", str(folder / "mine.json"))
            command = [sys.executable, "-m", "tapeline.cli", "lanes", "--set", str(MANY), *where]
            with anyio.fail_after(60):
                await store.claim_lanes(CONFIG.lanes)
                await ValkeyIngress(store).write(ticks(0))
                await work(store, "first")
                for moment in MOMENTS:
                    left = await killed_when(store, command, moment)
                    assert (left.lanes, left.next_lanes) == (CONFIG.lanes, MANY)
                assert left.is_staged
                ended = await anyio.run_process(command)
                assert ended.stdout.startswith(b"%d lanes" % MANY)
                assert (await store.layout()).lanes == MANY
                await ValkeyIngress(store).write(ticks(1))
                await work(store, "second")
            found = await closed_of(store)
    told = await anyio.to_thread.run_sync(partial(undisturbed, 2, 1))
    assert found == bars_of([payload for lane in told for payload in lane])
