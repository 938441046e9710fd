"""The shell, for every test of a verb."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.cli.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Return a shell in a home that does not exist yet."""
    for name in list(os.environ):
        if name.startswith(("TAPELINE_", "APCA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TAPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path / "home", monkeypatch, capsys)
