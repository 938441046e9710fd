"""``train``: folds and their card, from the settings; a device that is not there is one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.shell import Shell


def test_folds_and_card_are_written(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPELINE_ML__ROUNDS", "2")
    monkeypatch.setenv("TAPELINE_ML__FOLD_SESSIONS", "100")
    answer = shell("train", "--until", "2010-05-05", "--out", str(tmp_path / "m"), "--json")
    assert answer.code == 0
    assert [each["target"] for each in json.loads(answer.out)["targets"]] == ["return_5", "return_10", "up_10"]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["2010-03-08.fold", "card.html", "card.json"]


def test_too_short_a_history_is_one_sentence(shell: Shell, tmp_path: Path) -> None:
    sentence = shell.refuses("train", "--until", "2009-10-15", "--out", str(tmp_path / "m"), "--json")
    assert "too few to train on" in sentence
