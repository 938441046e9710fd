"""The router: from the ingress to the lanes exactly once, whoever dies; dead letters, and other people's leftovers."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import cast

import anyio
import pytest
from tests.streams.toys import frame_of, seeded_run

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import Unavailable
from tapeline.core.instruments import underlying_of
from tapeline.streams import frames, keys, letters, router
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.ingress import GROUP, Ingress, MemoryIngress, Route, ValkeyIngress
from tapeline.streams.lanes import lane_of
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.router import Router
from tapeline.streams.store import BEGINNING, LaneStore, LeaseLost
from tapeline.streams.ticks import TickRows
from tapeline.streams.valkey import connect
from tapeline.streams.writer import TickWriter

CONFIG = StreamsConfig(lanes=3, batch_size=3, batch_ms=1, lease_s=0.9)
SYMBOLS = ("AAPL", "MSFT", "AAPL260618C00270000", "BRK.B", "NVDA")


def tick(k: int) -> dict[bytes, bytes]:
    symbol = SYMBOLS[k % len(SYMBOLS)].encode()
    return {b"symbol": symbol, b"price": b"%d" % (k + 1), b"volume": b"1", b"exchange_timestamp": b"1789999999"}


async def route_all(ingress: Ingress, token: str = "me", n: int = 1) -> None:
    """Route until ``n`` entries have come and nothing waits."""
    async with anyio.create_task_group() as group:
        routing = Router(ingress, token, CONFIG)
        group.start_soon(routing.run)
        with anyio.fail_after(20):
            while (at := await ingress.progress()).applied_id != at.last_id or at.length < n:
                await anyio.sleep(0.01)
        routing.stop()


async def prices(store: LaneStore) -> list[tuple[int, str, float]]:
    """Return (lane, symbol, price) of everything in the lanes, lane by lane in order."""
    found = []
    for lane in range(CONFIG.lanes):
        for run in (await store.read(lane, BEGINNING, count=10_000, block_s=0.0)).decode()[0]:
            assert isinstance(run.rows, TickRows)
            names = [run.rows.symbols[i] for i in run.rows.symbol]
            found += [(lane, name, price) for name, price in zip(names, run.rows.numbers[:, 0].tolist(), strict=True)]
    return found


def expected(n: int) -> list[tuple[int, str, float]]:
    every = [(SYMBOLS[k % len(SYMBOLS)], float(k + 1)) for k in range(n)]
    return sorted(((lane_of(s, CONFIG.lanes, underlying_of), s, p) for s, p in every), key=lambda row: (row[0], row[2]))


class Breaking(MemoryIngress):
    """Breaks one step of a route, before or after it took effect: a lane takes its rows, or the ingress moves on."""

    def __init__(self, store: MemoryLaneStore, break_at: int, *, after: bool) -> None:
        super().__init__(store)
        self.break_at, self.after, self.calls = break_at, after, 0

    async def _step(self, step: Awaitable[None]) -> None:
        self.calls += 1
        if self.calls == self.break_at and not self.after:
            cast(Coroutine[None, None, None], step).close()
            raise Unavailable("gone")
        await step
        if self.calls == self.break_at:
            raise Unavailable("gone after it was done")

    async def put_lane(self, term: int, upto: str, lane: int, payloads: Sequence[bytes]) -> None:
        await self._step(super().put_lane(term, upto, lane, payloads))

    async def move(self, token: str, route: Route) -> None:
        await self._step(super().move(token, route))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("break_at", range(1, 13))
def test_a_lost_server_at_any_step_loses_and_doubles_nothing(break_at: int, *, after: bool) -> None:
    async def main() -> list[tuple[int, str, float]]:
        store = MemoryLaneStore()
        ingress = Breaking(store, break_at, after=after)
        await ingress.write([tick(k) for k in range(1500)])  # in four blocks
        await route_all(ingress)
        assert ingress.calls >= break_at
        return await prices(store)

    assert seeded_run(main) == expected(1500)


def test_frames_of_bars_that_some_lanes_have_reach_the_others_once() -> None:
    async def main() -> list[int]:
        store = MemoryLaneStore()
        ingress = Breaking(store, 2, after=True)
        await ingress.write([frames.to_fields(frame_of(k)) for k in range(5)])
        await route_all(ingress, n=5)
        return [len(await store.read(lane, BEGINNING, count=99, block_s=0.0)) for lane in range(CONFIG.lanes)]

    assert seeded_run(main) == [5] * CONFIG.lanes


def test_a_router_of_before_writes_nothing_more() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        ingress = MemoryIngress(store)
        await ingress.lease("old", 1.0)
        old = await ingress.open("old", 1)
        await anyio.sleep(2)
        await ingress.lease("new", 1.0)
        new = await ingress.open("new", 1)
        with pytest.raises(LeaseLost):
            await ingress.put(old.term, "1-0", {0: [b"x"]})
        await ingress.put(new.term, "1-0", {0: [b"x"]})
        assert (await ingress.open("new", 1)).routed == {0: "1-0"}

    seeded_run(main)


@pytest.mark.parametrize("seed", range(10))
def test_two_routers_at_once_lose_and_double_nothing(seed: int) -> None:
    async def main() -> list[tuple[int, str, float]]:
        store = MemoryLaneStore()
        ingress = MemoryIngress(store)
        async with anyio.create_task_group() as group:
            group.start_soon(route_all, ingress, "one", 30)
            group.start_soon(route_all, ingress, "two", 30)
            for k in range(30):
                await ingress.write([tick(k)])
                await anyio.sleep(0.05)
        return await prices(store)

    assert seeded_run(main, seed) == expected(30)


def test_bars_pass_through_the_ingress_and_time_reaches_every_lane() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        ingress = MemoryIngress(store)
        await ingress.write([frames.to_fields(frame_of(0)), {b"frame": b"\xc1"}])
        await route_all(ingress)
        found = [await store.read(lane, BEGINNING, count=9, block_s=0.0) for lane in range(CONFIG.lanes)]
        parts = [frames.decode(block.fields(0)[keys.FRAME]) for block in found]
        assert sorted(symbol for part in parts for symbol in part.symbols) == list("ABCD")
        assert {part.as_of_ns for part in parts} == {frame_of(0).as_of_ns}
        assert ["not a frame" in letter.reason for letter in await ingress.read_dead(BEGINNING, count=9)] == [True]

    seeded_run(main)


def test_a_router_without_the_lease_cannot_route() -> None:
    async def main() -> None:
        ingress = MemoryIngress(MemoryLaneStore())
        await ingress.lease("you", 30.0)
        with pytest.raises(LeaseLost, match="its owner is you"):
            await ingress.open("me", 1)
        with pytest.raises(LeaseLost, match="its owner is you"):
            await ingress.move("me", Route(BEGINNING, "1-0", 1))

    seeded_run(main)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        yield Path(short)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def address(folder: Path) -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(dir=folder) as home:
        async with embedded_valkey(Path(home)) as server:
            yield str(server.socket_path)


@pytest.mark.process
@pytest.mark.anyio
async def test_a_real_server_takes_over_leftovers_heals_and_keeps_letters(address: str) -> None:
    async with connect(address) as store:
        await store.claim_lanes(CONFIG.lanes)
        ingress = ValkeyIngress(store)
        await ingress.write([tick(k) for k in range(12)])
        await ingress.write([{**tick(0), b"price": b"bad"}])
        await route_all(ingress)
        assert await prices(store) == expected(12)
        at = await ingress.progress()
        assert (at.lag, at.pending, at.dead) == (0, 0, 1)
        (group,) = await store.groups(keys.INGRESS)
        assert group["last-delivered-id"].decode() == at.applied_id
        with pytest.raises(LeaseLost):
            await ingress.move("me", Route(at.applied_id, "9-9", 1))

        await anyio.to_thread.run_sync(write_some, address)
        assert [
            (name.split("/")[0], "not a number" in letter.reason)
            for name, letter in await letters.read_letters(address)
        ] == [("ingress", True)]
        assert await letters.replay_letters(address, "all") == 1
        await route_all(ingress)
        assert (await ingress.progress()).dead == 1
        assert len(await prices(store)) == 14

        await store._reply(store._client.flushall())
        await ingress.write([tick(k) for k in range(6)])
        await route_all(ingress)
        assert await prices(store) == expected(6)
        assert await store.check_durability() == []


def write_some(address: str) -> None:
    with TickWriter(address, frame_rows=2) as writer:
        for k in range(2):
            writer.add("AAPL", 1_789_999_999 * 10**9, price=100.0 + k, volume=1.0)
        assert writer.last_id


@pytest.mark.process
@pytest.mark.anyio
async def test_what_others_in_our_group_took_is_routed_once_and_acknowledged(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router, "CLAIM_IDLE_S", 0.0)
    async with connect(address) as store:
        ingress = ValkeyIngress(store)
        assert await ingress.lease("you", 30.0)
        await ingress.write([tick(k) for k in range(4)])
        await store._reply(store._client.xreadgroup(GROUP, "somebody", {keys.INGRESS: ">"}, count=3))
        assert (await ingress.progress()).pending == 3
        await ingress.lease("you", 0.001)
        async with anyio.create_task_group() as group:
            routing = Router(ingress, "me", CONFIG)
            group.start_soon(routing.run)
            with anyio.fail_after(20):
                while (await ingress.progress()).pending:
                    await anyio.sleep(0.01)
            routing.stop()
        assert await prices(store) == expected(4)
        assert await ingress.tidy("me", idle_s=0.0, count=10) == 0
