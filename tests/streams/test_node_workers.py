"""The workers of a node: one that dies is started again, and one that cannot live is given up."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest
from tests.streams.test_pool import until

from tapeline.core.config import Config, StreamsConfig
from tapeline.core.errors import BadInput, ConfigError, ProcessDied
from tapeline.core.home import Home
from tapeline.core.process import Child, spawn
from tapeline.streams import node_workers
from tapeline.streams.node_workers import Workers


def _workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, n: int = 1, first_port: int = 0) -> Workers:
    """Return the workers of a node whose worker is a script."""

    def start(_argv: list[str], *, name: str, log_path: Path, env: dict[str, str] | None, drain_s: float) -> Child:
        return spawn([sys.executable, "-c", script], name=name, log_path=log_path, env=env, drain_s=drain_s)

    monkeypatch.setattr(node_workers, "spawn", start)
    monkeypatch.setattr(node_workers, "WATCH_EVERY_S", 0.0)
    home = Home(tmp_path)
    home.prepare()
    return Workers(Config(streams=StreamsConfig(workers=n, metrics_port=first_port)), home, "unix:///nowhere")


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


@pytest.mark.process
def test_every_worker_has_a_port_of_its_own_for_prometheus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import os; print(os.environ['TAPELINE_STREAMS__METRICS_PORT'])"
    workers = _workers(tmp_path, monkeypatch, script, 2, 9100)
    until(lambda: all(child.poll() is not None for child in workers.children))
    workers.terminate()
    home = Home(tmp_path)
    assert [home.log_path(f"worker-{k}").read_text() for k in range(2)] == ["9100\n", "9101\n"]


def test_workers_without_room_for_their_ports_are_refused(tmp_path: Path) -> None:
    config = Config(streams=StreamsConfig(workers=3, metrics_port=65_534))
    with pytest.raises(ConfigError, match="3 workers need as many ports from there on: choose a lower one, 65533 at"):
        Workers(config, Home(tmp_path), "unix:///nowhere")
