"""The composition root: names are checked before anything starts, and a worker that cannot live is given up."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import msgspec
import pytest

from tapeline import app
from tapeline.core.config import Config, LiveConfig
from tapeline.core.errors import BadInput, ConfigError, ProcessDied
from tapeline.core.home import Home
from tapeline.core.process import Child, spawn


def _with_indicators(*names: str) -> Config:
    return msgspec.structs.replace(Config(), live=LiveConfig(indicators=names))


def test_the_defaults_name_only_what_exists() -> None:
    app.check_names(Config())


def test_an_unknown_indicator_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match=r"live\.indicators: .*rsy_14"):
        app.check_names(_with_indicators("rsi_14", "rsy_14"))


def _workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> app.Workers:
    """Return the workers of a node whose worker is a script."""

    def start(_argv: list[str], *, name: str, log_path: Path, drain_s: float) -> Child:
        return spawn([sys.executable, "-c", script], name=name, log_path=log_path, drain_s=drain_s)

    monkeypatch.setattr(app, "spawn", start)
    monkeypatch.setattr(app, "WATCH_EVERY_S", 0.0)
    home = Home(tmp_path)
    home.prepare()
    return app.Workers(Config(), home, "unix:///nowhere")


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
    assert len(said) == app.MAX_DEATHS


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
