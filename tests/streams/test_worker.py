"""Workers: nothing lost, nothing doubled, whatever breaks and whenever; one bad entry never harms the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count

import anyio
import msgspec
import pytest
from tests.streams.toys import (
    CONFIG,
    BreakingStore,
    Broken,
    Counter,
    Killed,
    closed_bytes,
    dead_letters,
    drain,
    drain_whatever_happens,
    frame_of,
    is_drained,
    seeded_run,
)

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import Unavailable
from tapeline.core.types import BarFrame
from tapeline.streams import frames, worker
from tapeline.streams.blocks import Block
from tapeline.streams.lane_task import LaneTask
from tapeline.streams.lanes import Publisher
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.poison import POISON_WINDOW, Poisoned
from tapeline.streams.processor import Processor
from tapeline.streams.store import BEGINNING, LeaseLost, days_before

N_FRAMES = 8


def counter(_: int) -> Processor:
    return Counter()


async def filled(store: MemoryLaneStore, n_frames: int = N_FRAMES, price: float = 100.0) -> None:
    publisher = Publisher(store, CONFIG.lanes)
    await publisher.open()
    for k in range(n_frames):
        await publisher.publish(frame_of(k, price=price))


def outcome(store: BreakingStore, seed: int = 0) -> tuple[list[list[bytes]], list[Mapping[str, bytes]], int]:
    """Drain a filled store; return the closed bars, the final snapshots and how many workers it took."""

    async def main() -> tuple[list[list[bytes]], list[Mapping[str, bytes]], int]:
        await filled(store)
        attempts = await drain_whatever_happens(store, counter, CONFIG)
        await filled(store, 1)  # whoever comes next goes on from the state that was left
        attempts = max(attempts, await drain_whatever_happens(store, counter, CONFIG))
        await anyio.sleep(10.0)
        store.break_at = None
        await drain(store, counter, CONFIG, "last")
        return await closed_bytes(store), [(await store.load(lane)).parts for lane in range(2)], attempts

    return seeded_run(main, seed)


UNDISTURBED = BreakingStore()
EXPECTED = outcome(UNDISTURBED)


def test_an_undisturbed_run_closes_every_frame_once() -> None:
    closed, snapshots, attempts = EXPECTED
    assert [len(lane) for lane in closed] == [N_FRAMES + 1] * 2
    rows = {symbol: n for snapshot in snapshots for symbol, n in json.loads(snapshot["rows"]).items()}
    assert rows == dict.fromkeys("ABCD", N_FRAMES + 1)
    assert attempts == 1


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("error", [Killed, Broken])
def test_a_break_at_any_call_loses_and_doubles_nothing(error: type[Exception], *, after_effect: bool) -> None:
    broke = 0
    for k in range(1, UNDISTURBED.calls + 1):
        store = BreakingStore(k, after_effect=after_effect, error=error)
        closed, snapshots, attempts = outcome(store)
        assert (closed, snapshots) == EXPECTED[:2], f"broken at call {k}"
        broke += attempts > 1
    assert UNDISTURBED.calls > 15
    assert broke == 0 or error is Killed


@pytest.mark.parametrize("seed", range(25))
def test_two_workers_and_a_kill_under_any_schedule_lose_and_double_nothing(seed: int) -> None:
    store = BreakingStore(5 + seed, after_effect=seed % 2 == 0, error=Broken)

    async def main() -> list[list[bytes]]:
        async with anyio.create_task_group() as group:
            workers = [
                await group.start(partial(worker.run_worker, store, counter, CONFIG, name)) for name in ("one", "two")
            ]
            await filled(store)
            while not await is_drained(store, 2):
                await anyio.sleep(0.1)
            for each in workers:
                each.stop()
        return await closed_bytes(store)

    assert seeded_run(main, seed) == [lane[:N_FRAMES] for lane in EXPECTED[0]]


def test_a_peaceful_stop_saves_everything_and_gives_the_lanes_back() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        await filled(store)
        await drain(store, counter, CONFIG, "one")
        for lane in range(2):
            progress = await store.progress(lane)
            assert progress.snapshot_id == progress.last_id
            assert (progress.owner, progress.lag) == (None, 0)
        assert await store.heartbeat("two", 1.0) == 1

    seeded_run(main)


def test_rows_of_lanes_that_were_given_back_still_count() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        await filled(store)
        async with anyio.create_task_group() as group:
            one = await group.start(partial(worker.run_worker, store, counter, CONFIG, "one"))
            while not await is_drained(store, CONFIG.lanes):
                await anyio.sleep(0.05)
            while_owned = one.rows
            one.stop()
        assert (one.counts, one.rows) == ({}, while_owned)
        assert while_owned >= 4 * N_FRAMES

    seeded_run(main)


def test_hot_state_follows_the_last_entry() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        await filled(store)
        await drain(store, counter, CONFIG, "one")
        found = [await store.read_hot(lane, list("ABCD")) for lane in range(2)]
        values = [one or other for one, other in zip(*found, strict=True)]
        assert values == [b'{"rows":8}'] * 4

    seeded_run(main)


def test_lanes_are_shared_fairly_and_a_dead_owner_is_replaced_within_five_seconds() -> None:
    config = StreamsConfig(lanes=5)

    async def main() -> None:
        store = MemoryLaneStore()

        async def owners() -> list[str | None]:
            return [(await store.progress(lane)).owner for lane in range(5)]

        async with anyio.create_task_group() as survivors:
            first = await survivors.start(partial(worker.run_worker, store, counter, config, "one"))
            assert await owners() == ["one"] * 5
            async with anyio.create_task_group() as doomed:
                await doomed.start(partial(worker.run_worker, store, counter, config, "two"))
                await anyio.sleep(3.0)
                assert sorted(str(owner) for owner in await owners()) == ["one"] * 3 + ["two"] * 2
                doomed.cancel_scope.cancel()
            await anyio.sleep(5.0)
            assert await owners() == ["one"] * 5
            assert set(first.counts) == set(range(5))
            first.stop()

    seeded_run(main)


class HalfAway(MemoryLaneStore):
    """A store whose lane 0 lives on a node that can go away."""

    is_away = False

    async def lease(self, lane: int, token: str, life_s: float) -> bool:
        """See ``LaneStore``."""
        if self.is_away and lane == 0:
            raise Unavailable("connection refused")
        return await super().lease(lane, token, life_s)


def test_a_node_that_is_away_does_not_keep_the_lanes_of_others_from_being_renewed() -> None:
    config = StreamsConfig(lanes=2)

    async def main() -> None:
        store = HalfAway()
        async with anyio.create_task_group() as group:
            one = await group.start(partial(worker.run_worker, store, counter, config, "one"))
            store.is_away = True
            await anyio.sleep(3 * config.lease_s)
            assert (await store.progress(1)).owner == "one"
            assert not await store.lease(1, "another", config.lease_s)
            store.is_away = False
            await anyio.sleep(config.lease_s)
            assert {(await store.progress(lane)).owner for lane in range(2)} == {"one"}
            one.stop()

    seeded_run(main)


def test_an_owner_whose_lease_went_on_cannot_commit() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        await filled(store)
        await store.lease(0, "old", 1.0)
        await anyio.sleep(2.0)
        await store.lease(0, "new", 60.0)
        with pytest.raises(LeaseLost, match="its owner is new"):
            await LaneTask(store, 0, "old", counter, CONFIG).run()
        assert await store.read_closed(0, BEGINNING, count=1, block_s=0.0) == []

    seeded_run(main)


def test_a_poison_entry_goes_to_the_dead_letters_and_the_rest_is_applied() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        await filled(store, 2)
        poison = [{b"frame": b"\xc1"}, {b"symbol": b"A", b"price": b"NaN"}]
        ids = await store.publish(0, poison, None)
        await filled(store, 2)
        await drain(store, counter, CONFIG, "one")
        letters = await dead_letters(store)
        assert [letter.id for letter in letters] == ids
        assert ["not a frame" in letters[0].reason, "not a finite number" in letters[1].reason] == [True, True]
        assert frames.unpack(letters[1].payload) == [b"symbol", b"A", b"price", b"NaN"]
        assert [len(lane) for lane in await closed_bytes(store)] == [4, 4]
        assert (await store.progress(0)).dead == 2

    seeded_run(main)


def test_refused_rows_go_to_the_dead_letters_and_their_frame_is_applied() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        await filled(store, 1, price=13.0)
        await drain(store, counter, CONFIG, "one")
        letters = [letter for lane in range(2) for letter in await dead_letters(store, lane)]
        assert {letter.reason.partition(" ")[2] for letter in letters} == {"rows: thirteen"}
        parts = [part for letter in letters for part in frames.unpack(letter.payload)]
        assert sorted(symbol for part in parts for symbol in frames.decode(part).symbols) == list("ABCD")
        assert [len(lane) for lane in await closed_bytes(store)] == [1, 1]

    seeded_run(main)


def test_when_most_is_poison_the_worker_stops_with_a_sentence() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        await store.publish(0, [{b"frame": b"\xc1"}] * 10 * POISON_WINDOW, None)
        with pytest.RaisesGroup(pytest.RaisesExc(Poisoned, match="lane 0 cannot be read"), flatten_subgroups=True):
            await drain(store, counter, CONFIG, "one")
        assert (await store.progress(0)).lag > 9 * POISON_WINDOW

    seeded_run(main)


def stumbling(times: int) -> Callable[[int], Processor]:
    tries = count()

    def stumbles() -> bool:
        return next(tries) < times

    return lambda _: Counter(iter(stumbles, None))


async def with_a_stumbling_block(store: MemoryLaneStore, times: int) -> None:
    await filled(store, 2)
    await store.publish(0, [frames.to_fields(frame_of(2, ("A", "B"), price=664.0))], None)
    await filled(store, 2)
    await drain(store, stumbling(times), CONFIG, "one", limit_s=120.0)


def test_an_entry_that_fails_and_then_works_is_applied_once() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        await with_a_stumbling_block(store, times=CONFIG.max_deliveries - 1)
        assert await dead_letters(store) == []
        assert len((await closed_bytes(store))[0]) == 5

    seeded_run(main)


def test_an_entry_that_always_fails_goes_to_the_dead_letters_after_its_tries() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        await with_a_stumbling_block(store, times=1_000_000)
        (letter,) = await dead_letters(store)
        assert letter.reason == "the processor failed on it 5 times"
        assert (await store.load(0)).failures == CONFIG.max_deliveries
        assert len((await closed_bytes(store))[0]) == 4

    seeded_run(main)


def test_two_entries_that_always_fail_both_end_in_the_dead_letters() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        bad = frames.to_fields(frame_of(0, ("A",), price=666.0))
        good = frames.to_fields(frame_of(1, ("A",)))
        ids = await store.publish(0, [good, bad, good, bad, good], None)
        await drain(store, stumbling(1_000_000), CONFIG, "one")
        assert [letter.id for letter in await dead_letters(store)] == [ids[1], ids[3]]
        assert len((await closed_bytes(store))[0]) == 3

    seeded_run(main)


def test_catching_up_with_an_earlier_owner_never_sets_the_lane_back() -> None:
    saves_never = msgspec.structs.replace(CONFIG, snapshot_s=1e6)
    saves_always = msgspec.structs.replace(CONFIG, snapshot_s=1e-9)

    class Slow(MemoryLaneStore):
        async def read(self, lane: int, after: str, *, count: int, block_s: float) -> Block:
            await anyio.sleep(0.001)
            return await super().read(lane, after, count=count, block_s=block_s)

    async def main() -> list[list[bytes]]:
        store = Slow()
        await filled(store)
        async with anyio.create_task_group() as doomed:
            await doomed.start(partial(worker.run_worker, store, counter, saves_never, "one"))
            while not await is_drained(store, 2):
                await anyio.sleep(0.01)
            doomed.cancel_scope.cancel()
        await anyio.sleep(5.0)
        applied_id = (await store.progress(0)).applied_id
        assert (await store.progress(0)).snapshot_id == BEGINNING
        async with anyio.create_task_group() as group:
            second = await group.start(partial(worker.run_worker, store, counter, saves_always, "two"))
            while (await store.progress(0)).snapshot_id != applied_id:
                assert (await store.progress(0)).applied_id == applied_id
                await anyio.sleep(0.0005)
            second.stop()
        return await closed_bytes(store)

    assert seeded_run(main) == [lane[:N_FRAMES] for lane in EXPECTED[0]]


def test_of_a_long_lane_the_newest_that_were_applied_stay() -> None:
    config = msgspec.structs.replace(CONFIG, max_entries=1000)

    async def main() -> None:
        store = MemoryLaneStore()
        for begin in (0, 1100):
            bars = [frame_of(k, ("A",), price=1000.0) for k in range(begin, begin + 1100)]
            await store.publish(0, [frames.to_fields(bar) for bar in bars], None)
            await drain(store, counter, config, "one")
        assert (await store.progress(0)).length == 1100
        assert len((await closed_bytes(store))[0]) == 2200

    seeded_run(main)


def test_a_lane_keeps_the_ticks_of_its_last_days() -> None:
    asked: list[int] = []

    class Asked(MemoryLaneStore):
        async def trim(self, lane: int, max_entries: int, since_ms: int = 0) -> int:
            asked.append(since_ms)
            return await super().trim(lane, max_entries, since_ms)

    async def main() -> str:
        store = Asked()
        await store.publish(0, [frames.to_fields(frame_of(0, ("A",)))], None)
        await drain(store, counter, msgspec.structs.replace(CONFIG, tick_days=2.0), "one")
        return (await store.progress(0)).applied_id

    newest = seeded_run(main)
    assert asked[-1] == days_before(newest, 2.0) > 0


def test_single_ticks_and_frames_share_a_lane() -> None:
    tick = {b"symbol": b"A", b"price": b"5", b"volume": b"1", b"exchange_timestamp": b"1273152600"}

    async def main() -> list[BarFrame]:
        store = MemoryLaneStore()
        await store.publish(0, [tick, frames.to_fields(frame_of(0, ("A",))), tick], None)
        await drain(store, counter, CONFIG, "one")
        return [frames.decode(payload) for payload in (await closed_bytes(store))[0]]

    assert [frame.volume.tolist() for frame in seeded_run(main)] == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize(("configured", "cores", "workers"), [(0, 1, 1), (0, 2, 1), (0, 10, 7), (0, 64, 8), (3, 1, 3)])
def test_workers_are_seventy_percent_of_the_cores(configured: int, cores: int, workers: int) -> None:
    assert worker.worker_count(configured, cores) == workers


def test_there_are_never_fewer_workers_than_the_least_wanted() -> None:
    assert worker.worker_count(0, 1, least=3) == 3
    assert worker.worker_count(0, 10, least=3) == 7
    with pytest.raises(ValueError, match="workers is 2 and min_workers 3"):
        StreamsConfig(workers=2, min_workers=3)


def test_letters_of_a_batch_are_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> int:
        store = MemoryLaneStore()
        await store.publish(0, [{b"symbol": b"A"}] * 3, None)
        await drain(store, counter, CONFIG, "one")
        return len(await dead_letters(store))

    assert seeded_run(main) == 3
    (line,) = [record.getMessage() for record in caplog.records if "dead letters" in record.getMessage()]
    assert "and 2 more: to the dead letters: a tick without last_price or price" in line


@pytest.mark.parametrize(
    ("settings", "lanes"),
    [(StreamsConfig(lanes=5), 5), (StreamsConfig(workers=3), 6), (StreamsConfig(min_workers=8), 16)],
)
def test_a_fresh_server_gets_the_lanes_that_are_said_or_two_for_each_worker(
    settings: StreamsConfig, lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tapeline.streams.worker.os.cpu_count", lambda: 2)

    async def main() -> None:
        store = MemoryLaneStore()
        assert (await worker.lay_out(store, settings)).lanes == lanes
        assert (await worker.lay_out(store, StreamsConfig(lanes=lanes + 1))).lanes == lanes  # those there are

    seeded_run(main)


def test_who_lays_out_second_takes_the_lanes_of_the_first() -> None:
    class Overtaken(MemoryLaneStore):
        """A store that somebody else lays out between our look and our claim."""

        async def claim_lanes(self, n_lanes: int) -> None:
            """See ``LaneStore``."""
            await super().claim_lanes(3)
            await super().claim_lanes(n_lanes)

    async def main() -> None:
        assert (await worker.lay_out(Overtaken(), StreamsConfig(workers=4))).lanes == 3

    seeded_run(main)
