"""``process``: whose server it works for, and one sentence when there is none."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.shell import Shell

from tapeline.core.config import Config
from tapeline.core.home import Home, NodeNote
from tapeline.streams.watch import PERFORMANCE


@pytest.fixture(autouse=True)
def _level_of_statistics() -> Iterator[None]:
    yield
    logging.getLogger(PERFORMANCE).setLevel(logging.NOTSET)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Config, str, str, Path]]:
    """Return what the worker was started with, instead of being one."""
    started: list[tuple[Config, str, str, Path]] = []

    def note(*how: Any) -> None:
        started.append(how)

    monkeypatch.setattr("tapeline.app.work", note)
    monkeypatch.setattr("tapeline.streams.worker.os.cpu_count", lambda: 1)
    return started


def run_node(shell: Shell) -> None:
    home = Home(shell.home)
    home.prepare()
    home.write_note(NodeNote(pid=1, version="0", valkey="unix:///of/the/node"))


def test_without_a_node_it_says_so(shell: Shell, work: list[Any]) -> None:
    sentence = shell.refuses("process")
    assert sentence == f"no node runs in {shell.home}: start one with `tapeline run`, or name a server with --address"
    assert work == []


def test_the_nodes_server_is_found_by_its_note(shell: Shell, work: list[Any]) -> None:
    run_node(shell)
    assert shell("process", "--name", "second").code == 0
    assert work == [(Config(), "unix:///of/the/node", "second", shell.home / "marks")]


def test_a_configured_server_goes_before_the_nodes_and_a_named_one_before_both(shell: Shell, work: list[Any]) -> None:
    run_node(shell)
    shell.patch.setenv("TAPELINE_STREAMS__REDIS_URL", "redis://configured")
    shell("process")
    shell("process", "--address", "redis://named")
    assert [address for _, address, *_ in work] == ["redis://configured", "redis://named"]


def test_a_note_that_cannot_be_read_is_one_sentence(shell: Shell, work: list[Any]) -> None:
    run_node(shell)
    (shell.home / "run" / "node.json").write_text("{")
    assert "cannot be read" in shell.refuses("process")
    assert work == []


class Pool:
    """What a pool is asked to be, instead of one."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def start(self, *how: Any, **more: Any) -> Pool:
        self.asked.append((*how, more))
        return self

    def log_path(self, number: int) -> Path:
        return Path(f"/logs/{number}")

    def wait(self, say: Callable[[str], None]) -> None:
        say("worker-0: LOST DATA")

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.asked.append("stopped")


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    made = Pool()
    monkeypatch.setattr("tapeline.streams.pool.start_stream_processor", made.start)
    return made


def test_several_workers_are_a_pool_whose_logs_are_named_and_told(shell: Shell, pool: Pool, tmp_path: Path) -> None:
    mine = ("--name", "night", "--marks", str(tmp_path), "--logs", str(tmp_path))
    answer = shell("process", "--workers", "3", "--address", "redis://named", *mine)
    assert answer.err == "3 workers; their logs are /logs/0 and beside it\nworker-0: LOST DATA\n"
    how = {"config": None, "name": "night", "marks": tmp_path, "logs": tmp_path}
    assert pool.asked == [("redis://named", 3, how), "stopped"]


def test_a_pool_that_is_asked_to_end_stops_its_workers_and_ends_well(
    shell: Shell, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "wait", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    answer = shell("process", "--workers", "3", "--address", "redis://named")
    assert answer.code == 0
    assert pool.asked[-1] == "stopped"


def test_without_a_number_there_are_as_many_as_the_settings_say(
    shell: Shell, pool: Pool, work: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "doc.json").write_text('{"optimized_processor_workers": 2}')
    shell("process", "--address", "redis://named", "--config", str(tmp_path / "doc.json"))
    shell.patch.setenv("TAPELINE_STREAMS__MIN_WORKERS", "3")
    shell("process", "--address", "redis://named")  # one core alone would be one worker
    shell("process", "--address", "redis://named", "--workers", "1")
    assert [asked[:2] for asked in pool.asked if asked != "stopped"] == [("redis://named", 2), ("redis://named", 3)]
    assert len(work) == 1


@pytest.mark.parametrize(("level", "shown"), [("info", True), ("warning", True), ("error", False)])
def test_statistics_are_shown_unless_only_errors_are_wanted(
    shell: Shell, work: list[Any], level: str, *, shown: bool
) -> None:
    said: list[bool] = []
    shell.patch.setattr("tapeline.app.work", lambda *_: said.append(logging.getLogger(PERFORMANCE).isEnabledFor(20)))
    assert shell("--log-level", level, "process", "--address", "redis://named").code == 0
    assert (said, work) == ([shown], [])


@pytest.mark.parametrize("name", ["", "a/b", "../up", "two words", "x" * 65])
def test_a_name_that_no_file_can_have_is_refused(shell: Shell, work: list[Any], name: str) -> None:
    for number in ("1", "2"):
        sentence = shell.refuses("process", "--workers", number, "--address", "/nowhere", "--name", name)
        assert "is no name for workers: use 1 to 64 letters, digits, `.`, `-` and `_`" in sentence
    assert work == []


@pytest.mark.parametrize("number", ["1", "2"])
def test_marks_that_cannot_be_kept_are_refused_at_the_start(
    shell: Shell, work: list[Any], tmp_path: Path, number: str
) -> None:
    (tmp_path / "file").write_text("")
    told = shell.refuses(
        "process", "--workers", number, "--address", "/nowhere", "--marks", str(tmp_path / "file" / "m")
    )
    assert told == f"the marks cannot be kept in {tmp_path}/file/m: Not a directory; give a folder you may write"
    assert work == []
