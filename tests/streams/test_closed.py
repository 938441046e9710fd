"""The node's end: it waits for every lane, and hands nothing over half."""

from __future__ import annotations

import anyio
import pytest
from tests.streams.toys import frame_of, seeded_run

from tapeline.core.errors import Unavailable
from tapeline.streams.closed import ClosedReader, pack_closed
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.store import Commit


async def close(store: MemoryLaneStore, lane: int, k: int) -> str:
    """Let a lane close the ``k``-th minute."""
    (entry_id,) = await store.publish(lane, [{b"a": b"1"}], None)
    before_id = (await store.load(lane)).applied_id
    await store.lease(lane, "me", 1e6)
    await store.commit(lane, "me", Commit(before_id, entry_id, closed=((entry_id, pack_closed((frame_of(k),))),)))
    return entry_id


def test_the_reader_waits_for_the_slowest_lane() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        reader = ClosedReader(store, 2)
        await close(store, 0, 0)

        async def later() -> None:
            await anyio.sleep(7.0)
            await close(store, 1, 0)

        async with anyio.create_task_group() as group:
            group.start_soon(later)
            batches = await reader.read_until(frame_of(0).as_of_ns)
        assert anyio.current_time() >= 7.0
        assert [(batch.lane, batch.frames[0].symbols) for batch in batches] == [(0, tuple("ABCD")), (1, tuple("ABCD"))]

    seeded_run(main)


def test_a_silent_lane_is_named_and_what_was_read_is_read_again() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        reader = ClosedReader(store, 3)
        await close(store, 0, 0)
        with pytest.raises(Unavailable, match=r"lane 1, 2 within 5 s"):
            await reader.read_until(frame_of(0).as_of_ns, timeout_s=5.0)
        await close(store, 1, 0)
        await close(store, 2, 0)
        assert [batch.lane for batch in await reader.read_until(frame_of(0).as_of_ns)] == [0, 1, 2]

    seeded_run(main)


def test_reading_goes_on_from_the_journals_offsets() -> None:
    async def main() -> None:
        store = MemoryLaneStore()
        first, second = await close(store, 0, 0), await close(store, 0, 1)
        reader = ClosedReader(store, 1, {0: first})
        (batch,) = await reader.read(0)
        assert (batch.id, reader.offsets) == (second, {0: second})
        await reader.trim()
        assert (await store.progress(0)).closed == 0

    seeded_run(main)
