"""Nodes of a real cluster with replicas die, come back, hand over and give slots away while ticks go through.

Bars, alerts and hot state are those of a run that nobody disturbed. Where replication had stopped before a death, what
the dead had told nobody is told to be lost, and what the ingress still holds is made again.
"""

from __future__ import annotations

import logging
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from anyio.abc import SocketAttribute, SocketStream
from redis.crc import key_slot
from tests.chaos import kills
from tests.live.clusters import Cluster, ServerNode, cluster, server_node, wait_for
from tests.live.test_change import SYMBOLS, empty_frame, tape, undisturbed
from tests.live.test_cluster import result, settle
from tests.live.test_kills import LIVE

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import Unavailable
from tapeline.core.instruments import underlying_of
from tapeline.live.state import LaneState
from tapeline.streams import keys
from tapeline.streams.closed import ClosedReader
from tapeline.streams.ingress import ValkeyIngress
from tapeline.streams.lanes import Publisher, lane_of
from tapeline.streams.letters import stream_losses, stream_progress
from tapeline.streams.limits import ValkeyLimiterState, _key, connect_limits
from tapeline.streams.marks import Marks, lane_part
from tapeline.streams.server import Server
from tapeline.streams.store import BEGINNING
from tapeline.streams.valkey import ValkeyLaneStore, connect
from tapeline.streams.worker import Worker
from tapeline.streams.writer import TickWriter

log = logging.getLogger(__name__)

CONFIG = StreamsConfig(lanes=5, lease_s=0.6, snapshot_s=0.05, batch_ms=1, batch_size=5)
BUSY = sorted({lane_of(symbol, CONFIG.lanes, underlying_of) for symbol in SYMBOLS})
"""Lanes with ticks: one beside the ingress, one at each of the two other nodes."""
HEALED_S = 15.0
"""Everything goes on within this time of a death; the cluster itself takes a second or two of it."""
MOST_CALLS_A_SECOND = 400
"""By two workers and a producer while a node is gone: each task asks anew ten times a second at most."""

Event = Callable[[Cluster, bytes], object]
"""What happens to the node that has a key."""

pytestmark = [pytest.mark.process, pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


@pytest.fixture(scope="module")
def six() -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="tl-") as short, cluster(Path(short), replicas=1) as made:
        yield made


def emptied(made: Cluster) -> Cluster:
    """Make a cluster whole and empty."""
    made.heal()
    for primary in made.primaries():
        primary.client.flushall()
    return made


@dataclass
class Producer:
    """Writes entries one by one, and after a failure looks which are there before it goes on.

    Attributes
    ----------
    address
        The cluster.
    entries
        What it writes, each different.
    sent
        How many are there for sure.
    failures
        How often it had to look.
    """

    address: str
    entries: Sequence[Mapping[bytes, bytes]]
    sent: int = 0
    failures: int = 0
    _last_id: str = BEGINNING

    async def run_to(self, n: int) -> None:
        """Write until the first ``n`` are there."""
        async with connect_in_time(self.address) as store:
            while self.sent < n:
                try:
                    await self._write(store)
                    await anyio.sleep(0.01)
                except Unavailable:
                    self.failures += 1
                    await anyio.sleep(0.1)

    async def _write(self, store: ValkeyLaneStore) -> None:
        there = await store.read_entries(keys.INGRESS, self._last_id, 1000, 0.0)
        assert [dict(entry.fields) for entry in there] == [dict(e) for e in self.entries[self.sent :][: len(there)]]
        ahead = self.sent + len(there)
        # What was found there may be on one node alone: only a write that waited for the replica says that it stays.
        (self._last_id,) = await ValkeyIngress(store).write([self.entries[ahead]])
        self.sent = ahead + 1


@asynccontextmanager
async def connect_in_time(address: str) -> AsyncIterator[ValkeyLaneStore]:
    """Connect as soon as the cluster lets us."""
    async with AsyncExitStack() as stack:
        with anyio.fail_after(HEALED_S):
            while True:
                try:
                    store = await stack.enter_async_context(connect(address))
                    break
                except Unavailable:
                    await anyio.sleep(0.1)
        yield store


