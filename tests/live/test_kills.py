"""Deaths, seeded: ticks through ingress and lanes end as an undisturbed run ends, to the bit.

A hundred of them in the suite, a thousand in ``make chaos`` and ``make simulate``. Everything in memory is dropped at
one call of the store, before or after it took effect, and opened anew. Compared are the closed bars with their
revisions, the alerts with their ids, and the hot state.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any, TypeVar

import anyio
import pytest
from tests.chaos import kills
from tests.streams.toys import Killed, closed_bytes, seeded_run

from tapeline.core.config import LiveConfig, StreamsConfig
from tapeline.core.config.streams import PatternConfig
from tapeline.core.types import NS_PER_S
from tapeline.live.state import LaneState
from tapeline.streams.blocks import Block
from tapeline.streams.ingress import MemoryIngress, Route, Standing
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.store import BEGINNING, Commit, Saved
from tapeline.streams.worker import run_worker

T = TypeVar("T")

KILLS = kills(100, 1_000)
STRIDE = 7_919
"""A prime, so that few deaths are spread over all calls."""
STREAMS = StreamsConfig(lanes=2, batch_size=4, batch_ms=1, snapshot_s=0.004, lease_s=0.03)
LIVE = LiveConfig(
    timeframes_s=(60, 120),
    indicators=("sma_20",),
    window_bars=30,
    patterns=PatternConfig(window_bars=10, leg_bars=2, turn_bars=2),
)
OPEN_NS = 1_767_623_400 * NS_PER_S
SYMBOLS = ("AAPL", "MSFT", "NVDA")


def tape() -> list[dict[bytes, bytes]]:
    """Return thirteen minutes of ticks, some late, one that cannot be read, and a burst that is worth an alert."""
    rng, entries = random.Random(3), []
    for k in range(39):
        at_s = 20 * k - (70 if k % 9 == 8 else 0)
        moment = (OPEN_NS // NS_PER_S + at_s) * 1000 + k
        volume = 5000 if k >= 36 else rng.randrange(90, 110)
        price = b"%.2f" % (100 + (3 if k >= 36 else rng.random() / 10))
        fields = {b"symbol": SYMBOLS[k % 3].encode(), b"price": price if k != 7 else b"x"}
        entries.append({**fields, b"volume": b"%d" % volume, b"exchange_timestamp": b"%d" % moment})
    moment = (OPEN_NS // NS_PER_S + 20 * 60) * 1000
    last = {b"price": b"100", b"volume": b"1", b"exchange_timestamp": b"%d" % moment}
    return [*entries, *({b"symbol": symbol.encode(), **last} for symbol in SYMBOLS)]


class Fuse:
    """Counts calls and breaks one of them."""

    def __init__(self, break_at: int | None, *, after_effect: bool) -> None:
        self.break_at, self.after_effect, self.calls = break_at, after_effect, 0

    async def burn(self, call: Awaitable[T]) -> T:
        """Make a call, or die of it."""
        self.calls += 1
        breaks = self.calls == self.break_at
        if breaks and not self.after_effect:
            call.close()  # type: ignore[attr-defined]  # a coroutine
            raise Killed(f"call {self.calls}")
        found = await call
        if breaks:
            raise Killed(f"call {self.calls}")
        return found


class FusedStore(MemoryLaneStore):
    """Lanes behind a fuse."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self.fuse = fuse

    async def read(self, lane: int, after: str, *, count: int, block_s: float) -> Block:
        return await self.fuse.burn(super().read(lane, after, count=count, block_s=block_s))

    async def load(self, lane: int) -> Saved:
        return await self.fuse.burn(super().load(lane))

    async def commit(self, lane: int, token: str, commit: Commit) -> None:
        await self.fuse.burn(super().commit(lane, token, commit))


class FusedIngress(MemoryIngress):
    """An ingress behind the same fuse."""

    def __init__(self, store: FusedStore) -> None:
        super().__init__(store)
        self.fuse = store.fuse

    async def open(self, token: str, n_lanes: int) -> Standing:
        return await self.fuse.burn(super().open(token, n_lanes))

    async def put_lane(self, term: int, upto: str, lane: int, payloads: Sequence[bytes]) -> None:
        await self.fuse.burn(super().put_lane(term, upto, lane, payloads))

    async def move(self, token: str, route: Route) -> None:
        await self.fuse.burn(super().move(token, route))


def ends_as(fuse: Fuse, seed: int) -> tuple[Any, ...]:
    """Run the tape to its end, whoever dies; return bars, alerts, hot state and dead letters."""

    async def main() -> tuple[Any, ...]:
        store = FusedStore(fuse)
        ingress = FusedIngress(store)
        await ingress.write(tape())
        for life in range(3):
            try:
                await one_life(store, ingress, f"worker-{life}")
            except* Killed:
                await anyio.sleep(0.1)  # the leases of the dead run out
            else:
                break
        alerts = sorted(alert for alert, _ in await store.read_alerts(count=1000))
        hot = [await store.read_hot(lane, SYMBOLS) for lane in range(STREAMS.lanes)]
        dead = len(await ingress.read_dead(BEGINNING, count=99))
        return await closed_bytes(store), alerts, hot, dead

    return seeded_run(main, seed)


async def one_life(store: FusedStore, ingress: FusedIngress, name: str) -> None:
    """Work until nothing waits anywhere, then leave in peace."""
    async with anyio.create_task_group() as group:
        start = partial(run_worker, store, lambda _: LaneState(LIVE), STREAMS, name, ingress=ingress)
        worker = await group.start(start)
        with anyio.fail_after(30):
            while not await is_done(store, ingress):
                await anyio.sleep(0.005)
        worker.stop()


async def is_done(store: FusedStore, ingress: FusedIngress) -> bool:
    at = await ingress.progress()
    lanes = [await store.progress(lane) for lane in range(STREAMS.lanes)]
    return at.applied_id == at.last_id and all(lane.snapshot_id == lane.last_id for lane in lanes)


UNDISTURBED = Fuse(None, after_effect=False)
EXPECTED = ends_as(UNDISTURBED, 0)


def test_the_undisturbed_run_has_something_to_lose() -> None:
    bars, alerts, hot, dead = EXPECTED
    assert sum(map(len, bars)) > 20
    assert len(alerts) >= 3
    assert sum(value is not None for lane in hot for value in lane) == len(SYMBOLS)
    assert dead == 1


@pytest.mark.parametrize("part", range(10))
def test_deaths_at_any_call_change_nothing(part: int) -> None:
    for seed in range(part, KILLS, 10):
        fuse = Fuse(1 + seed * STRIDE % UNDISTURBED.calls, after_effect=seed % 2 == 1)
        assert ends_as(fuse, seed) == EXPECTED, f"seed {seed}, killed at call {fuse.break_at}"
