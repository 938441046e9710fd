"""Real deaths: ``kill -9`` of the worker and of the stream server, in turn, while ticks go through both.

``make chaos`` does 120, the suite 2. The closed bars of every lane must be those of a run in
memory that nobody disturbed, and nothing may be reported lost.
"""

from __future__ import annotations

import os
import signal
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import anyio
import msgspec
import pytest
from tests.chaos import kills
from tests.live.rows_of import PLAIN
from tests.live.test_kills import OPEN_NS, SYMBOLS
from tests.live.test_recovery import start_worker
from tests.streams.toys import closed_bytes, seeded_run

from tapeline.core.config import StreamsConfig
from tapeline.core.types import NS_PER_S
from tapeline.live.state import LaneState
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.ingress import Ingress, MemoryIngress, ValkeyIngress
from tapeline.streams.keys import rows
from tapeline.streams.marks import INGRESS, Mark, Marks, lane_part
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.store import LaneStore
from tapeline.streams.valkey import ValkeyLaneStore, connect
from tapeline.streams.witness import read_losses
from tapeline.streams.worker import run_worker

KILLS = kills(2, 120)
CONFIG = StreamsConfig(lanes=2, lease_s=0.6, snapshot_s=0.05, batch_ms=1)


def ticks(part: int) -> list[dict[bytes, bytes]]:
    """Return five minutes of ticks, a few a minute."""
    found = []
    for k in range(30 * part, 30 * part + 30):
        moment = (OPEN_NS // NS_PER_S + 10 * k) * 1000
        price, volume = b"%.2f" % (100 + (k * 37 % 50) / 10), b"%d" % (k % 7)
        fields = {b"symbol": SYMBOLS[k % 3].encode(), b"price": price, b"volume": volume}
        found.append({**fields, b"exchange_timestamp": b"%d" % moment})
    return found


async def settle(ingress: Ingress, store: LaneStore) -> None:
    """Return when everything that was written is applied and saved."""
    with anyio.fail_after(60):
        while True:
            at = await ingress.progress()
            lanes = [await store.progress(lane) for lane in range(CONFIG.lanes)]
            if at.applied_id == at.last_id and all(lane.snapshot_id == lane.last_id for lane in lanes):
                return
            await anyio.sleep(0.02)


async def server_pid(store: ValkeyLaneStore) -> int:
    return int((await store._reply(store._client.info("server")))["process_id"])


@pytest.mark.process
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_real_deaths_of_worker_and_server_lose_and_double_nothing(anyio_backend: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        folder = Path(short)
        start = partial(start_worker, folder / "valkey.sock", CONFIG, folder / "worker.log")
        async with AsyncExitStack() as stack:
            stack.enter_context(anyio.fail_after(90 + 10 * KILLS))
            server = await stack.enter_async_context(AsyncExitStack())
            await server.enter_async_context(embedded_valkey(folder))
            child, pid = await anyio.to_thread.run_sync(start)
            stack.callback(lambda: child.terminate())
            for part in range(KILLS):
                async with connect(str(folder / "valkey.sock")) as store:
                    await ValkeyIngress(store).write(ticks(part))
                    await anyio.sleep(0.01 * (part % 7))
                    if part % 2:
                        os.kill(pid, signal.SIGKILL)
                        await anyio.to_thread.run_sync(child.terminate)
                        child, pid = await anyio.to_thread.run_sync(start)
                        continue
                    os.kill(await server_pid(store), signal.SIGKILL)
                await server.aclose()
                await server.enter_async_context(embedded_valkey(folder))
            async with connect(str(folder / "valkey.sock")) as store:
                await settle(ValkeyIngress(store), store)
                disturbed = await closed_bytes(store)
        assert "it lost what came between" not in (folder / "worker.log").read_text()
    assert disturbed == await anyio.to_thread.run_sync(undisturbed)  # trio cannot run inside asyncio


def undisturbed(parts: int = KILLS, n_lanes: int = CONFIG.lanes) -> list[list[bytes]]:
    """Return the closed bars of a run in memory."""
    config = msgspec.structs.replace(CONFIG, lanes=n_lanes)

    async def main() -> list[list[bytes]]:
        store = MemoryLaneStore()
        ingress = MemoryIngress(store)
        async with anyio.create_task_group() as group:
            start = partial(run_worker, store, lambda _: LaneState(PLAIN), config, "one", ingress=ingress)
            worker = await group.start(start)
            for part in range(parts):
                await ingress.write(ticks(part))
            await settle(ingress, store)
            worker.stop()
        return await closed_bytes(store, n_lanes)

    return seeded_run(main)


@pytest.mark.process
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_loss_of_power_loses_the_tail_of_the_log_and_says_so(anyio_backend: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        folder = Path(short)
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(AsyncExitStack())
            await server.enter_async_context(embedded_valkey(folder))
            start = partial(start_worker, folder / "valkey.sock", CONFIG, folder / "worker.log")
            child, _ = await anyio.to_thread.run_sync(start)
            stack.callback(child.terminate)
            async with connect(str(folder / "valkey.sock")) as store:
                marks = Marks(folder / "marks", str(folder / "valkey.sock"))
                for part in range(2):
                    last_id = (await ValkeyIngress(store).write(ticks(part)))[-1]
                    await settle(ValkeyIngress(store), store)
                while marks.read(INGRESS) != Mark(last_id, last_id):
                    await anyio.sleep(0.05)
                os.kill(await server_pid(store), signal.SIGKILL)
            await server.aclose()
            (log,) = (folder / "appendonlydir").glob("*.incr.aof")
            os.truncate(log, log.stat().st_size // 2)
            await server.enter_async_context(embedded_valkey(folder))
            with anyio.fail_after(30):
                while "it lost what came between" not in (folder / "worker.log").read_text():
                    await anyio.sleep(0.05)
            async with connect(str(folder / "valkey.sock")) as store:
                await ValkeyIngress(store).write(ticks(2))
                await settle(ValkeyIngress(store), store)
                losses = {loss.part: loss for loss in await read_losses(store)}
            assert losses[INGRESS].seen_id == last_id
            assert any(part.startswith("lane-") for part in losses)


@pytest.mark.process
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_after_a_loss_of_power_that_nobody_survives_what_is_cut_is_told(anyio_backend: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        folder = Path(short)
        start = partial(start_worker, folder / "valkey.sock", CONFIG, folder / "worker.log")
        async with AsyncExitStack() as stack:
            stack.enter_context(anyio.fail_after(90))
            server = await stack.enter_async_context(AsyncExitStack())
            await server.enter_async_context(embedded_valkey(folder))
            child, pid = await anyio.to_thread.run_sync(start)
            stack.callback(lambda: child.terminate())
            async with connect(str(folder / "valkey.sock")) as store:
                await ValkeyIngress(store).write(ticks(0))
                await settle(ValkeyIngress(store), store)
                lasts = [(await store.progress(lane)).last_id for lane in range(CONFIG.lanes)]
                marks = Marks(folder / "marks", str(folder / "valkey.sock"))
                while [marks.read(lane_part(lane)).last_id for lane in range(CONFIG.lanes)] != lasts:
                    await anyio.sleep(0.05)
                os.kill(pid, signal.SIGKILL)
                os.kill(await server_pid(store), signal.SIGKILL)
            await anyio.to_thread.run_sync(child.terminate)
            await server.aclose()
            cut_last_entry(folder)
            await server.enter_async_context(embedded_valkey(folder))
            async with connect(str(folder / "valkey.sock")) as store:
                found = [(await store.progress(lane)).last_id for lane in range(CONFIG.lanes)]
                behind = [lane for lane in range(CONFIG.lanes) if found[lane] != lasts[lane]]
                child, _ = await anyio.to_thread.run_sync(start)
                while len(alerts := await store.read_alerts(count=10)) < len(behind):
                    await anyio.sleep(0.05)
                await settle(ValkeyIngress(store), store)
        assert behind
        assert sorted(name for name, _ in alerts) == [f"lane-{lane}:lost_data:{lasts[lane]}" for lane in behind]
        assert (folder / "worker.log").read_text().count("it lost what came between") == len(behind)


def cut_last_entry(folder: Path) -> None:
    """Cut the server's log just before the last entry that went into a lane."""
    (log,) = (folder / "appendonlydir").glob("*.incr.aof")
    said = log.read_bytes()
    cut = max(said.rfind(b"XADD\r\n$%d\r\n%b" % (len(rows(k)), rows(k))) for k in range(CONFIG.lanes))
    assert cut > 0
    os.truncate(log, cut)
