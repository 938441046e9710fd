"""A lane whose server came back, or was taken over, without the last of what it was given: it is given that again."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from tests.streams.test_router import CONFIG, expected, prices, route_all, tick

from tapeline.streams import keys
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.ingress import Route, ValkeyIngress
from tapeline.streams.router import Router
from tapeline.streams.store import BEGINNING, LeaseLost
from tapeline.streams.valkey import ValkeyLaneStore, connect

pytestmark = [pytest.mark.process, pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


@pytest.fixture
async def store(anyio_backend: str) -> AsyncIterator[ValkeyLaneStore]:
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        async with embedded_valkey(Path(short)) as server, connect(str(server.socket_path)) as opened:
            await opened.claim_lanes(CONFIG.lanes)
            yield opened


async def as_now(store: ValkeyLaneStore, lane: int) -> dict[bytes, bytes]:
    """Return what a server knows of a lane."""
    names = [keys.rows(lane), keys.state(lane)]
    return {name: await store.write(name, [("DUMP", name)]) for name in names}


async def back_to(store: ValkeyLaneStore, before: dict[bytes, bytes]) -> None:
    """Let a server know no more of a lane than it did."""
    for name, dump in before.items():
        await store.write(name, [("RESTORE", name, 0, dump, "REPLACE")])


async def test_a_lane_that_lost_rows_gets_them_again_and_the_others_nothing_twice(
    anyio_backend: str, store: ValkeyLaneStore
) -> None:
    ingress = ValkeyIngress(store)
    await ingress.write([tick(k) for k in range(6)])
    await route_all(ingress)
    before = await as_now(store, 0)
    await ingress.write([tick(k) for k in range(6, 18)])
    await route_all(ingress)
    await back_to(store, before)
    assert await prices(store) != expected(18)
    router = Router(ValkeyIngress(store), "another", CONFIG)
    async with anyio.create_task_group() as group:
        group.start_soon(router.run)
        with anyio.fail_after(20):
            while await prices(store) != expected(18):
                await anyio.sleep(0.01)
        router.stop()
    assert await prices(store) == expected(18)
    at = await ingress.progress()
    assert (at.lag, at.applied_id) == (0, at.last_id)


async def test_a_router_writes_nothing_to_a_lane_that_does_not_stand_where_it_left_it(
    anyio_backend: str, store: ValkeyLaneStore
) -> None:
    ingress = ValkeyIngress(store)
    await ingress.write([tick(k) for k in range(6)])
    await route_all(ingress)
    before = await as_now(store, 0)
    assert await ingress.lease("me", 30.0)
    standing = await ingress.open("me", CONFIG.lanes)
    await ingress.put(standing.term, "9999999999999-1", {0: [b"row"]})
    await back_to(store, before)
    await store.ask(keys.state(0), lambda client: client.hset(keys.state(0), keys.TERM, standing.term))
    with pytest.raises(LeaseLost):
        await ingress.put(standing.term, "9999999999999-2", {0: [b"row"]})


async def test_a_router_looks_at_the_lanes_again_after_a_failure_of_the_server(
    anyio_backend: str, store: ValkeyLaneStore
) -> None:
    ingress = ValkeyIngress(store)
    assert await ingress.lease("me", 30.0)
    standing = await ingress.open("me", CONFIG.lanes)
    assert await ingress.lease("me", 30.0)
    await store._nodes.doubt(OSError("gone"), None)
    assert not await ingress.lease("me", 30.0)
    assert await ingress.lease("me", 30.0)
    await ingress.move("me", Route(standing.offset, BEGINNING, 0))
