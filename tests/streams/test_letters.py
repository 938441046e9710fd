"""Dead letters and losses at a real server: sent again once, whoever sends them, and gone from the list."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import msgspec
import numpy as np
import pytest
from anyio.from_thread import BlockingPortal
from tests.streams.served import running_valkey

from tapeline.core.errors import BadInput
from tapeline.core.types import Label
from tapeline.streams import frames, keys
from tapeline.streams.ingress import ValkeyIngress
from tapeline.streams.letters import describe, drop_letters, read_letters, replay_letters, stream_losses
from tapeline.streams.marks import Marks
from tapeline.streams.store import BEGINNING
from tapeline.streams.ticks import TickRows
from tapeline.streams.valkey import ValkeyLaneStore, connect
from tapeline.streams.witness import Witness
from tapeline.streams.writer import TickWriter

pytestmark = pytest.mark.process

T = TypeVar("T")
TICK = {b"symbol": b"A", b"price": b"x", b"volume": b"1", b"exchange_timestamp": b"1767623400"}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[BlockingPortal, str]]:
    with running_valkey() as both:
        yield both


@pytest.fixture
def at(server: tuple[BlockingPortal, str]) -> Any:
    """Return what does something at the server, which is empty before."""
    portal, address = server

    def act(what: Callable[[ValkeyLaneStore], Awaitable[T]]) -> T:
        async def main() -> T:
            async with connect(address) as store:
                return await what(store)

        return portal.call(main)

    async def flush(store: ValkeyLaneStore) -> None:
        await store._reply(store._client.flushall())

    act(flush)
    return act


def bury(*payloads: bytes) -> Callable[[ValkeyLaneStore], Awaitable[None]]:
    async def act(store: ValkeyLaneStore) -> None:
        await store.claim_lanes(2)
        for payload in payloads:
            await store.append(keys.dead(1), [{keys.REASON: b"why", keys.PAYLOAD: payload}])

    return act


async def on_ingress(store: ValkeyLaneStore) -> list[dict[bytes, bytes]]:
    block = await ValkeyIngress(store).read(BEGINNING, count=100, block_s=0.0)
    return [block.fields(i) for i in range(len(block))]


def test_a_letter_is_sent_again_as_it_was_and_leaves_the_list(server: tuple[BlockingPortal, str], at: Any) -> None:
    portal, address = server
    at(bury(frames.pack_fields(TICK)))
    ((name, letter),) = portal.call(read_letters, address)
    assert name == f"1/{letter.id}"
    assert portal.call(replay_letters, address, name) == 1
    assert at(on_ingress) == [TICK]
    assert portal.call(read_letters, address) == []
    assert portal.call(replay_letters, address, name) == 0


def test_a_letter_is_sent_again_corrected(server: tuple[BlockingPortal, str], at: Any) -> None:
    portal, address = server
    at(bury(frames.pack_fields(TICK)))
    portal.call(replay_letters, address, "all", {b"price": b"5", b"feed": b"sip"})
    assert at(on_ingress) == [{**TICK, b"price": b"5", b"feed": b"sip"}]


def test_two_who_send_the_same_letters_at_once_send_each_once(server: tuple[BlockingPortal, str], at: Any) -> None:
    portal, address = server
    at(bury(*(frames.pack_fields({**TICK, b"volume": b"%d" % k}) for k in range(30))))
    sent: list[int] = []

    async def main() -> None:
        async def one() -> None:
            sent.append(await replay_letters(address, "all"))

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(one)

    portal.call(main)
    assert sum(sent) == 30
    assert sorted(int(fields[b"volume"]) for fields in at(on_ingress)) == list(range(30))


def test_refused_rows_are_sent_again_as_frames_and_are_not_corrected(
    server: tuple[BlockingPortal, str], at: Any
) -> None:
    portal, address = server
    zero, numbers = np.zeros(2, np.int64), np.ones((2, 5))
    rows = TickRows(("A",), (("sip", Label.REAL),), zero, zero, zero + 1_767_623_400 * 10**9, numbers)
    at(bury(frames.pack([frames.encode_ticks(rows), frames.encode_ticks(rows)])))
    ((name, letter),) = portal.call(read_letters, address)
    line = "  A: price 1, volume 1, bid 1, ask 1, oi 1, time 1767623400000000000 ns"
    assert list(describe(letter)) == ["a frame of 2 ticks: A", line, line] * 2
    with pytest.raises(BadInput, match="holds frames"):
        portal.call(replay_letters, address, name, {b"price": b"5"})
    assert at(on_ingress) == []
    portal.call(replay_letters, address, name)
    assert [len(frames.decode_any(fields[keys.FRAME])) for fields in at(on_ingress)] == [2, 2]


def test_a_letter_that_was_kept_in_part_is_shown_and_dropped_but_never_sent(
    server: tuple[BlockingPortal, str], at: Any
) -> None:
    portal, address = server
    at(bury(frames.pack_fields({**TICK, b"symbol": b"A" * 100})[:50]))
    ((name, letter),) = portal.call(read_letters, address)
    assert next(describe(letter)).startswith("50 bytes, kept in part")
    with pytest.raises(BadInput, match="kept only in part"):
        portal.call(replay_letters, address, name)
    assert len(portal.call(read_letters, address)) == 1
    assert portal.call(drop_letters, address, name) == 1


def test_a_writer_says_whether_the_server_has_it_on_its_disk(server: tuple[BlockingPortal, str], at: Any) -> None:
    _, address = server

    async def keep_log(store: ValkeyLaneStore, value: str) -> None:
        await store._reply(store._client.config_set("appendonly", value))

    with TickWriter(address) as writer:
        writer.add("A", 1_767_623_400 * 10**9, price=1.0, volume=1)
        assert writer.sync()
        assert len(at(on_ingress)) == 1
        at(partial(keep_log, value="no"))
        assert not writer.sync()
        at(partial(keep_log, value="yes"))


def test_a_loss_of_the_ingress_is_remembered_once_and_among_the_alerts(
    server: tuple[BlockingPortal, str], at: Any, tmp_path: Path
) -> None:
    portal, address = server

    async def seen_and_lost(store: ValkeyLaneStore) -> str:
        ingress = ValkeyIngress(store)
        last_id = (await ingress.write([TICK, TICK]))[-1]
        await Witness(store, ingress, Marks(tmp_path, address)).look_at_ingress()
        await store.delete(keys.INGRESS, last_id)
        await ingress.write([TICK])
        for _ in range(2):
            await Witness(store, ingress, Marks(tmp_path, address)).look_at_ingress()
        return last_id

    last_id = at(seen_and_lost)
    (loss,) = portal.call(stream_losses, address)
    assert (loss.part, loss.seen_id, loss.known_id) == ("ingress", last_id, BEGINNING)

    async def again(store: ValkeyLaneStore) -> list[str]:
        await store.tell_loss(loss.id, msgspec.json.encode(loss), most=5)
        await store.tell_loss("lane-0:lost_data:9-9", msgspec.json.encode(loss), most=1)
        return [name for name, _ in await store.read_alerts(count=9)]

    assert at(again) == [loss.id, "lane-0:lost_data:9-9"]
    assert len(portal.call(stream_losses, address)) == 1
