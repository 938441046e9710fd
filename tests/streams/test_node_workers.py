"""The workers of a node: one that dies is started again, and one that cannot live is given up."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

from tapeline.core.config import Config
from tapeline.core.errors import BadInput, ProcessDied
from tapeline.core.home import Home
from tapeline.core.process import Child, spawn
from tapeline.streams import node_workers
from tapeline.streams.node_workers import Workers


def _workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Workers:
    """Return the workers of a node whose worker is a script."""

    def start(_argv: list[str], *, name: str, log_path: Path, drain_s: float) -> Child:
        return spawn([sys.executable, "-c", script], name=name, log_path=log_path, drain_s=drain_s)

    monkeypatch.setattr(node_workers, "spawn", start)
    monkeypatch.setattr(node_workers, "WATCH_EVERY_S", 0.0)
    home = Home(tmp_path)
    home.prepare()
    return Workers(Config(), home, "unix:///nowhere")


@pytest.mark.process
def test_a_worker_that_keeps_dying_is_given_up_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = _workers(tmp_path, monkeypatch, "import sys; sys.exit('no such lane')")
    said: list[str] = []
    try:
        with pytest.raises(ProcessDied, match="worker-0 keeps ending, code 1: no such lane"):
            anyio.run(workers.watch, said.append)
    finally:
        workers.terminate()
    assert len(said) == node_workers.MAX_DEATHS


@pytest.mark.process
def test_a_worker_that_says_what_to_mend_ends_the_node_with_that_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "import sys; print('tapeline: choose fewer lanes', file=sys.stderr); sys.exit(2)"
    workers = _workers(tmp_path, monkeypatch, script)
    try:
        with pytest.raises(BadInput, match=r"^choose fewer lanes$"):
            anyio.run(workers.watch, print)
    finally:
        workers.terminate()
