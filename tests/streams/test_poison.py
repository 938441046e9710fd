"""The guard against poison: single bad entries pass, a stream of them does not, wherever the blocks are cut."""

from __future__ import annotations

import anyio
import pytest
from tests.streams.toys import Counter, frame_of, seeded_run

from tapeline.core.config import StreamsConfig
from tapeline.streams import frames
from tapeline.streams.ingress import MemoryIngress
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.poison import POISON_WINDOW, Poisoned, PoisonWatch
from tapeline.streams.store import BEGINNING
from tapeline.streams.worker import Worker

CONFIG = StreamsConfig(lanes=1, batch_size=50, batch_ms=1, lease_s=0.9)
GOOD = {b"symbol": b"A", b"price": b"1", b"volume": b"1", b"exchange_timestamp": b"1789999999"}
BAD = {**GOOD, b"price": b"abc"}


@pytest.mark.parametrize(
    ("before", "bad", "stops"),
    [
        (0, range(1000, 1100), False),  # a hundred of two hundred are not more than half
        (0, range(1000, 1101), True),
        (0, range(0, 101), True),  # also when the good ones come after them
        (0, range(0, 100), False),
        (POISON_WINDOW, range(0, 101), True),
        (0, range(0, 2000, 3), False),
    ],
)
def test_a_block_is_poisoned_by_the_worst_of_its_stretches(before: int, bad: range, *, stops: bool) -> None:
    watch = PoisonWatch("lane 0")
    watch.judge(before, [])
    if stops:
        with pytest.raises(Poisoned, match=f"101 of the last {POISON_WINDOW} entries of lane 0 cannot be read"):
            watch.judge(2000, bad)
    else:
        watch.judge(2000, bad)


def test_whoever_wants_every_entry_as_a_letter_is_never_stopped() -> None:
    PoisonWatch("lane 0", 100.0).judge(2000, range(2000))
    with pytest.raises(Poisoned, match="21 of the last 200"):
        PoisonWatch("lane 0", 10.0).judge(2000, range(500, 600))


async def work_until_done(entries: list[dict[bytes, bytes]]) -> tuple[Worker, MemoryIngress]:
    """Be the one worker until the ingress is routed or the worker stops by itself."""
    store = MemoryLaneStore()
    ingress = MemoryIngress(store)
    await ingress.write(entries)
    return await work_on(store, ingress), ingress


async def work_on(store: MemoryLaneStore, ingress: MemoryIngress) -> Worker:
    """Be the next worker, as long."""
    worker = Worker(store, lambda _: Counter(), CONFIG, "me", ingress=ingress)
    async with anyio.create_task_group() as group:
        await group.start(worker.run)
        with anyio.fail_after(60):
            while worker.poisoned is None and (at := await ingress.progress()).applied_id != at.last_id:
                await anyio.sleep(0.01)
        worker.stop()
    return worker


def test_an_ingress_of_poison_stops_the_worker_and_stays_where_it_is() -> None:
    async def main() -> None:
        worker, ingress = await work_until_done([BAD] * 8_000)
        assert "of the last 200 entries of the ingress cannot be read: the worker stops" in str(worker.poisoned)
        at = await ingress.progress()
        assert (at.dead, at.length, at.applied_id) == (0, 8_000, BEGINNING)
        assert await ingress.lease("another", 1.0)  # the right to route was given back

    seeded_run(main)


def test_a_worker_that_is_started_again_by_hand_makes_no_letters_of_poison_either() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        ingress = MemoryIngress(store)
        await ingress.write([GOOD] * 300)
        assert (await work_on(store, ingress)).poisoned is None
        await ingress.write([BAD] * 1_000)
        for _ in range(3):
            assert (await work_on(store, ingress)).poisoned is not None
        at = await ingress.progress()
        assert (at.dead, at.lag) == (0, 1_000)

    seeded_run(main)


def test_bars_of_what_is_no_name_are_poison_and_reach_no_lane() -> None:
    async def main() -> None:
        worker, ingress = await work_until_done([frames.to_fields(frame_of(0, ("A", "B\0")))])
        assert worker.rows == 0
        (letter,) = await ingress.read_dead(BEGINNING, count=9)
        assert "symbol 'B\\x00' holds a control character" in letter.reason

    seeded_run(main)


def test_a_third_of_poison_on_the_ingress_stops_nobody_and_is_a_line_a_batch(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        worker, ingress = await work_until_done([BAD, GOOD, GOOD] * 200)
        assert worker.poisoned is None
        assert len(await ingress.read_dead(BEGINNING, count=999)) == 200

    seeded_run(main)
    lines = [record.getMessage() for record in caplog.records if "to the dead letters" in record.getMessage()]
    assert "the ingress, entry" in lines[0]
    assert len(lines) < 12


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ({b"price": b"-7"}, "a price that is not a positive number of a possible size"),
        ({b"price": b"0"}, "a price that is not a positive number of a possible size"),
        ({b"volume": b"-1"}, "a volume that is not a number of at least zero"),
        ({b"bid": b"-1"}, "a bid, ask or open interest below zero or impossibly large"),
    ],
)
def test_a_single_tick_with_an_impossible_number_is_a_letter_of_its_own_with_its_fields(
    flaw: dict[bytes, bytes], reason: str
) -> None:
    async def main() -> None:
        worker, ingress = await work_until_done([GOOD, {**GOOD, **flaw}, GOOD, {**GOOD, b"price": b" -3 "}])
        assert worker.poisoned is None
        first, second = await ingress.read_dead(BEGINNING, count=10)
        assert (first.reason, first.payload) == (reason, frames.pack_fields({**GOOD, **flaw}))
        assert second.payload == frames.pack_fields({**GOOD, b"price": b" -3 "})
        assert worker.rows == 2

    seeded_run(main)