@asynccontextmanager
async def workers(address: str, folder: Path, n: int = 2) -> AsyncIterator[list[Worker]]:
    """Run workers, each with its own connections and marks."""
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        running = []
        for i in range(n):
            store = await stack.enter_async_context(connect(address))
            how = CONFIG, f"worker-{i}", 86_400.0, ValkeyIngress(store), Marks(folder / f"marks-{i}", address)
            running.append(Worker(store, lambda _: LaneState(LIVE), *how))
            await group.start(running[-1].run)
        yield running
        for worker in running:
            worker.stop()


@dataclass
class Calls:
    """Commands that were sent."""

    sent: int = 0
    failed: int = 0
    _before: tuple[int, int, float] = field(default=(0, 0, 0.0))

    def begin(self) -> None:
        """Count from here on."""
        self._before = self.sent, self.failed, anyio.current_time()

    def since(self) -> tuple[int, int, float]:
        """Return sent, failed and seconds since the beginning."""
        sent, failed, begin_s = self._before
        return self.sent - sent, self.failed - failed, anyio.current_time() - begin_s


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    counted, reply = Calls(), Server._reply

    async def count(self: Server, command: Any, node: Any = None) -> Any:
        counted.sent += 1
        try:
            return await reply(self, command, node)
        except Unavailable:
            counted.failed += 1
            raise

    monkeypatch.setattr(Server, "_reply", count)
    return counted


def kill_primary(made: Cluster, key: bytes) -> ServerNode:
    """Kill the node that has a key; return when its replica has taken over."""
    primary = made.primary_of(key)
    primary.kill()
    wait_for(lambda: made.primary_of(key) is not primary)
    return primary


def hand_over(made: Cluster, key: bytes) -> None:
    """Let the replica of the node that has a key take over in peace."""
    primary = made.primary_of(key)
    made.replica_of(primary).client.execute_command("CLUSTER", "FAILOVER")
    wait_for(lambda: made.primary_of(key) is not primary)


def move_slot(made: Cluster, key: bytes, to: ServerNode | None = None) -> ServerNode:
    """Move the slot of a key, with everything in it, to another primary, as a reshard does; return where it was."""
    slot, source = key_slot(key), made.primary_of(key)
    target = to or next(node for node in made.primaries() if node is not source)
    ids = {node.port: node.client.execute_command("CLUSTER MYID").decode() for node in (source, target)}
    target.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source.port])
    source.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target.port])
    while names := source.client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 3):
        source.client.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *names)
    for node in (target, source):
        node.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[target.port])
    return source


def parts_at(made: Cluster, node: ServerNode) -> list[str]:
    """Return what with ticks in it a node has."""
    streams = {"ingress": keys.INGRESS, **{lane_part(lane): keys.rows(lane) for lane in BUSY}}
    return [part for part, key in streams.items() if made.primary_of(key) is node]


async def test_nodes_that_die_hand_over_or_give_slots_away_lose_and_double_nothing(
    anyio_backend: str, six: Cluster, calls: Calls, tmp_path: Path
) -> None:
    rng = random.Random(13)
    expected = await anyio.to_thread.run_sync(undisturbed)
    for part in range(kills(1, 20)):
        made = await anyio.to_thread.run_sync(emptied, six)
        events: list[Event] = [hand_over, *[kill_primary] * kills(1, 2)]
        rng.shuffle(events)
        events += [move_slot]
        where = [keys.INGRESS, *(keys.rows(rng.choice(BUSY)) for _ in events[1:])]
        producer = Producer(made.address, tape())
        async with connect(made.address) as store, workers(made.address, tmp_path / str(part)) as running:
            await store.claim_lanes(CONFIG.lanes)
            reader = ClosedReader(store, CONFIG.lanes)
            for i, (event, key) in enumerate(zip(events, where, strict=True)):
                await producer.run_to(14 * i + 8)
                calls.begin()
                with anyio.fail_after(HEALED_S):
                    was_at = made.primary_of(key)
                    async with anyio.create_task_group() as group:
                        group.start_soon(happen, event, made, key)
                        group.start_soon(producer.run_to, 14 * i + 14)
                    await in_time(settle, store)
                sent, failed, seconds = calls.since()
                log.info("%s: %d sent, %d failed, %.2f s", event.__name__, sent, failed, seconds)
                assert sent < MOST_CALLS_A_SECOND * max(seconds, 1)
                await anyio.to_thread.run_sync(made.heal)
            await producer.run_to(len(tape()))
            await in_time(settle, store)
            assert await result(store) == expected
            seen = [batch for lane in range(CONFIG.lanes) for batch in await reader.read(lane, count=1000)]
            assert len({(batch.lane, batch.id) for batch in seen}) == len(seen) > 0
            assert [worker.lost for worker in running] == [0, 0]
            ingress, lanes = await stream_progress(made.address)
            assert (ingress.lag, [lane.lag for lane in lanes]) == (0, [0] * CONFIG.lanes)
        assert await stream_losses(made.address) == ()
        await anyio.to_thread.run_sync(move_slot, made, where[-1], was_at)


