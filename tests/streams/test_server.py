"""What a server says while it fails over is waited for, on one server as on a cluster; never poison, never a crash."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest
from tests.streams.fakes import CLUSTERED, PRIMARY, FakeServer, array, bulk, fake_server, slots
from tests.streams.toys import Counter

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import ConfigError, StoreError, Unavailable
from tapeline.streams.address import Address
from tapeline.streams.ingress import ValkeyIngress
from tapeline.streams.store import BEGINNING, Commit
from tapeline.streams.survey import online_replicas, survey_of, syncing_replicas
from tapeline.streams.valkey import ValkeyLaneStore, connect
from tapeline.streams.worker import Worker
from tapeline.streams.writer import TickWriter

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

FAILING_OVER = [
    b"READONLY You can't write against a read only replica.",
    b"LOADING Valkey is loading the dataset in memory",
    b"CLUSTERDOWN The cluster is down",
    b"TRYAGAIN Multiple keys request during rehashing of slot",
    b"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    b"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    b"NOREPLICAS Not enough good replicas to write.",
    b"ASK 5 127.0.0.1:1",
]

Ask = Callable[[ValkeyLaneStore], Awaitable[Any]]
QUESTIONS: dict[str, Ask] = {
    "progress": lambda store: store.progress(0),
    "load": lambda store: store.load(0),
    "read": lambda store: store.read(0, BEGINNING, count=1, block_s=0.1),
    "commit": lambda store: store.commit(0, "me", Commit(BEGINNING, "1-0")),
    "lease": lambda store: store.lease(0, "me", 1.0),
    "publish": lambda store: store.publish(0, [{b"a": b"1"}], None),
    "layout": lambda store: store.layout(),
    "closed": lambda store: store.read_closed(0, BEGINNING, count=1, block_s=0.0),
    "losses": lambda store: store.read_losses(count=1),
    "ingress": lambda store: ValkeyIngress(store).progress(),
    "write": lambda store: ValkeyIngress(store).write([{b"a": b"1"}]),
    "route": lambda store: ValkeyIngress(store).lease("me", 1.0),
}


def address_of(*fakes: FakeServer) -> str:
    return "redis://" + ",".join(f"127.0.0.1:{fake.port}" for fake in fakes)


@pytest.mark.parametrize("said", FAILING_OVER, ids=lambda said: said.split()[0].decode())
async def test_whatever_is_asked_of_a_server_that_fails_over_is_unavailable_until_it_has(
    anyio_backend: str, said: bytes
) -> None:
    failing = True

    def answer(command: list[bytes]) -> bytes | None:
        return b"-%b\r\n" % said if failing and command[0] not in (b"INFO", b"CLIENT") else None

    async with fake_server(answer) as fake, connect(address_of(fake)) as store:
        for ask in QUESTIONS.values():
            with pytest.raises(Unavailable):
                await ask(store)
        failing = False
        assert (await store.layout()).lanes == 0


@pytest.mark.parametrize("said", FAILING_OVER[:3], ids=lambda said: said.split()[0].decode())
async def test_a_worker_waits_for_a_server_that_fails_over_without_a_hot_loop(
    anyio_backend: str, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with fake_server() as fake, connect(address_of(fake)) as store:
        fake.answer = lambda command: b"-%b\r\n" % said if command[0] not in (b"INFO", b"CLIENT") else None
        config = StreamsConfig(lanes=2, lease_s=0.3)
        worker = Worker(store, lambda _: Counter(), config, "one", ingress=ValkeyIngress(store))
        with caplog.at_level(logging.WARNING):
            async with anyio.create_task_group() as group:
                await group.start(worker.run)
                await anyio.sleep(0.5)
                worker.stop()
    assert worker.poisoned is None
    assert "waits for the stream server" in caplog.text
    assert (
        len([command for command in fake.commands if command[0] != b"CLIENT"]) < 40
    )  # the worker and its router ask anew every tenth of a second, twice


async def test_a_primary_that_is_a_replica_now_is_left_for_the_one_its_name_leads_to(anyio_backend: str) -> None:
    is_replica = False

    def answer(command: list[bytes]) -> bytes | None:
        if is_replica and command[0] == b"INFO":
            return bulk(PRIMARY.replace(b"role:master", b"role:slave"))
        return b"-%b\r\n" % FAILING_OVER[0] if is_replica else b"$-1\r\n" if command[0] == b"SET" else None

    async with fake_server(answer) as fake, connect(address_of(fake)) as store:
        await store.layout()
        before, is_replica = fake.connections, True
        with pytest.raises(Unavailable, match="read only replica"):
            await store.layout()
        with pytest.raises(Unavailable, match="takes no writes"):
            await store.layout()
        assert fake.connections > before  # another connection, which another machine may take
        is_replica = False
        await store.layout()


async def test_of_two_servers_the_one_that_takes_writes_is_found(anyio_backend: str) -> None:
    async with fake_server() as one, fake_server() as two:
        one.answer = lambda c: bulk(PRIMARY.replace(b"master", b"slave")) if c[0] == b"INFO" else None
        async with connect(address_of(one, two)) as store:
            await store.layout()
    assert (one.asked(b"GET"), two.asked(b"GET")) == (0, 1)


async def test_a_full_disk_is_said(anyio_backend: str) -> None:
    async with fake_server() as fake, connect(address_of(fake)) as store:
        fake.answer = lambda c: b"-MISCONF writing to the AOF file: No space left on device\r\n"
        with pytest.raises(StoreError, match="the disk is full"):
            await store.layout()


async def test_what_a_node_refused_since_a_slot_moved_goes_to_the_node_that_has_it_once(anyio_backend: str) -> None:
    async with fake_server() as old, fake_server() as new:
        owner = old

        def answer(me: FakeServer) -> Callable[[list[bytes]], bytes | None]:
            def said(command: list[bytes]) -> bytes | None:
                if command[0] == b"INFO":
                    return bulk(CLUSTERED)
                if command[:2] == [b"CLUSTER", b"INFO"]:
                    return bulk(b"cluster_state:ok\r\n")
                if command[:2] == [b"CLUSTER", b"SLOTS"]:
                    return slots((0, 16_383, [owner.port]))
                return None if me is owner else b"-MOVED 1 127.0.0.1:%d\r\n" % owner.port

            return said

        old.answer, new.answer = answer(old), answer(new)
        async with connect(address_of(old)) as store:
            assert store.is_cluster
            await store.layout()
            owner = new
            await store.layout()
            await store.layout()
        assert (old.asked(b"GET"), new.asked(b"GET")) == (2, 2)


WITH_REPLICA = PRIMARY.replace(
    b"connected_slaves:0", b"connected_slaves:1\r\nslave0:ip=1,port=1,state=online,offset=1,lag=0"
)


async def test_a_write_waits_for_the_replica_and_goes_on_without_one_that_is_gone(anyio_backend: str) -> None:
    info, kept = WITH_REPLICA, 1

    def answer(command: list[bytes]) -> bytes | None:
        if command[0] == b"EXEC":
            return array(bulk(b"1-0"))
        return {b"INFO": bulk(info), b"WAIT": b":%d\r\n" % kept}.get(command[0])

    async with fake_server(answer) as fake, connect(address_of(fake)) as store:
        assert await ValkeyIngress(store).write([{b"a": b"1"}]) == ["1-0"]
        assert fake.asked(b"WAIT") == 1
        kept = 0
        with pytest.raises(Unavailable, match="did not have the last write"):
            await ValkeyIngress(store).write([{b"a": b"1"}])
        info = PRIMARY
        assert await ValkeyIngress(store).write([{b"a": b"1"}]) == ["1-0"]  # judged by what is there now
        waited = fake.asked(b"WAIT")
        await ValkeyIngress(store).write([{b"a": b"1"}])
        assert fake.asked(b"WAIT") == waited
    async with fake_server(answer) as fake, connect(address_of(fake) + "?replicas=0") as store:
        info = WITH_REPLICA
        await ValkeyIngress(store).write([{b"a": b"1"}])
        assert fake.asked(b"WAIT") == 0


async def test_a_replica_of_a_cluster_that_is_being_filled_holds_up_no_write(anyio_backend: str) -> None:
    filling = PRIMARY.replace(b"cluster_enabled:0", b"cluster_enabled:1").replace(
        b"connected_slaves:0", b"connected_slaves:1\r\nslave0:ip=1,port=1,state=wait_bgsave,offset=0,lag=0"
    )
    async with fake_server() as fake:

        def answer(command: list[bytes]) -> bytes | None:
            if command[:2] == [b"CLUSTER", b"SLOTS"]:
                return slots((0, 16_383, [fake.port, 1]))
            replies = {b"INFO": bulk(filling), b"CLUSTER": bulk(b"cluster_state:ok\r\n"), b"WAIT": b":0\r\n"}
            return array(bulk(b"1-0")) if command[0] == b"EXEC" else replies.get(command[0])

        fake.answer = answer
        async with connect(address_of(fake)) as store:
            assert await ValkeyIngress(store).write([{b"a": b"1"}]) == ["1-0"]
            assert await ValkeyIngress(store).write([{b"a": b"1"}]) == ["1-0"]
            assert fake.asked(b"WAIT") == 1


@pytest.mark.parametrize("was_taken", [True, False])
async def test_a_writer_looks_whether_a_frame_is_there_before_it_sends_it_again(
    anyio_backend: str, *, was_taken: bool
) -> None:
    taken: list[list[bytes]] = []

    def answer(command: list[bytes]) -> bytes | None:
        if command[0] == b"XADD":
            is_lost = fake.asked(b"XADD") == 2
            if was_taken or not is_lost:
                taken.append(command[3:])
            return b"" if is_lost else bulk(b"%d-0" % len(taken))
        if command[0] == b"XRANGE":
            after = int(command[2][1:].split(b"-")[0])
            found = enumerate(taken[after:], after + 1)
            return array(*(array(bulk(b"%d-0" % i), array(*map(bulk, parts))) for i, parts in found))
        return array() if command[0] == b"XREVRANGE" else b":0\r\n" if command[0] == b"HSET" else None

    def write_three() -> str:
        with TickWriter(address_of(fake), frame_rows=1, patience_s=5.0) as writer:
            for k in range(3):
                writer.add("AAPL", 1_789_999_999 * 10**9 + k, price=100.0, volume=1.0)
            return writer.last_id

    async with fake_server() as fake:
        fake.answer = answer
        assert await anyio.to_thread.run_sync(write_three) == "3-0"
    assert len({bytes(parts[1]) for parts in taken}) == len(taken) == 3
    assert fake.asked(b"XADD") == (3 if was_taken else 4)


def test_what_nodes_say_of_themselves_is_read(anyio_backend: str) -> None:
    shards = [[0, 8191, [b"", 1, b"a"], [b"h", 2, b"b"]], [8192, 16383, ["two", 3, b"c"]]]
    survey = survey_of(b"cluster_state:ok\r\n", shards, "asked")
    assert [(shard.place, shard.replicas) for shard in survey.shards] == [(("asked", 1), 1), (("two", 3), 0)]
    assert (survey.shard_of_slot[8191], survey.shard_of_slot[8192]) == (0, 1)
    with pytest.raises(Unavailable, match="is down"):
        survey_of("cluster_state:fail", shards, "asked")
    with pytest.raises(Unavailable, match="cover all slots"):
        survey_of("cluster_state:ok", shards[:1], "asked")
    said = {"connected_slaves": 3, "slave0": {"state": "online"}, "slave1": {"state": "send_bulk"}}
    assert (online_replicas(said), syncing_replicas(said)) == (1, 1)


def test_an_address_names_nodes_and_replicas(anyio_backend: str) -> None:
    assert Address.parse("/a/b.sock") == Address(("/a/b.sock",))
    found = Address.parse("rediss://u:p,@one:1,two:2/3?ssl_ca_certs=f&replicas=0")
    assert found == Address(("rediss://u:p,@one:1/3?ssl_ca_certs=f", "rediss://u:p,@two:2/3?ssl_ca_certs=f"), 0)
    with pytest.raises(ConfigError, match="0 to 9"):
        Address.parse("redis://one?replicas=many")


async def test_who_has_patience_asks_again_what_may_be_asked_twice_and_writes_nothing_twice(
    anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tapeline.streams.server.PAUSE_S", 0.01)
    left = 0

    def answer(command: list[bytes]) -> bytes | None:
        nonlocal left
        if command[0] in (b"INFO", b"CLIENT") or left == 0:
            return None
        left -= 1
        return b"-%b\r\n" % FAILING_OVER[1]

    async with fake_server(answer) as fake, connect(address_of(fake), patience_s=5.0) as store:
        left = 3
        assert (await store.layout()).lanes == 0
        assert fake.asked(b"GET") == 4
        left = 1
        with pytest.raises(Unavailable):
            await ValkeyIngress(store).write([{b"a": b"1"}])
