"""What a stream server lost is told: of a lane, of what nobody had applied yet, of the ingress; and nothing else is."""

from __future__ import annotations

import logging
from pathlib import Path

import anyio
import msgspec
import pytest
from tests.streams.toys import Counter, frame_of, seeded_run

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import Unavailable
from tapeline.streams import frames
from tapeline.streams.ingress import MemoryIngress
from tapeline.streams.keys import FRAME
from tapeline.streams.marks import INGRESS, Mark, Marks
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.store import BEGINNING, LaneProgress
from tapeline.streams.witness import Loss, Witness, read_losses, watch_losses
from tapeline.streams.worker import Worker

CONFIG = StreamsConfig(lanes=1, batch_ms=1)


async def publish(store: MemoryLaneStore, n_entries: int) -> list[str]:
    return await store.publish(0, [{FRAME: frames.encode(frame_of(k))} for k in range(n_entries)], None)


def looks(store: MemoryLaneStore, marks: Marks, n_looks: int = 1) -> tuple[int, tuple[Loss, ...]]:
    """Look as somebody who has just started; return the losses noticed by it, and all that are remembered."""

    async def main() -> tuple[int, tuple[Loss, ...]]:
        witness = Witness(store, marks=marks)
        for _ in range(n_looks):
            await witness.look_at_lane(0)
        return witness.lost, await read_losses(store)

    return seeded_run(main)


def published(n_entries: int) -> MemoryLaneStore:
    store = MemoryLaneStore()
    seeded_run(lambda: publish(store, n_entries))
    return store


def test_entries_that_were_lost_before_anybody_applied_them_are_told(tmp_path: Path) -> None:
    marks = Marks(tmp_path, "a")
    before, after = published(5), published(3)
    last_id = before.lane(0).rows.last_id
    assert looks(before, marks) == (0, ())
    assert marks.read("lane-0") == Mark(BEGINNING, last_id)
    lost, (loss,) = looks(after, marks, n_looks=3)
    assert lost == 1
    assert (loss.id, loss.last_id) == (f"lane-0:lost_data:{last_id}", after.lane(0).rows.last_id)
    assert looks(after, marks) == (0, (loss,))


def test_a_backlog_that_waits_over_a_restart_is_no_loss(tmp_path: Path) -> None:
    store, marks = published(5), Marks(tmp_path, "a")
    looks(store, marks)
    seeded_run(lambda: publish(store, 5))
    assert looks(store, marks) == (0, ())


def test_a_loss_is_seen_by_the_entry_not_by_the_count(tmp_path: Path) -> None:
    marks = Marks(tmp_path, "a")
    looks(published(5), marks)
    regrown = published(4)
    for entry in regrown.lane(0).rows.entries:
        object.__setattr__(entry, "id", entry.id.replace("-", "1-"))  # came later, under newer ids
    regrown.lane(0).rows.last_id = regrown.lane(0).rows.entries[-1].id
    assert looks(regrown, marks)[0] == 1


def test_entries_applied_and_trimmed_between_two_questions_are_no_loss(tmp_path: Path) -> None:
    class Trimmed(MemoryLaneStore):
        asked = 0

        async def progress(self, lane: int) -> LaneProgress:
            self.asked += 1
            found = await super().progress(lane)
            if self.asked == 1:
                self.lane(0).rows.drop_upto(found.last_id)
                return found
            return LaneProgress(*(0, None, 0, 0, 0, 0, found.last_id, found.last_id, found.last_id, None))

    marks = Marks(tmp_path, "a")
    looks(published(5), marks)
    store = Trimmed()
    seeded_run(lambda: publish(store, 5))
    assert looks(store, marks) == (0, ())


def through(store: MemoryLaneStore, ingress: MemoryIngress, marks: Marks, n_entries: int) -> int:
    """Write to the ingress, let a worker route and apply it and leave; return the losses that it noticed."""

    async def main() -> int:
        await ingress.write([{FRAME: frames.encode(frame_of(k))} for k in range(n_entries)])
        worker = Worker(store, lambda _: Counter(), CONFIG, "one", ingress=ingress, marks=marks)
        async with anyio.create_task_group() as group:
            await group.start(worker.run)
            while True:
                at, lane = await ingress.progress(), await store.progress(0)
                if at.applied_id == at.last_id and lane.applied_id == lane.last_id:
                    break
                await anyio.sleep(0.001)
            worker.stop()
        return worker.lost

    return seeded_run(main)


