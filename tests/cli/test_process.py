"""``process``: whose server it works for, and one sentence when there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.shell import Shell

from tapeline.core.config import Config
from tapeline.core.home import Home, NodeNote


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Config, str, str, Path]]:
    """Return what the worker was started with, instead of being one."""
    started: list[tuple[Config, str, str, Path]] = []

    def note(*how: Any) -> None:
        started.append(how)

    monkeypatch.setattr("tapeline.app.work", note)
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


def test_several_workers_are_a_pool_that_asks_the_named_server(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Pool:
        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *_: object) -> None:
            asked.append("stopped")

        def wait(self) -> None:
            asked.append("waited")

    def start(*how: Any, **more: Any) -> Pool:
        asked.append((*how, more))
        return Pool()

    monkeypatch.setattr("tapeline.streams.pool.start_stream_processor", start)
    assert shell("process", "--workers", "3", "--address", "redis://named").code == 0
    assert shell("process", "--workers", "0", "--address", "redis://named").code == 0
    assert asked[:3] == [("redis://named", 3, {"config": None}), "waited", "stopped"]
    assert asked[3] == ("redis://named", None, {"config": None})
