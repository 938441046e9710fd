"""Logs: one JSON object a line, and no secret in any of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapeline.core.telemetry import configure_logging


@pytest.fixture
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if handler not in before:
            handler.close()
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.usefixtures("_root_logger")
def test_secrets_are_cut_out_of_arguments_and_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APCA_API_SECRET_KEY", "hush-hush")
    path = tmp_path / "log"
    configure_logging("info", path)
    logging.getLogger("feed").info("asked with %s", {"key": "hush-hush"})
    line = json.loads(path.read_text())
    assert line["text"] == "asked with {'key': '[redacted]'}"
    assert (line["level"], line["logger"]) == ("info", "feed")


@pytest.mark.usefixtures("_root_logger")
def test_an_error_keeps_its_trace(tmp_path: Path) -> None:
    path = tmp_path / "log"
    configure_logging("info", path)
    try:
        raise ValueError("x")
    except ValueError:
        logging.getLogger("a").exception("failed")
    assert "ValueError: x" in json.loads(path.read_text())["error"]
