"""Marks: what was seen applied is found again, and a server that knows less is told, once, as an alert."""

from __future__ import annotations

import logging
from pathlib import Path

import anyio
import msgspec
import pytest
from tests.streams.toys import Counter, frame_of, is_drained, seeded_run

from tapeline.core.config import StreamsConfig
from tapeline.streams import frames
from tapeline.streams.keys import FRAME
from tapeline.streams.marks import Mark, Marks
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.store import BEGINNING
from tapeline.streams.worker import Worker

CONFIG = StreamsConfig(lanes=1, batch_ms=1)


def test_a_mark_is_found_by_another_process_of_the_same_server_only(tmp_path: Path) -> None:
    Marks(tmp_path, "unix:///a").write("lane-3", Mark("17-4", "18-0"))
    assert Marks(tmp_path, "unix:///a").read("lane-3") == Mark("17-4", "18-0")
    assert Marks(tmp_path, "unix:///a").read("lane-2") == Mark()
    assert Marks(tmp_path, "redis://b").read("lane-3") == Mark()
    assert [path.name for path in Marks(tmp_path, "unix:///a").path("lane-3").parent.iterdir()] == ["lane-3"]


def test_a_mark_of_one_id_is_read_as_both(tmp_path: Path) -> None:
    marks = Marks(tmp_path, "a")
    marks.write("lane-0", Mark())
    marks.path("lane-0").write_text("17-4\n")
    assert marks.read("lane-0") == Mark("17-4", "17-4")


@pytest.mark.parametrize("text", [b"", b"seventeen", b"\xff", b"1-2-3", b"1-2 3-4 5-6"])
def test_a_mark_that_holds_no_id_is_none_and_says_so(
    tmp_path: Path, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    marks = Marks(tmp_path, "a")
    marks.write("lane-0", Mark("1-1", "1-1"))
    marks.path("lane-0").write_bytes(text)
    assert marks.read("lane-0") == Mark()
    assert "would not be noticed" in caplog.text


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    Marks(tmp_path / "file", "a").write("lane-0", Mark("1-1", "1-1"))
    assert "cannot be written" in caplog.text


def lives(store: MemoryLaneStore, marks: Marks, n_entries: int) -> int:
    """Publish some frames, let a worker apply them and leave; return how often it noticed a loss."""

    async def main() -> int:
        await store.publish(0, [{FRAME: frames.encode(frame_of(k))} for k in range(n_entries)], None)
        worker = Worker(store, lambda _: Counter(), CONFIG, "one", marks=marks)
        async with anyio.create_task_group() as group:
            await group.start(worker.run)
            while not await is_drained(store, 1):
                await anyio.sleep(0.01)
            await anyio.sleep(1.0)
            worker.stop()
        return worker.lost

    return seeded_run(main)


def alerts_of(store: MemoryLaneStore) -> list[tuple[str, bytes]]:
    async def main() -> list[tuple[str, bytes]]:
        return await store.read_alerts(count=10)

    return seeded_run(main)


def test_an_undisturbed_restart_reports_nothing(tmp_path: Path) -> None:
    store, marks = MemoryLaneStore(), Marks(tmp_path, "a")
    assert lives(store, marks, 3) == 0
    assert lives(store, marks, 2) == 0
    last_id = store.lane(0).rows.last_id
    assert marks.read("lane-0") == Mark(last_id, last_id)
    assert alerts_of(store) == []


def test_a_server_that_came_back_with_one_entry_less_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before, after, marks = MemoryLaneStore(), MemoryLaneStore(), Marks(tmp_path, "a")
    lives(before, marks, 5)
    known = marks.read("lane-0").applied_id
    assert lives(after, marks, 4) == 1
    ((name, values),) = alerts_of(after)
    assert name == f"lane-0:lost_data:{known}"
    assert msgspec.json.decode(values)["known_id"] == BEGINNING
    assert "it lost what came between" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert lives(after, marks, 0) == 0
    assert caplog.text == ""
    assert len(alerts_of(after)) == 1


def test_effects_that_were_forgotten_while_the_entries_are_there_follow_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before, after, marks = MemoryLaneStore(), MemoryLaneStore(), Marks(tmp_path, "a")
    lives(before, marks, 5)
    assert lives(after, marks, 5) == 0
    assert "they follow again from its entries" in caplog.text
    assert alerts_of(after) == []
