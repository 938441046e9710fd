"""Where the requests on our key are counted: with the running node's, or a configured server's, or alone."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from tapeline.cli.counting import count_address
from tapeline.core.config import Config
from tapeline.core.home import Home, NodeNote

NOBODY = 2**22 + 1
"""No process has this id."""


def _with_note(folder: Path, pid: int) -> Home:
    home = Home(folder)
    home.prepare()
    home.run_path.mkdir(exist_ok=True)
    home.write_note(NodeNote(pid=pid, version="1", valkey="unix:///here/valkey.sock"))
    return home


def test_a_running_node_and_we_count_together(tmp_path: Path) -> None:
    assert count_address(Config(), _with_note(tmp_path, os.getpid())) == "unix:///here/valkey.sock"


def test_a_configured_server_comes_first(tmp_path: Path) -> None:
    config = replace(Config(), streams=replace(Config().streams, redis_url="redis://there"))
    assert count_address(config, _with_note(tmp_path, os.getpid())) == "redis://there"


def test_without_a_node_no_server_counts_also_when_a_killed_one_left_its_note(tmp_path: Path) -> None:
    assert count_address(Config(), Home(tmp_path / "empty")) == ""
    assert count_address(Config(), _with_note(tmp_path, NOBODY)) == ""
