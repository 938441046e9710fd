"""Another number of lanes at a real server: under worker processes, and with nobody there."""

from __future__ import annotations

import os
import signal
import tempfile
from functools import partial
from pathlib import Path

import anyio
import pytest
from tests.live.rows_of import PLAIN, session
from tests.live.test_chaos import CONFIG, settle, ticks, undisturbed
from tests.live.test_recovery import start_worker

from tapeline.core.config import Config
from tapeline.core.errors import BadMessage, ConfigError
from tapeline.core.types import BAR_FIELDS
from tapeline.live.relane import change_lanes
from tapeline.streams import frames
from tapeline.streams.closed import unpack_closed
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.ingress import ValkeyIngress
from tapeline.streams.layout import Layout
from tapeline.streams.store import BEGINNING, LayoutMoved
from tapeline.streams.valkey import ValkeyLaneStore, connect

SETTINGS = Config(streams=CONFIG, live=PLAIN)

Bars = dict[tuple[int, str, int], tuple[float, ...]]


def bars_of(payloads: list[bytes]) -> Bars:
    """Return the last word of every bar; told once each, or with a higher revision."""
    found: Bars = {}
    for frame in (frames.decode(payload) for payload in payloads):
        for i, symbol in enumerate(frame.symbols):
            key = (frame.timeframe_s, symbol, int(frame.event_ns[i]))
            assert key not in found, f"{key} closed twice"
            found[key] = tuple(float(getattr(frame, name)[i]) for name in BAR_FIELDS)
    return found


async def closed_of(store: ValkeyLaneStore) -> Bars:
    payloads = []
    for lane in range((await store.layout()).widest):
        for entry in await store.read_closed(lane, BEGINNING, count=10_000, block_s=0.0):
            payloads += [frames.encode(frame) for frame in unpack_closed(entry.fields[b"frame"])]
    return bars_of(payloads)


@pytest.mark.process
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_worker_processes_go_on_with_another_number_of_lanes(anyio_backend: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        folder = Path(short)
        address = str(folder / "valkey.sock")
        async with embedded_valkey(folder), connect(address) as store:
            child, pid = await anyio.to_thread.run_sync(
                partial(start_worker, folder / "valkey.sock", CONFIG, folder / "worker.log")
            )
            try:
                with anyio.fail_after(60):
                    ingress = ValkeyIngress(store)
                    await ingress.write(ticks(0))
                    assert await change_lanes(address, 5, SETTINGS) == Layout(5, 5, 1)
                    await ingress.write(ticks(1))
                    async with anyio.create_task_group() as group:
                        group.start_soon(change_lanes, address, 3, SETTINGS)
                        await ingress.write(ticks(2))
                    os.kill(pid, signal.SIGKILL)
                    await anyio.to_thread.run_sync(child.terminate)
                    assert (await change_lanes(address, 1, SETTINGS)).lanes == 1  # drained by itself
                    await ingress.write(ticks(3))
                    child, pid = await anyio.to_thread.run_sync(
                        partial(start_worker, folder / "valkey.sock", CONFIG, folder / "worker.log")
                    )
                    await settle(ingress, store)
                found = await closed_of(store)
            finally:
                await anyio.to_thread.run_sync(child.terminate)
    told = await anyio.to_thread.run_sync(partial(undisturbed, 4, 1))
    assert found == bars_of([payload for lane in told for payload in lane])


@pytest.mark.process
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_what_cannot_be_changed_stays_as_it_is(anyio_backend: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        address = str(Path(short) / "valkey.sock")
        async with embedded_valkey(Path(short)), connect(address) as store:
            assert await change_lanes(address, 2, SETTINGS) == Layout(2, 2)
            assert await change_lanes(address, 2, SETTINGS) == Layout(2, 2)
            for frame in session(2, ("A", "B")):
                await store.publish(0, [frames.to_fields(frame)], None)
            assert (await change_lanes(address, 3, SETTINGS)).lanes == 3
            with pytest.raises(LayoutMoved):
                await store.publish(0, [], None, epoch=0)
            with pytest.raises(BadMessage, match="timeframes"):
                await change_lanes(address, 4, Config(streams=CONFIG))
            layout = await store.layout()
            assert (layout.lanes, layout.is_changing) == (3, False)
            half = Layout(3, 3, 7, next_lanes=4, attempt=1, is_staged=True)
            assert await store.change_layout(layout, half)
            assert not await store.change_layout(layout, half)
            with pytest.raises(ConfigError, match="half done"):
                await change_lanes(address, 5, SETTINGS)