def test_an_ingress_that_came_back_with_less_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    marks = Marks(tmp_path, "a")
    before = MemoryLaneStore()
    ingress = MemoryIngress(before)
    assert through(before, ingress, marks, 5) == 0
    assert marks.read(INGRESS) == Mark(ingress._stream.last_id, ingress._stream.last_id)
    before_last_id, after = ingress._stream.last_id, MemoryLaneStore()
    after.lane(0).rows, after.lane(0).saved = before.lane(0).rows, before.lane(0).saved  # the lane is whole
    regrown = MemoryIngress(after)
    assert through(after, regrown, marks, 2) == 1
    (loss,) = seeded_run(lambda: read_losses(after))
    assert (loss.part, loss.seen_id, loss.known_id) == (INGRESS, before_last_id, BEGINNING)
    assert caplog.text.count("it lost what came between") == 1
    assert (loss.id, 1) in [(name, 1) for name, _ in seeded_run(lambda: after.read_alerts(count=9))]


def test_leaving_in_peace_writes_what_was_seen_last(tmp_path: Path) -> None:
    store, marks = MemoryLaneStore(), Marks(tmp_path, "a")
    through(store, MemoryIngress(store), marks, 5)  # far quicker than the time between two looks
    last_id = store.lane(0).rows.last_id
    assert marks.read("lane-0") == Mark(last_id, last_id)


def test_a_server_that_is_away_is_looked_at_again_and_nothing_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Away(MemoryLaneStore):
        is_away = False

        async def progress(self, lane: int) -> LaneProgress:
            if self.is_away:
                raise Unavailable("away")
            return await super().progress(lane)

    store, marks = Away(), Marks(tmp_path, "a")

    async def main() -> None:
        await publish(store, 3)
        worker = Worker(store, lambda _: Counter(), CONFIG, "one", marks=marks)
        async with anyio.create_task_group() as group:
            await group.start(worker.run)
            await anyio.sleep(0.5)
            store.is_away = True
            await anyio.sleep(3.0)
            store.is_away = False
            await publish(store, 3)
            with anyio.fail_after(1e6):  # the clock jumps while a thread writes the mark
                while marks.read("lane-0").applied_id != store.lane(0).rows.last_id:
                    await anyio.sleep(1.0)
            worker.stop()

    with caplog.at_level(logging.ERROR):
        seeded_run(main)
    assert caplog.text == ""


def test_a_loss_told_by_two_is_remembered_once_and_the_oldest_are_forgotten() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        for k in (1, 2, 2, 3):
            await store.tell_loss(f"lane-0:lost_data:{k}", b"{}", most=2)
        assert [name for name, _ in await store.read_losses(count=9)] == ["lane-0:lost_data:2", "lane-0:lost_data:3"]
        assert len(await store.read_alerts(count=9)) == 3

    seeded_run(main)


def test_losses_are_shown_as_they_are_found_also_after_the_server_was_away() -> None:
    class Away(MemoryLaneStore):
        is_away = False

        async def read_losses(self, *, count: int) -> list[tuple[str, bytes]]:
            if self.is_away:
                raise Unavailable("away")
            return await super().read_losses(count=count)

    shown: list[str] = []

    async def main() -> None:
        store = Away()
        async with anyio.create_task_group() as group:
            group.start_soon(watch_losses, store, shown.append)
            await anyio.sleep(1.0)
            for part in ("lane-0", "ingress"):
                loss = Loss(part, "9-0", "8-0", "7-0", "7-1")
                await store.tell_loss(loss.id, msgspec.json.encode(loss), most=9)
                await anyio.sleep(5.0)
                store.is_away = not store.is_away
            await anyio.sleep(5.0)
            group.cancel_scope.cancel()

    seeded_run(main)
    assert shown[0] == ""
    assert shown[1].startswith("lost data: lane-0 was seen up to 9-0")
    assert shown[-1].startswith("lost data (and 1 before): ingress was seen up to 9-0")
    assert len(shown) == 3
