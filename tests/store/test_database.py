"""A file that does not open says why, and is never overwritten."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tapeline.core.errors import StoreError
from tapeline.store.database import keep_aside, open_database, sentences


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tapeline.duckdb"


def _made(path: Path) -> bytes:
    connection = open_database(path)
    connection.execute("INSERT INTO meta SELECT 'key' || range, repeat('x', 100) FROM range(20000)")
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize("damage", ["garbage", "empty", "text", "short", "header", "middle", "zeros"])
def test_a_damaged_file_is_kept_aside_to_the_byte_and_the_sentence_says_where(path: Path, damage: str) -> None:
    whole = _made(path)
    bad = {
        "garbage": bytes(range(256)) * 40,
        "empty": b"",
        "text": b"symbol,open\nAAPL,1\n",
        "short": whole[: len(whole) // 2],
        "header": whole[:4200] + bytes([whole[4200] ^ 255]) + whole[4201:],
        "middle": whole[:20_000] + bytes(5_000) + whole[25_000:],
        "zeros": whole[:12_288] + bytes(len(whole) - 12_288),
    }[damage]
    path.write_bytes(bad)
    with pytest.raises(StoreError) as caught:
        open_database(path)
    kept = path.with_name("tapeline.duckdb.corrupt-1")
    assert kept.read_bytes() == bad
    assert str(kept) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not path.exists()
    open_database(path).close()


def test_a_damaged_log_is_kept_aside_with_its_file(path: Path) -> None:
    _made(path)
    connection = open_database(path)
    connection.execute("INSERT INTO meta VALUES ('a', 'b')")
    log = path.with_name("tapeline.duckdb.wal")
    file, tail = path.read_bytes(), log.read_bytes()
    connection.close()
    path.write_bytes(file)
    bad = tail[:-20] + bytes(20)
    log.write_bytes(bad)
    with pytest.raises(StoreError, match="is kept as"):
        open_database(path)
    assert path.with_name("tapeline.duckdb.corrupt-1").read_bytes() == file
    assert path.with_name("tapeline.duckdb.corrupt-1.wal").read_bytes() == bad
    assert not log.exists()


def test_a_torn_log_loses_only_the_write_that_was_torn(path: Path) -> None:
    _made(path)
    connection = open_database(path)
    connection.execute("INSERT INTO meta VALUES ('first', '')")
    connection.execute("INSERT INTO meta VALUES ('second', '')")
    log = path.with_name("tapeline.duckdb.wal")
    file, tail = path.read_bytes(), log.read_bytes()
    connection.close()
    path.write_bytes(file)
    log.write_bytes(tail[:-10])
    reopened = open_database(path)
    kept = reopened.execute("SELECT key FROM meta WHERE key IN ('first', 'second')").fetchall()
    reopened.close()
    assert kept == [("first",)]


def test_a_second_damaged_file_does_not_replace_the_first(path: Path) -> None:
    for text in (b"one", b"two"):
        path.write_bytes(text)
        keep_aside(path)
    assert [path.with_name(f"{path.name}.corrupt-{n}").read_bytes() for n in (1, 2)] == [b"one", b"two"]


def test_a_folder_or_a_missing_place_is_refused_and_nothing_is_moved(tmp_path: Path) -> None:
    for bad in (tmp_path, tmp_path / "no" / "such" / "place"):
        with pytest.raises(StoreError, match="cannot be opened"):
            open_database(bad)
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_a_newer_tapeline_is_refused_and_left_as_it_is(path: Path) -> None:
    connection = open_database(path)
    connection.execute("INSERT INTO schema_version VALUES (99)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="schema 99"):
        open_database(path)
    assert path.read_bytes() == before


def test_an_error_that_is_not_the_disks_passes_as_it_is(path: Path) -> None:
    with pytest.raises(duckdb.ConstraintException), sentences(path):
        raise duckdb.ConstraintException("Duplicate key")


def test_damage_found_while_reading_is_a_sentence(path: Path) -> None:
    with pytest.raises(StoreError, match="is damaged"), sentences(path):
        raise duckdb.IOException("Corrupt database file: computed checksum 1 does not match")
