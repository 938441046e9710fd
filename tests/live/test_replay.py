"""Replays at a real server: the same bytes each time, what the lanes made then, and nothing that is live is touched."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.live.test_kills import LIVE, STREAMS, tape
from tests.streams.toys import seeded_run

from tapeline.core.config import Config
from tapeline.core.errors import BadInput
from tapeline.live.replay import Replayed, replay_ingress
from tapeline.live.state import LaneState
from tapeline.streams import frames, keys
from tapeline.streams.closed import unpack_closed
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.ingress import MemoryIngress, ValkeyIngress
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.replays import replay_group
from tapeline.streams.store import BEGINNING
from tapeline.streams.valkey import ValkeyLaneStore, connect
from tapeline.streams.worker import run_worker

pytestmark = [pytest.mark.process, pytest.mark.anyio]

CONFIG = Config(streams=STREAMS, live=LIVE)
FIRST_MS = 1_800_000_000_000
"""Every entry comes a millisecond after the one before."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server(anyio_backend: str) -> AsyncIterator[tuple[str, ValkeyLaneStore]]:
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        async with embedded_valkey(Path(short)) as running, connect(str(running.socket_path)) as store:
            yield str(running.socket_path), store


async def write(store: ValkeyLaneStore, entries: Sequence[dict[bytes, bytes]]) -> None:
    for k, fields in enumerate(entries):
        await store._reply(store._client.xadd(keys.INGRESS, dict(fields), id=f"{FIRST_MS + k}-0"))  # type: ignore[arg-type]


async def route(store: ValkeyLaneStore, n: int) -> None:
    """Let the first ``n`` entries be routed."""
    at = {keys.APPLIED_ID: f"{FIRST_MS + n - 1}-0", keys.ENTRIES_APPLIED: n}
    await store._reply(store._client.hset(keys.ROUTER, mapping=at))  # type: ignore[arg-type]


async def dump(store: ValkeyLaneStore, begins: bytes = b"") -> dict[bytes, Any]:
    """Return every key that begins so, with the server's own serialisation of it."""
    found = sorted(await store._reply(store._client.keys("*")))
    return {key: await store._reply(store._client.dump(key)) for key in found if key.startswith(begins)}


async def closed_of(store: ValkeyLaneStore, name: str) -> list[bytes]:
    """Return every frame that a replay closed, sorted: lanes are told apart by their symbols."""
    found = await store.read_entries(keys.replay(name, "closed"), BEGINNING, 10_000, 0.0)
    return sorted(frames.encode(f) for entry in found for f in unpack_closed(entry.fields[keys.FRAME]))


async def test_the_same_window_gives_the_same_bytes_in_groups_of_their_own(
    server: tuple[str, ValkeyLaneStore],
) -> None:
    address, store = server
    await write(store, tape())
    await store.append(keys.ALERTS, [{keys.ALERT_ID: b"live", keys.ALERT: b"{}"}])
    before = await dump(store)
    made = [await replay_ingress(address, CONFIG, 0, 2**53, group) for group in ("one", "two", "one")]
    assert len({found.digest for found in made}) == 1
    assert (made[0].entries, made[0].ticks, made[0].refused) == (len(tape()), len(tape()) - 1, 1)
    after = await dump(store)
    results = {key: value for key, value in after.items() if key.startswith(keys.REPLAY.encode())}
    assert {key: value for key, value in after.items() if key not in results} == before  # the groups are gone, too
    for what in ("closed", "alerts", "hot"):
        assert results[keys.replay("one", what)] == results[keys.replay("two", what)]
    assert await store._reply(store._client.pttl(keys.replay("one", "closed"))) > 0


async def test_a_replay_of_everything_is_what_the_lanes_made(server: tuple[str, ValkeyLaneStore]) -> None:
    address, store = server
    await write(store, tape())
    found = await replay_ingress(address, CONFIG, 0, 2**53, "all")
    closed, alerts = await anyio.to_thread.run_sync(live)  # trio cannot run inside asyncio
    assert await closed_of(store, "all") == closed
    told = await store.read_entries(keys.replay("all", "alerts"), BEGINNING, 10_000, 0.0)
    assert sorted(entry.fields[keys.ALERT_ID].decode() for entry in told) == alerts
    assert found.alerts == len(alerts) > 0


