"""A real cluster of three nodes: ticks through ingress, lanes and alerts exactly once, whoever is cut off, and a change
of the number of lanes.
"""

from __future__ import annotations

import json
import random
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from tests.chaos import kills
from tests.live.clusters import cluster
from tests.live.test_change import SYMBOLS, tape, undisturbed
from tests.live.test_kills import LIVE
from tests.live.test_relane import closed_of

from tapeline.core.config import Config, StreamsConfig
from tapeline.core.instruments import underlying_of
from tapeline.live.relane import change_lanes
from tapeline.live.state import LaneState
from tapeline.streams import keys, letters
from tapeline.streams.ingress import ValkeyIngress
from tapeline.streams.lanes import lane_of
from tapeline.streams.valkey import ValkeyLaneStore, connect
from tapeline.streams.worker import run_worker
from tapeline.streams.writer import TickWriter

CONFIG = StreamsConfig(lanes=4, lease_s=0.3, snapshot_s=0.05, batch_ms=1, batch_size=5)


async def settle(store: ValkeyLaneStore) -> None:
    ingress = ValkeyIngress(store)
    with anyio.fail_after(60):
        while True:
            at, n_lanes = await ingress.progress(), (await store.layout()).lanes
            lanes = [await store.progress(lane) for lane in range(n_lanes)]
            if at.applied_id == at.last_id and all(lane.snapshot_id == lane.last_id for lane in lanes):
                return
            await anyio.sleep(0.02)


async def live_for(address: str, name: str, seconds: float) -> None:
    """Be a worker that is cut off, wherever it is, after a while."""
    with anyio.move_on_after(seconds):
        async with connect(address) as store:
            ingress = ValkeyIngress(store)
            await run_worker(store, lambda _: LaneState(LIVE), CONFIG, name, ingress=ingress)


def write_two(port: int) -> bool:
    """Write two ticks at any node; return whether the one that took them said so."""
    with TickWriter(f"redis://127.0.0.1:{port}", frame_rows=1) as writer:
        for k in range(2):
            writer.add("AAPL", 1_789_999_999 * 10**9, price=100.0 + k, volume=1.0)
        writer.sync(0.001)
        return bool(writer.last_id)


async def result(store: ValkeyLaneStore) -> tuple[Any, ...]:
    n_lanes = (await store.layout()).lanes
    hot = {s: await store.read_hot(lane_of(s, n_lanes, underlying_of), [s]) for s in SYMBOLS}
    alerts = sorted(alert for alert, _ in await store.read_alerts(count=1000))
    return await closed_of(store), alerts, {s: json.loads(hot[s][0] or b"0") for s in hot}


@pytest.mark.process
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_cluster_takes_everything_exactly_once_whoever_is_cut_off(anyio_backend: str) -> None:
    rng = random.Random(11)
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        nodes = cluster(Path(short))
        ports = [node.port for node in (await anyio.to_thread.run_sync(nodes.__enter__)).nodes]
        try:
            address = f"redis://127.0.0.1:{ports[1]}"
            async with connect(address) as store:
                assert store.is_cluster
                assert len({id(store._nodes.known(keys.rows(lane))) for lane in range(4)}) > 1
                await store.claim_lanes(CONFIG.lanes)
                ingress = ValkeyIngress(store)
                for life in range(kills(12, 200)):
                    await ingress.write(tape()[5 * life : 5 * life + 5])
                    await live_for(address, f"worker-{life}", rng.random() / 4)
                assert (await change_lanes(address, 3, Config(streams=CONFIG, live=LIVE))).lanes == 3
                await ingress.write([*tape()[5 * life + 5 :], {b"symbol": b"x"}])
                async with anyio.create_task_group() as group:
                    start = partial(run_worker, store, lambda _: LaneState(LIVE), CONFIG, "last", ingress=ingress)
                    worker = await group.start(start)
                    await settle(store)
                    worker.stop()
                assert await result(store) == await anyio.to_thread.run_sync(undisturbed)
                assert await letters.drop_letters(address, "all") == 1
                before = (await ingress.progress()).length
                assert [await anyio.to_thread.run_sync(write_two, port) for port in ports] == [True] * len(ports)
                assert (await ingress.progress()).length == before + 2 * len(ports)
        finally:
            await anyio.to_thread.run_sync(nodes.__exit__, None, None, None)