async def happen(event: Event, made: Cluster, key: bytes) -> None:
    """Let it happen beside everything else."""
    await anyio.to_thread.run_sync(event, made, key)


async def in_time(ask: Any, *args: Any) -> Any:
    """Ask until it is answered."""
    with anyio.fail_after(HEALED_S):
        while True:
            try:
                return await ask(*args)
            except Unavailable:
                await anyio.sleep(0.1)


TOLD_NOBODY = {"lane": keys.rows(BUSY[1]), "ingress": keys.INGRESS, "alerts": keys.ALERTS}


@pytest.mark.parametrize("what", list(TOLD_NOBODY)[: kills(1, 3)])
async def test_what_a_dead_node_had_told_nobody_is_told_to_be_lost(
    anyio_backend: str, six: Cluster, tmp_path: Path, what: str
) -> None:
    key = TOLD_NOBODY[what]
    made = await anyio.to_thread.run_sync(emptied, six)
    address, victim = made.address + "?replicas=0", made.primary_of(key)
    marks, parts = Marks(tmp_path / "marks-0", address), parts_at(made, victim)
    async with connect(address) as store, workers(address, tmp_path, n=1) as (worker,):
        await store.claim_lanes(CONFIG.lanes)
        ingress = ValkeyIngress(store)
        await ingress.write(tape()[:30])
        await settle(store)
        await anyio.to_thread.run_sync(victim.cut)
        await ingress.write(tape()[30:50])
        await settle(store)
        lasts = {lane_part(lane): (await store.progress(lane)).last_id for lane in BUSY}
        lasts["ingress"] = (await ingress.progress()).last_id
        with anyio.fail_after(HEALED_S):
            while any(marks.read(part).last_id != lasts[part] for part in parts):
                await anyio.sleep(0.02)
        await anyio.to_thread.run_sync(kill_primary, made, key)
        with anyio.fail_after(HEALED_S):
            while len(losses := await in_time(stream_losses, address)) < len(parts):
                await anyio.sleep(0.05)
        assert {loss.part: loss.seen_id for loss in losses} == {part: lasts[part] for part in parts}
        await in_time(settle, store)  # also without another tick
        await in_time(ingress.write, tape()[50:])
        await in_time(settle, store)
        assert worker.lost == len(parts)
        bars, alerts, hot = await result(store)
    if "ingress" not in parts:
        expected = await anyio.to_thread.run_sync(undisturbed)
        told = [alert for alert in alerts if "lost_data" not in alert]
        assert (bars, sorted(set(told)), hot) == expected


@pytest.mark.skipif(not kills(0, 1), reason="for make chaos; test_server.py says the same of a fake")
async def test_where_a_node_has_a_replica_nothing_is_acknowledged_that_it_does_not_have(
    anyio_backend: str, six: Cluster
) -> None:
    made = await anyio.to_thread.run_sync(emptied, six)
    async with connect(made.address) as store:
        ingress = ValkeyIngress(store)
        await ingress.write(tape()[:1])
        await anyio.to_thread.run_sync(made.primary_of(keys.INGRESS).cut)
        with pytest.raises(Unavailable, match="replica did not have the last write"):
            await ingress.write(tape()[1:2])
        replica = made.replica_of(made.primary_of(keys.INGRESS))
        await anyio.to_thread.run_sync(replica.kill)
        await in_time(ingress.write, tape()[2:3])  # once the cluster takes it for dead, it cannot take over


