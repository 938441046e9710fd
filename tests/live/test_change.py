"""Another number of lanes in the middle of everything, seeded: nothing that comes out can tell.

Ticks go through the ingress while workers live and a change runs; everything dies at one call, before or after it took
effect, and opens anew. Final bars, alerts and hot state are those of a run with one lane that nobody disturbed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import anyio
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos import kills
from tests.live.test_kills import LIVE, OPEN_NS, Fuse, FusedIngress, FusedStore
from tests.streams.toys import Killed, seeded_run

from tapeline.core.config import StreamsConfig
from tapeline.core.instruments import underlying_of
from tapeline.core.types import BAR_FIELDS, NS_PER_S, BarFrame, Label
from tapeline.live.resplit import LaneStates
from tapeline.live.state import LaneState
from tapeline.streams import frames
from tapeline.streams.change import LaneChange, Switch
from tapeline.streams.change_steps import MemorySteps
from tapeline.streams.closed import ClosedReader, unpack_closed
from tapeline.streams.lanes import Publisher, lane_of
from tapeline.streams.layout import Layout
from tapeline.streams.router import Router
from tapeline.streams.store import BEGINNING
from tapeline.streams.worker import run_worker

SYMBOLS = ("AAPL", "MSFT", "NVDA", "AAPL260618C00100000", "TSLA")
MINUTES = 14
STREAMS = StreamsConfig(batch_size=4, batch_ms=1, snapshot_s=0.004, lease_s=0.03)
END_NS = OPEN_NS + MINUTES * 60 * NS_PER_S


def empty_frame(as_of_ns: int) -> BarFrame:
    fields: dict[str, Any] = dict.fromkeys(BAR_FIELDS, np.zeros(0))
    return BarFrame(60, "ticks", Label.REAL, as_of_ns, (), np.zeros(0, np.int64), **fields)


@cache
def tape() -> tuple[dict[bytes, bytes], ...]:
    """Return ticks of every symbol in every minute, a burst at the end that is worth an alert, and the last bell."""
    rng, entries = random.Random(5), []
    for k in range(MINUTES):
        for i, symbol in enumerate(SYMBOLS):
            volume = 5000 if k == MINUTES - 2 else rng.randrange(90, 110)
            price = 100 + (3 if k == MINUTES - 2 else rng.random() / 10) - 90 * (i == 3)
            moment = (OPEN_NS // NS_PER_S + 60 * k + 7 * i) * 1000
            fields = {b"symbol": symbol.encode(), b"price": b"%.2f" % price, b"volume": b"%d" % volume}
            entries.append({**fields, b"exchange_timestamp": b"%d" % moment})
    return (*entries, frames.to_fields(empty_frame(END_NS)))


class MortalFuse(Fuse):
    """A fuse after which nothing works until it is mended."""

    is_dead = False

    async def burn(self, call: Any) -> Any:
        if self.is_dead:
            call.close()
            raise Killed("dead")
        try:
            return await super().burn(call)
        except Killed:
            self.is_dead = True
            raise


class Store(FusedStore):
    async def change_layout(self, before: Layout, after: Layout) -> bool:
        return await self.fuse.burn(super().change_layout(before, after))

    async def publish(self, *args: Any, **more: Any) -> list[str]:
        return await self.fuse.burn(super().publish(*args, **more))


class Steps(MemorySteps):
    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.fuse = store.fuse

    async def shut(self, lane: int, epoch: int) -> None:
        await self.fuse.burn(super().shut(lane, epoch))

    async def stage(self, lane: int, attempt: int, parts: Mapping[str, bytes]) -> None:
        await self.fuse.burn(super().stage(lane, attempt, parts))

    async def move_hot(self, symbols: Sequence[str], lane: int, to: int) -> None:
        await self.fuse.burn(super().move_hot(symbols, lane, to))

    async def switch(self, lane: int, switch: Switch) -> None:
        await self.fuse.burn(super().switch(lane, switch))


def change_of(store: Store, ingress: FusedIngress, token: str) -> LaneChange:
    return LaneChange(store, Steps(store), ingress, LaneStates(LIVE), underlying_of, STREAMS, token)


class World:
    """Ticks that come, lanes that change, and whoever dies of it."""

    def __init__(self, fuse: Fuse, n_lanes: int, changes: Sequence[tuple[int, int]]) -> None:
        self.store = Store(fuse)
        self.ingress = FusedIngress(self.store)
        self.n_lanes, self.changes = n_lanes, list(changes)
        self.written = 0

    async def write(self) -> None:
        while self.written < len(tape()):
            await self.ingress.write(tape()[self.written : self.written + 5])
            self.written += 5
            await anyio.sleep(0.002)

    async def change(self, token: str) -> None:
        while self.changes:
            at, n = self.changes[0]
            while self.written < min(at, len(tape())):
                await anyio.sleep(0.001)
            assert (await change_of(self.store, self.ingress, token).run(n)).lanes == n
            self.changes.pop(0)

    async def live(self, name: str) -> None:
        async with anyio.create_task_group() as group:
            config = msgspec.structs.replace(STREAMS, lanes=1)  # another than there are
            start = partial(run_worker, self.store, lambda _: LaneState(LIVE), config, name, ingress=self.ingress)
            worker = await group.start(start)
            async with anyio.create_task_group() as busy:
                busy.start_soon(self.write)
                busy.start_soon(self.change, f"change-{name}")
            with anyio.fail_after(60):
                while not await self.is_done():
                    await anyio.sleep(0.005)
            worker.stop()

    async def is_done(self) -> bool:
        at, layout = await self.ingress.progress(), await self.store.layout()
        lanes = [await self.store.progress(lane) for lane in range(layout.lanes)]
        return at.applied_id == at.last_id and all(lane.snapshot_id == lane.last_id for lane in lanes)

    async def result(self) -> tuple[Any, ...]:
        layout = await self.store.layout()
        alerts = sorted(alert for alert, _ in await self.store.read_alerts(count=1000))
        hot = {s: await self.store.read_hot(lane_of(s, layout.lanes, underlying_of), [s]) for s in SYMBOLS}
        return await final_bars(self.store, layout.widest), alerts, {s: json.loads(hot[s][0] or b"0") for s in hot}


async def final_bars(store: Store, n_lanes: int) -> dict[tuple[int, str, int], tuple[float, ...]]:
    found = {}
    for lane in range(n_lanes):
        for entry in await store.read_closed(lane, BEGINNING, count=10_000, block_s=0.0):
            for frame in unpack_closed(entry.fields[b"frame"]):
                for i, symbol in enumerate(frame.symbols):
                    key = (frame.timeframe_s, symbol, int(frame.event_ns[i]))
                    assert key not in found, f"{key} closed twice"
                    found[key] = tuple(float(getattr(frame, name)[i]) for name in BAR_FIELDS)
    return found


def ends_as(fuse: MortalFuse, n_lanes: int, changes: Sequence[tuple[int, int]], seed: int) -> tuple[Any, ...]:
    async def main() -> tuple[Any, ...]:
        world = World(fuse, n_lanes, changes)
        await world.store.claim_lanes(n_lanes)
        for life in range(3):
            try:
                await world.live(f"worker-{life}")
            except* Killed:
                fuse.is_dead = False
                await anyio.sleep(0.1)  # the leases of the dead run out
            else:
                break
        return await world.result()

    return seeded_run(main, seed)


@cache
def undisturbed() -> tuple[Any, ...]:
    return ends_as(MortalFuse(None, after_effect=False), 1, (), 0)


def test_the_undisturbed_run_has_something_to_lose() -> None:
    bars, alerts, hot = undisturbed()
    assert len(bars) == MINUTES * len(SYMBOLS) * 3 // 2
    assert len(alerts) >= len(SYMBOLS)
    assert "delta" in hot["AAPL260618C00100000"]
    assert all("last" in row for row in hot.values())


lanes = st.integers(1, 5)
changes = st.lists(st.tuples(st.integers(0, 75), lanes), min_size=1, max_size=3)


@settings(max_examples=kills(25, 1_000), deadline=None)
@given(lanes, changes, st.integers(0, 999), st.one_of(st.none(), st.integers(1, 400)), st.booleans())
def test_a_change_and_a_death_at_any_call_are_as_none(
    n_lanes: int, changes: list[tuple[int, int]], seed: int, break_at: int | None, after_effect: bool
) -> None:
    changes = sorted(changes, key=lambda change: change[0])
    assert ends_as(MortalFuse(break_at, after_effect=after_effect), n_lanes, changes, seed) == undisturbed()


def test_publisher_and_reader_go_on_through_a_change() -> None:
    async def main() -> None:
        world = World(MortalFuse(None, after_effect=False), 2, ())
        publisher, reader = Publisher(world.store, 2, underlying_of), ClosedReader(world.store, 2)
        await publisher.open()
        seen: set[tuple[int, str, int]] = set()
        async with anyio.create_task_group() as group:
            start = partial(run_worker, world.store, lambda _: LaneState(LIVE), STREAMS, "one", ingress=world.ingress)
            worker = await group.start(start)
            for k, n in enumerate((2, 2, 5, 5, 3, 3, 1, 1, 4, 4)):
                if n != publisher.n_lanes:
                    group.start_soon(change_of(world.store, world.ingress, f"change-{k}").run, n)
                    await anyio.sleep(0.001 * (k % 3))
                frame = minute(k)
                await publisher.publish(frame, {symbol: frame.as_of_ns for symbol in SYMBOLS})
                for batch in await reader.read_until(frame.as_of_ns):
                    seen |= {(f.timeframe_s, s, int(f.event_ns[0])) for f in batch.frames for s in f.symbols}
                while (await world.store.layout()).lanes != n:
                    await anyio.sleep(0.01)
                assert await publisher.marks_of(SYMBOLS) == {symbol: frame.as_of_ns for symbol in SYMBOLS}
            worker.stop()
        assert len({key for key in seen if key[0] == 60}) == 10 * len(SYMBOLS)
        assert set(reader.offsets) == set(range(5))
        assert await Publisher(world.store, 4).open() == minute(9).as_of_ns

    seeded_run(main)


def minute(k: int) -> BarFrame:
    n = len(SYMBOLS)
    start_ns = OPEN_NS + 60 * k * NS_PER_S
    fields: dict[str, Any] = dict.fromkeys(BAR_FIELDS, np.full(n, 10.0 + k))
    return BarFrame(60, "sip", Label.REAL, start_ns + 60 * NS_PER_S, SYMBOLS, np.full(n, start_ns), **fields)


def test_what_a_dead_router_gave_to_some_lanes_only_is_finished_before_they_change() -> None:
    async def main() -> tuple[Any, ...]:
        fuse = MortalFuse(None, after_effect=False)
        world = World(fuse, 3, ())
        await world.store.claim_lanes(3)
        await world.ingress.write(tape())
        await world.ingress.lease("dead", 0.01)
        dead = Router(world.ingress, "dead", msgspec.structs.replace(STREAMS, batch_size=100))
        fuse.break_at = 3  # after the term, the first lane and before the second
        with pytest.raises(Killed):
            await dead._route()
        fuse.is_dead = False
        assert sum([(await world.store.progress(lane)).length > 0 for lane in range(3)]) == 1
        await anyio.sleep(0.1)
        async with anyio.create_task_group() as group:
            start = partial(run_worker, world.store, lambda _: LaneState(LIVE), STREAMS, "one")
            worker = await group.start(start)
            await change_of(world.store, world.ingress, "change").run(2)
            worker.stop()
        world.written = len(tape())
        await world.live("two")
        return await world.result()

    assert seeded_run(main) == undisturbed()


def test_nobody_routes_while_lanes_change() -> None:
    async def main() -> None:
        world = World(MortalFuse(None, after_effect=False), 2, ())
        await world.store.claim_lanes(2)
        await world.ingress.write(tape())
        assert await world.store.change_layout(Layout(2, 2), Layout(2, 2, 0, next_lanes=3, attempt=1))
        async with anyio.create_task_group() as group:
            router = Router(world.ingress, "me", msgspec.structs.replace(STREAMS, lease_s=3.0))
            group.start_soon(router.run)
            await anyio.sleep(10)
            assert await world.ingress.lease("you", 0.1)
            router.stop()
        assert [(await world.store.progress(lane)).length for lane in range(2)] == [0, 0]

    seeded_run(main)
