"""One node a home, found by its note."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tapeline.core.errors import BadInput, HomeBusy
from tapeline.core.home import Home, NodeNote, default_home

NOTE = NodeNote(pid=1, version="0", valkey="unix:///x")


def test_a_second_node_in_the_same_home_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.claim(), pytest.raises(HomeBusy, match=r"another node \(process \d+\) runs in"), home.claim():
        pass
    with home.claim():
        pass


def test_the_note_is_private_and_goes_with_the_node(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.claim():
        home.write_note(NOTE)
        assert stat.S_IMODE(home.note_path.stat().st_mode) == 0o600
        assert home.read_note() == NOTE
    assert home.read_note() is None


def test_a_broken_note_says_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    home.note_path.write_text("{")
    with pytest.raises(BadInput, match="remove it"):
        home.read_note()


def test_a_home_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="set TAPELINE_HOME"):
        Home(tmp_path / "file" / "home").prepare()


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"TAPELINE_HOME": "/a/b"}, "/a/b"),
        ({"XDG_DATA_HOME": "/x", "HOME": "/h"}, "/x/tapeline"),
        ({"HOME": "/h"}, "/h/.local/share/tapeline"),
    ],
)
def test_the_home_is_where_the_environment_says(environ: dict[str, str], path: str) -> None:
    assert default_home(environ).path == Path(path)