def write_ticks(writer: TickWriter, n: int) -> None:
    """Write so many ticks, one a frame, no two of them the same."""
    for k in range(n):
        writer.add("AAPL", 1_789_999_999 * 10**9 + k, price=100.0, volume=1.0)
        time.sleep(0.01)


async def test_writers_publishers_and_limits_follow_when_their_node_dies(anyio_backend: str, six: Cluster) -> None:
    made = await anyio.to_thread.run_sync(emptied, six)
    now_ns = 1_790_000_000 * 10**9
    take = partial(ValkeyLimiterState.reserve, now_ns=now_ns, window_ns=10**9, limit=2)
    counted = next(name for name in "abcdefghijkl" if made.primary_of(_key(name)) is made.primary_of(keys.INGRESS))
    async with connect(made.address, patience_s=HEALED_S) as store, connect_limits(made.address) as limits:
        with TickWriter(made.address, frame_rows=1) as writer:
            publisher = Publisher(store, CONFIG.lanes, underlying_of)
            await publisher.open()
            assert [await take(limits, counted, token) for token in "ab"] == [None, None]
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.to_thread.run_sync, write_ticks, writer, 60)
                await anyio.sleep(0.2)
                await anyio.to_thread.run_sync(made.primary_of(keys.INGRESS).kill)
                assert sorted(await publisher.publish(empty_frame(now_ns))) == list(range(CONFIG.lanes))
        written = await store.read_entries(keys.INGRESS, BEGINNING, 1000, 0.0)
        ticks = [entry.fields[keys.FRAME] for entry in written]
        assert len(ticks) == len(set(ticks)) == 60
        assert await in_time(take, limits, counted, "c") is not None


@dataclass
class Relay:
    """One address, behind which another server may stand at any time; connections stay where they led.

    Attributes
    ----------
    target
        Port that new connections lead to.
    """

    target: int

    async def serve(self, near: SocketStream) -> None:
        """Carry one connection."""
        async with near:
            try:
                async with await anyio.connect_tcp("127.0.0.1", self.target) as far, anyio.create_task_group() as group:
                    group.start_soon(self._pump, near, far)
                    await self._pump(far, near)
                    group.cancel_scope.cancel()
            except OSError:
                pass  # nobody is there: the connection ends

    async def _pump(self, source: SocketStream, sink: SocketStream) -> None:
        try:
            async for part in source:
                await sink.send(part)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # as when it ends in peace
        await sink.aclose()


async def test_a_server_that_hands_over_behind_its_address_or_restarts_is_waited_for(
    anyio_backend: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with tempfile.TemporaryDirectory(prefix="tl-") as short, ExitStack() as servers:
        start = partial(server_node, Path(short), appendonly="yes")
        one, two = [await anyio.to_thread.run_sync(servers.enter_context, start()) for _ in range(2)]
        await anyio.to_thread.run_sync(follow, two, one)
        relay = Relay(one.port)
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as group,
        ):
            group.start_soon(listener.serve, relay.serve)
            address = f"redis://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
            producer = Producer(address, tape())
            async with connect(address) as store, workers(address, tmp_path) as running:
                await store.claim_lanes(CONFIG.lanes)
                await producer.run_to(20)
                one.client.execute_command("FAILOVER")
                await anyio.to_thread.run_sync(wait_for, lambda: two.info("replication")["role"] == "master")
                relay.target = two.port
                with anyio.fail_after(HEALED_S):
                    await producer.run_to(40)
                await anyio.to_thread.run_sync(two.kill)
                await anyio.to_thread.run_sync(two.start)
                with anyio.fail_after(HEALED_S):
                    await producer.run_to(len(tape()))
                await in_time(settle, store)
                assert await result(store) == await anyio.to_thread.run_sync(undisturbed)
                assert [worker.lost for worker in running] == [0, 0]
                assert [worker.poisoned for worker in running] == [None, None]
            group.cancel_scope.cancel()
    assert "read only replica" in caplog.text or "UNBLOCKED" in caplog.text
    assert "closed the connection" in caplog.text


def follow(replica: ServerNode, primary: ServerNode) -> None:
    """Let one server be the replica of another; return when it has everything."""
    replica.client.execute_command("REPLICAOF", "127.0.0.1", primary.port)
    wait_for(lambda: primary.client.set("x", 1) and primary.client.wait(1, 1000) == 1)
