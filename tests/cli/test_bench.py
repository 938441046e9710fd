"""``bench``: figures for people, one JSON object a benchmark for machines."""

from __future__ import annotations

import importlib
import json
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.cli.shell import Shell

from tapeline.bench import NAMES
from tapeline.cli.bench import show_table


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a benchmark that measures nothing in the place of each."""
    real = importlib.import_module

    def load(name: str, package: str | None = None) -> ModuleType:
        if name.removeprefix("tapeline.bench.") not in NAMES:
            return real(name, package)
        found: Any = SimpleNamespace(run=lambda *, quick: {"results": {"speed": 2.5, "quick": quick}, "peers": {}})
        return found  # type: ignore[no-any-return]

    monkeypatch.setattr(importlib, "import_module", load)


def test_the_last_line_is_json_and_the_others_are_for_people(shell: Shell) -> None:
    answer = shell("bench", "greeks", "--quick")
    *lines, last = answer.out.splitlines()
    assert answer.code == 0
    assert [line.split() for line in lines] == [["greeks", "speed", "2.5"], ["greeks", "quick", "True"]]
    told = json.loads(last)
    assert (told["bench"], told["results"]) == ("greeks", {"speed": 2.5, "quick": True})


def test_with_json_there_is_nothing_else(shell: Shell) -> None:
    answer = shell("bench", "all", "--json")
    assert [json.loads(line)["bench"] for line in answer.out.splitlines()] == list(NAMES)


def test_an_unknown_bench_names_those_there_are(shell: Shell) -> None:
    sentence = shell.refuses("bench", "speed")
    assert sentence == f"there is no benchmark 'speed': choose all, {', '.join(NAMES)}"


def test_a_table_has_its_columns_under_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    show_table([{"symbols": 31, "cycle_s": 6.2}, {"symbols": 12_000, "cycle_s": 1.6}])
    assert capsys.readouterr().out.splitlines() == ["symbols  cycle_s", "     31      6.2", " 12,000      1.6"]
    show_table([])
    assert capsys.readouterr().out == ""
