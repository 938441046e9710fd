"""``evaluate``: a tear sheet of any score, and one sentence for what is none."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.shell import Shell


def test_tear_sheet_of_an_expression(shell: Shell, tmp_path: Path) -> None:
    out = tmp_path / "t.html"
    told = json.loads(shell("evaluate", "rank(roc_21)", "--out", str(out), "--json").out)
    assert told["skill"]["days"] > 200
    assert "skill" in told["verdict"].lower()
    assert "<svg" in out.read_text()


def test_what_is_no_score_is_one_sentence(shell: Shell) -> None:
    assert "cannot be used" in shell.refuses("evaluate", "__import__('os')")
