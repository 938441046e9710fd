"""What a home takes, class by class, what of it may go, and logs that begin anew."""

from __future__ import annotations

import os
from pathlib import Path

from tapeline.store.usage import Part, expendable, measure, rotate


def fill(home: Path, *names: str, size: int = 10) -> None:
    for age, name in enumerate(names):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        os.utime(path, (1_000 - age, 1_000 - age))  # each older than the one before


def test_every_file_counts_in_the_class_of_its_place(tmp_path: Path) -> None:
    fill(tmp_path, "journal.duckdb", "journal.duckdb.wal", "journal.duckdb.corrupt-1", "tapeline.toml", "run/node.json")
    fill(tmp_path, "bars/date=1970-01-01/bars-0001.parquet", "valkey/appendonlydir/a.aof", "marks/1/lane-0")
    fill(tmp_path, "logs/worker-0.log", "recordings/a.jsonl", "cache/fold")
    assert measure(tmp_path) == {
        Part.JOURNAL: 20,
        Part.BARS: 10,
        Part.STREAMS: 20,
        Part.LOGS: 10,
        Part.RECORDINGS: 10,
        Part.CACHE: 10,
        Part.DAMAGED: 10,
        Part.OTHER: 20,
    }


def test_a_link_out_of_the_home_is_not_followed(tmp_path: Path) -> None:
    fill(tmp_path, "elsewhere/large", size=10_000)
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to(tmp_path / "elsewhere")
    (home / "cache").mkdir()
    (home / "cache" / "large").symlink_to(tmp_path / "elsewhere" / "large")
    assert sum(measure(home).values()) < 1_000


def test_a_home_that_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert set(measure(tmp_path / "none").values()) == {0}


def test_what_may_go_comes_class_by_class_and_the_oldest_first(tmp_path: Path) -> None:
    fill(tmp_path, "cache/new", "cache/old", "recordings/new", "recordings/old", "logs/a.log", "logs/a.log.1", "x.txt")
    assert [(part, path.name) for part, path, _ in expendable(tmp_path)] == [
        (Part.LOGS, "a.log.1"),
        (Part.RECORDINGS, "old"),
        (Part.RECORDINGS, "new"),
        (Part.CACHE, "old"),
        (Part.CACHE, "new"),
    ]


def test_a_long_log_begins_anew_under_its_writer_and_the_oldest_copy_goes(tmp_path: Path) -> None:
    log = tmp_path / "worker-0.log"
    with log.open("ab", buffering=0) as writer:
        for line in (b"one\n", b"two\n", b"three\n"):
            writer.write(line)
            assert rotate(log, max_bytes=3, keep=2)
        writer.write(b"end")
        assert not rotate(log, max_bytes=3, keep=2)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "worker-0.log": b"end",
        "worker-0.log.1": b"three\n",
        "worker-0.log.2": b"two\n",
    }
