"""The contract of a lane store, for every store: memory on asyncio and trio, and a real Valkey."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest
from tests.streams.toys import entries_of

from tapeline.core.errors import ConfigError, Unavailable
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.store import (
    BEGINNING,
    Commit,
    DeadLetter,
    LaneStore,
    LeaseLost,
    days_before,
    id_before,
    id_key,
)
from tapeline.streams.valkey import connect

pytestmark = pytest.mark.anyio


@pytest.fixture(
    params=[
        pytest.param(("asyncio", "memory"), id="memory-asyncio"),
        pytest.param(("trio", "memory"), id="memory-trio"),
        pytest.param(("asyncio", "valkey"), id="valkey", marks=pytest.mark.process),
    ]
)
def kind(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def anyio_backend(kind: tuple[str, str]) -> str:
    return kind[0]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        yield Path(short)


@pytest.fixture
async def store(kind: tuple[str, str], folder: Path, anyio_backend: str) -> AsyncIterator[LaneStore]:
    if kind[1] == "memory":
        yield MemoryLaneStore()
        return
    with tempfile.TemporaryDirectory(dir=folder) as home:
        async with embedded_valkey(Path(home)) as server, connect(str(server.socket_path)) as valkey:
            yield valkey


async def test_entries_come_back_in_order_after_an_id(store: LaneStore) -> None:
    ids = await store.publish(0, [{b"a": b"1"}, {b"a": b"\xff"}], 5)
    ids += await store.publish(0, [{b"a": b"3"}], None)
    assert ids == sorted(ids, key=id_key)
    found = await store.read(0, BEGINNING, count=10, block_s=0.0)
    assert entries_of(found) == list(zip(ids, [{b"a": b"1"}, {b"a": b"\xff"}, {b"a": b"3"}], strict=True))
    assert (await store.read(0, ids[0], count=1, block_s=0.0)).id(0) == ids[1]
    assert len(await store.read(0, ids[-1], count=1, block_s=0.01)) == 0
    assert len(await store.read(1, BEGINNING, count=1, block_s=0.0)) == 0
    assert await store.watermark(0) == 5
    assert await store.watermark(1) is None


async def test_a_waiting_reader_gets_what_is_published_meanwhile(store: LaneStore) -> None:
    found = []

    async def read() -> None:
        found.extend(entries_of(await store.read(0, BEGINNING, count=10, block_s=5.0)))

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await anyio.lowlevel.checkpoint()
        await store.publish(0, [{b"a": b"1"}], None)
    assert [fields for _, fields in found] == [{b"a": b"1"}]


async def test_a_lease_has_one_holder_until_it_ends(store: LaneStore) -> None:
    assert await store.lease(0, "one", 30.0)
    assert await store.lease(0, "one", 30.0)
    assert not await store.lease(0, "two", 30.0)
    await store.release(0, "two")
    assert not await store.lease(0, "two", 30.0)
    await store.release(0, "one")
    assert await store.lease(0, "two", 0.001)
    with anyio.fail_after(5):
        while not await store.lease(0, "three", 30.0):
            await anyio.lowlevel.checkpoint()


async def test_heartbeats_count_who_lives(store: LaneStore) -> None:
    assert await store.heartbeat("one", 30.0) == 1
    assert await store.heartbeat("two", 30.0) == 2
    assert await store.heartbeat("two", 30.0) == 2
    assert await store.heartbeat("one", 0.0) == 1


async def test_a_commit_moves_everything_at_once(store: LaneStore) -> None:
    ids = await store.publish(0, [{b"a": b"1"}] * 3, 7)
    await store.lease(0, "me", 30.0)
    commit = Commit(
        before_id=BEGINNING,
        applied_id=ids[1],
        entries=2,
        closed=((ids[0], b"c0"), (ids[1], b"c1")),
        dead=(DeadLetter(ids[1], "bad", b"\xff"),),
        hot={"A": b"{}", "B": b"[]"},
        parts={"one": b"\x00snap", "two": b"2"},
        alerts=(("A:spike:1", b"{}"), ("B:spike:1", b"[]")),
    )
    await store.commit(0, "me", commit)
    await store.commit(0, "me", Commit(before_id=ids[1], applied_id=ids[2], entries=1, hot={"A": b"1"}))
    saved = await store.load(0)
    assert (saved.parts, saved.snapshot_id, saved.applied_id) == (commit.parts, ids[1], ids[2])
    assert await store.read_alerts(count=10) == list(commit.alerts)
    assert await store.read_alerts(count=1) == [commit.alerts[1]]
    closed = await store.read_closed(0, BEGINNING, count=10, block_s=0.0)
    assert [(entry.id, entry.fields[b"frame"]) for entry in closed] == [(ids[0], b"c0"), (ids[1], b"c1")]
    assert await store.read_dead(0, BEGINNING, count=10) == list(commit.dead)
    assert await store.read_dead(0, ids[1], count=10) == []
    assert await store.read_hot(0, ["A", "B", "C"]) == [b"1", b"[]", None]
    assert await store.read_hot(0, []) == []
    progress = await store.progress(0)
    assert (progress.owner, progress.length, progress.lag, progress.closed, progress.dead) == ("me", 3, 0, 2, 1)
    assert (progress.last_id, progress.applied_id, progress.snapshot_id) == (ids[2], ids[2], ids[1])
    assert progress.watermark_ns == 7


async def test_a_snapshot_keeps_parts_that_are_not_said_again_and_drops_empty_ones(store: LaneStore) -> None:
    ids = await store.publish(0, [{b"a": b"1"}] * 2, None)
    await store.lease(0, "me", 30.0)
    await store.commit(0, "me", Commit(BEGINNING, ids[0], parts={"a": b"1", "b": b"2", "c": b"3"}))
    await store.commit(0, "me", Commit(ids[0], ids[1], parts={"b": b"", "c": b"4"}))
    assert (await store.load(0)).parts == {"a": b"1", "c": b"4"}


@pytest.mark.parametrize(
    ("token", "before_id", "reason"), [("you", BEGINNING, "not ours"), ("me", "9-9", "stands at 0-0")]
)
async def test_a_commit_without_the_lane_does_nothing(
    store: LaneStore, token: str, before_id: str, reason: str
) -> None:
    (entry_id,) = await store.publish(0, [{b"a": b"1"}], None)
    await store.lease(0, "me", 30.0)
    commit = Commit(before_id, entry_id, closed=((entry_id, b"c"),), hot={"A": b"1"}, parts={"s": b"s"})
    with pytest.raises(LeaseLost, match=reason):
        await store.commit(0, token, commit)
    assert (await store.load(0)).parts == {}
    assert await store.read_closed(0, BEGINNING, count=1, block_s=0.0) == []
    assert await store.read_hot(0, ["A"]) == [None]


async def test_a_commit_of_an_entry_that_the_lane_does_not_hold_does_nothing(store: LaneStore) -> None:
    ids = await store.publish(0, [{b"a": b"1"}] * 2, None)
    await store.lease(0, "me", 30.0)
    await store.commit(0, "me", Commit(BEGINNING, ids[0]))
    for lost in ("5-5", f"{id_key(ids[1])[0] + 1}-7"):
        with pytest.raises(LeaseLost, match="does not hold"):
            await store.commit(0, "me", Commit(ids[0], lost, hot={"A": b"1"}))
    assert (await store.load(0)).applied_id == ids[0]
    assert await store.read_hot(0, ["A"]) == [None]


async def test_failures_are_counted_per_entry_by_the_owner(store: LaneStore) -> None:
    await store.lease(0, "me", 30.0)
    assert [await store.count_failure(0, "me", entry) for entry in ("1-0", "1-0", "2-0")] == [1, 2, 1]
    saved = await store.load(0)
    assert (saved.failing_id, saved.failures) == ("2-0", 1)
    with pytest.raises(LeaseLost):
        await store.count_failure(0, "you", "2-0")


async def test_trimming_keeps_the_newest_that_were_applied_and_never_passes_the_snapshot(store: LaneStore) -> None:
    ids = await store.publish(0, [{b"a": b"1"}] * 7, None)
    await store.lease(0, "me", 30.0)
    assert await store.trim(0, 2) == 0
    for k in range(5):
        save = {"s": b"s"} if k < 4 else None
        await store.commit(0, "me", Commit(ids[k - 1] if k else BEGINNING, ids[k], entries=1, parts=save))
        assert await store.trim(0, 2) == (1 if k > 1 else 0)
    # The fifth is applied outside of the snapshot, and stays with the two that wait, and two more.
    assert [i for i, _ in entries_of(await store.read(0, BEGINNING, count=9, block_s=0.0))] == ids[3:]


async def test_what_waits_stays_however_much_it_is(store: LaneStore) -> None:
    ids = await store.publish(0, [{b"a": b"1"}] * 40, None)
    await store.lease(0, "me", 30.0)
    await store.commit(0, "me", Commit(BEGINNING, ids[1], entries=2, parts={"s": b"s"}))
    assert await store.trim(0, 2) == 0
    await store.commit(0, "me", Commit(ids[1], ids[9], entries=8, parts={"s": b"s"}))
    assert await store.trim(0, 2) == 2
    assert (await store.progress(0)).length == 38


async def test_what_came_before_a_moment_goes_when_it_is_inside_the_snapshot(store: LaneStore) -> None:
    ids = await store.publish(0, [{b"a": b"1"}] * 4, None)
    first_ms, last_ms = id_key(ids[0])[0], id_key(ids[-1])[0]
    await store.lease(0, "me", 30.0)
    await store.commit(0, "me", Commit(BEGINNING, ids[1], parts={"s": b"s"}))
    assert await store.trim(0, 10, first_ms) == 0
    assert await store.trim(0, 10, last_ms + 1) == 2
    assert [i for i, _ in entries_of(await store.read(0, BEGINNING, count=9, block_s=0.0))] == ids[2:]


def test_days_are_counted_back_from_an_entry() -> None:
    assert days_before("864000000-7", 5.0) == 432_000_000
    assert (days_before("5-0", 5.0), id_before(0)) == (0, BEGINNING)


async def test_closed_bars_go_once_they_are_in_the_journal(store: LaneStore) -> None:
    ids = await store.publish(0, [{b"a": b"1"}] * 3, None)
    await store.lease(0, "me", 30.0)
    await store.commit(0, "me", Commit(BEGINNING, ids[2], closed=tuple((entry_id, b"c") for entry_id in ids)))
    assert await store.trim_closed(0, ids[1]) == 2
    assert [entry.id for entry in await store.read_closed(0, BEGINNING, count=9, block_s=0.0)] == ids[2:]


async def test_a_fresh_lane_stands_at_the_beginning(store: LaneStore) -> None:
    progress = await store.progress(3)
    assert (progress.owner, progress.length, progress.lag, progress.last_id) == (None, 0, 0, BEGINNING)


async def test_the_number_of_lanes_is_claimed_once(store: LaneStore) -> None:
    await store.claim_lanes(4)
    await store.claim_lanes(4)
    with pytest.raises(ConfigError, match="laid out for 4"):
        await store.claim_lanes(8)


@pytest.mark.parametrize("kind", [("asyncio", "none")])
async def test_a_server_that_is_not_there_is_unavailable(kind: tuple[str, str], folder: Path) -> None:
    with pytest.raises(Unavailable, match="no stream server answers"):
        async with connect(str(folder / "nobody.sock")):
            raise AssertionError("it opened")


@pytest.mark.parametrize("kind", [("asyncio", "none")])
async def test_an_address_that_is_none_is_refused(kind: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"streams\.redis_url"):
        async with connect("http://localhost"):
            raise AssertionError("it opened")


async def test_a_loop_of_nothing_but_reads_can_be_cancelled(store: LaneStore) -> None:
    reads = 0
    with anyio.CancelScope() as scope:
        while reads < 10:
            await store.read(0, BEGINNING, count=1, block_s=0.001)
            reads += 1
            if reads == 3:
                scope.cancel()
    assert scope.cancelled_caught
    assert reads < 10
