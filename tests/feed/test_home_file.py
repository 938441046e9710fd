"""One value in a file of the home: kept, replaced, or refused by its path."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tapeline.core.errors import BadInput, DataError
from tapeline.feed.home_file import read_json, write_json


def test_what_was_written_is_read_and_without_a_file_there_is_what_the_caller_says(tmp_path: Path) -> None:
    path = tmp_path / "market" / "numbers.json"
    assert read_json(path, list[int], [7]) == [7]
    write_json(path, [1, 2])
    write_json(path, [3])
    assert read_json(path, list[int], [7]) == [3]
    assert [file.name for file in path.parent.iterdir()] == ["numbers.json"]
    assert path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [b"", b"[1", b'["x"]'])
def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "numbers.json"
    path.write_bytes(damage)
    with pytest.raises(DataError, match=f"{re.escape(str(path))} is damaged .*remove it and sync again"):
        read_json(path, list[int], [])


def test_what_cannot_be_read_or_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(BadInput, match=r"cannot read .*folder\.json: Is a directory"):
        read_json(tmp_path / "folder.json", list[int], [])
    with pytest.raises(BadInput, match=r"cannot write .*folder\.json: Is a directory"):
        write_json(tmp_path / "folder.json", [])