def live() -> tuple[list[bytes], list[str]]:
    """Return the frames and alerts of workers in memory."""

    async def main() -> tuple[list[bytes], list[str]]:
        store = MemoryLaneStore()
        ingress = MemoryIngress(store)
        await ingress.write(tape())
        async with anyio.create_task_group() as group:
            start = partial(run_worker, store, lambda _: LaneState(LIVE), STREAMS, "one", ingress=ingress)
            worker = await group.start(start)
            while (await ingress.progress()).lag or any([(await store.progress(k)).lag for k in range(STREAMS.lanes)]):
                await anyio.sleep(0.01)
            worker.stop()
        lanes = [await store.read_closed(k, BEGINNING, count=10_000, block_s=0.0) for k in range(STREAMS.lanes)]
        closed = [f for lane in lanes for entry in lane for f in unpack_closed(entry.fields[keys.FRAME])]
        return sorted(map(frames.encode, closed)), sorted(name for name, _ in await store.read_alerts(count=1000))

    return seeded_run(main)


async def test_only_the_window_is_replayed(server: tuple[str, ValkeyLaneStore]) -> None:
    address, store = server
    await write(store, tape())
    found = await replay_ingress(address, CONFIG, FIRST_MS + 10, FIRST_MS + 20)
    assert (found.group, found.entries, found.ticks) == (f"{FIRST_MS + 10}-{FIRST_MS + 20}", 10, 10)
    assert (found.first_id, found.last_id) == (f"{FIRST_MS + 10}-0", f"{FIRST_MS + 19}-0")
    nothing = await replay_ingress(address, CONFIG, FIRST_MS + 1000, 2**53, "late")
    assert nothing == Replayed("late", digest=nothing.digest)


async def test_the_ingress_keeps_the_ticks_since_a_moment_and_all_that_is_not_routed(
    server: tuple[str, ValkeyLaneStore],
) -> None:
    _, store = server
    await write(store, tape())
    ingress = ValkeyIngress(store)
    await route(store, 8)
    assert await ingress.trim(100_000, FIRST_MS + 3) == 3
    assert await ingress.trim(100_000, FIRST_MS + 500) == 5


async def test_the_ingress_keeps_the_newest_that_are_routed_and_all_that_is_not(
    server: tuple[str, ValkeyLaneStore],
) -> None:
    _, store = server
    await write(store, [*tape(), *tape()][:60])
    ingress = ValkeyIngress(store)
    kept = []
    for n in (0, 10, 20, 30, 30, 33, 50):
        await route(store, n)
        await ingress.trim(20)
        kept.append((await ingress.progress()).length - (60 - n))
    assert kept == [0, 10, 20, 20, 20, 23, 20]


async def test_what_a_replay_has_not_read_is_not_trimmed_and_a_killed_one_holds_nothing(
    server: tuple[str, ValkeyLaneStore],
) -> None:
    _, store = server
    await write(store, tape())
    ingress, n = ValkeyIngress(store), len(tape())
    await route(store, n)
    async with replay_group(store, "r", "me", after=f"{FIRST_MS + 4}-0", ttl_s=60.0) as group:
        assert await ingress.trim(100_000, FIRST_MS + n) == 5
        await group.write(f"{FIRST_MS + 6}-0", b"{}")
        assert await ingress.trim(100_000, FIRST_MS + n) == 2
        with pytest.raises(BadInput, match="a replay into the group r runs"):
            async with replay_group(store, "r", "other", after=BEGINNING, ttl_s=60.0):
                raise AssertionError
        await store._reply(store._client.delete(keys.replay("r", "lease")))  # as when it was killed long ago
        assert await ingress.trim(100_000, FIRST_MS + n) == n - 7
        assert await store.groups(keys.INGRESS) == []
