"""Lanes: where a symbol goes, and what a publisher leaves behind."""

from __future__ import annotations

import numpy as np
import pytest
from tests.streams.toys import entries_of, frame_of

from tapeline.core.errors import ConfigError
from tapeline.core.types import BarFrame
from tapeline.streams import frames
from tapeline.streams.lanes import Publisher, lane_of
from tapeline.streams.layout import Layout
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.store import BEGINNING

pytestmark = pytest.mark.anyio


async def lane_frames(store: MemoryLaneStore, lane: int) -> list[BarFrame]:
    block = await store.read(lane, BEGINNING, count=1000, block_s=0.0)
    return [frames.decode(fields[b"frame"]) for _, fields in entries_of(block)]


def test_a_lane_is_the_standard_crc_32_so_it_never_changes() -> None:
    assert lane_of("123456789", 2**32) == 0xCBF43926


def test_an_option_shares_the_lane_of_its_underlying() -> None:
    def underlying(symbol: str) -> str:
        return symbol.partition("25NOV")[0]

    assert lane_of("NIFTY25NOV24000CE", 64, underlying) == lane_of("NIFTY", 64)


def test_symbols_spread_over_the_lanes() -> None:
    counts = np.bincount([lane_of(f"{a}{b}{c}", 8) for a in "ABCDEFGH" for b in "IJKLMNOP" for c in "QRSTUVWX"])
    assert counts.min() > 0.6 * counts.mean()


async def test_every_lane_gets_its_rows_and_the_time() -> None:
    store, symbols = MemoryLaneStore(), tuple("ABCDEFGH")
    publisher = Publisher(store, 3)
    await publisher.open()
    ids = await publisher.publish(frame_of(0, symbols))
    assert set(ids) == {0, 1, 2}
    seen: list[str] = []
    for lane in range(3):
        (frame,) = await lane_frames(store, lane)
        assert frame.as_of_ns == frame_of(0).as_of_ns
        assert all(lane_of(symbol, 3) == lane for symbol in frame.symbols)
        assert (await store.progress(lane)).watermark_ns == frame.as_of_ns
        seen += frame.symbols
    assert sorted(seen) == list(symbols)


async def test_a_revision_passes_and_the_watermark_stays() -> None:
    store = MemoryLaneStore()
    publisher = Publisher(store, 1)
    await publisher.open()
    await publisher.publish(frame_of(5))
    await publisher.publish(frame_of(1))
    assert len(await lane_frames(store, 0)) == 2
    assert await store.watermark(0) == frame_of(5).as_of_ns


async def test_a_restart_resumes_at_the_slowest_lane() -> None:
    store = MemoryLaneStore()
    first = Publisher(store, 2)
    assert await first.open() is None
    await first.publish(frame_of(0))
    await store.publish(0, [frames.to_fields(frame_of(1))], frame_of(1).as_of_ns)  # it died before lane 1
    assert await Publisher(store, 2).open() == frame_of(0).as_of_ns


async def test_another_number_of_lanes_is_refused() -> None:
    store = MemoryLaneStore()
    await Publisher(store, 2).open()
    with pytest.raises(ConfigError, match=r"laid out for 2 lanes and streams\.lanes says 4"):
        await Publisher(store, 4).open()


async def test_a_huge_frame_travels_in_parts_and_time_moves_with_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_ROWS", 3)
    store = MemoryLaneStore()
    publisher = Publisher(store, 1)
    await publisher.open()
    ids = await publisher.publish(frame_of(2, tuple("ABCDEFGH")))
    parts = await lane_frames(store, 0)
    assert [part.symbols for part in parts] == [("A", "B", "C"), ("D", "E", "F"), ("G", "H")]
    assert [part.as_of_ns for part in parts[:2]] == [int(frame_of(2).event_ns[0])] * 2
    assert parts[2].as_of_ns == frame_of(2).as_of_ns
    assert ids[0] == (await store.progress(0)).last_id


async def test_the_mark_of_each_symbol_is_found_again_after_a_restart() -> None:
    store, marks = MemoryLaneStore(), {"A": 120, "B": 60, "C": 120, "D": 120}
    first = Publisher(store, 3)
    await first.open()
    await first.publish(frame_of(0), marks)
    assert await Publisher(store, 3).marks_of([*marks, "NEW"]) == {**marks, "NEW": 120}


async def test_a_store_without_notes_knows_no_marks() -> None:
    assert await Publisher(MemoryLaneStore(), 2).marks_of(["A"]) == {}


async def test_what_some_lanes_took_before_a_change_is_not_published_again() -> None:
    store, symbols = MemoryLaneStore(), tuple("ABCDEFGH")
    publisher = Publisher(store, 2)
    await publisher.open()
    store.lane(1).epoch = 1  # shut after lane 0 has taken its rows
    assert await store.change_layout(Layout(2, 2), Layout(3, 3, 1))
    ids = await publisher.publish(frame_of(0, symbols))
    assert set(ids) == {0, 1, 2}
    assert publisher.n_lanes == 3
    seen = [symbol for lane in range(3) for frame in await lane_frames(store, lane) for symbol in frame.symbols]
    assert sorted(seen) == list(symbols)
