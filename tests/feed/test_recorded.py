"""A folder with a recording: what was wished comes again, no password with it, and what is no recording is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadInput, DataError
from tapeline.feed.recorded import RECIPE, TRAFFIC, Recipe, check_folder, read_recipe, write_recipe

ADDRESS = "https://user:pass-word@data.example/x"


def recipe(**changed: object) -> Recipe:
    feed = msgspec.convert({"batch_size": 7, "alpaca": {"base_url": ADDRESS}}, FeedConfig)
    made = Recipe(start_ns=5, is_logical=True, seed=7, feed=feed, wanted=("AAPL",), once=False, cycles=3)
    return msgspec.structs.replace(made, **changed)


def test_a_recipe_comes_back_as_it_was_but_for_the_password(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    check_folder(folder)
    assert write_recipe(folder, recipe()) == folder / TRAFFIC
    assert folder.stat().st_mode & 0o777 == 0o700
    found, traffic = read_recipe(folder)
    assert (found.feed.batch_size, found.wanted, found.cycles, traffic) == (7, ("AAPL",), 3, folder / TRAFFIC)
    assert found.feed.alpaca.base_url == "https://data.example/x"
    assert "pass-word" not in (folder / RECIPE).read_text()


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(BadInput, match="is not empty, and a recording needs a folder of its own: give a new one"):
        check_folder(tmp_path)
    with pytest.raises(BadInput, match="Not a directory"):
        check_folder(tmp_path / "mine")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (msgspec.json.encode(recipe(version=1)), "is of version 1, and 2 is read here: record again"),
        (msgspec.json.encode(recipe())[:-20], "it was cut off or changed; record again"),
        (msgspec.json.encode(recipe()).replace(b"batch_size", b"batch_siz2"), "unknown field `batch_siz2`"),
        (b"\xff\xfe", "it was cut off or changed; record again"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / RECIPE).write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        read_recipe(tmp_path)


def test_where_nothing_was_recorded_it_is_said_how(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no recording in .*: `tapeline poll --record` makes one"):
        read_recipe(tmp_path)
