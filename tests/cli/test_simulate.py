"""``sim``: the simulator with the node's settings, and what it says becomes ours."""

from __future__ import annotations

import pytest
from tests.cli.shell import Shell


@pytest.fixture
def argv(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the simulator's arguments instead of running it; it ends with code 3."""
    seen: list[str] = []

    def main(words: list[str]) -> int:
        seen.extend(words)
        return 3

    monkeypatch.setattr("tapeline.sim.__main__.main", main)
    return seen


def value(argv: list[str], option: str) -> str:
    return argv[argv.index(option) + 1]


def test_settings_and_options_reach_the_simulator_and_its_code_comes_back(shell: Shell, argv: list[str]) -> None:
    shell.patch.setenv("TAPELINE_NODE__SEED", "11")
    shell.patch.setenv("TAPELINE_REPLAY__SYMBOLS", "40")
    assert shell("sim", "--day", "2010-05-07", "--port", "8123").code == 3
    wanted = {"--port": "8123", "--day": "2010-05-07", "--seed": "11", "--symbols": "40"}
    assert {option: value(argv, option) for option in wanted} == wanted
    assert "--faults" not in argv
    assert "--universe" not in argv


def test_files_are_handed_on(shell: Shell, argv: list[str]) -> None:
    shell.patch.setenv("TAPELINE_REPLAY__UNIVERSE", "some.parquet")
    shell("sim", "--faults", "some.toml")
    assert (value(argv, "--universe"), value(argv, "--faults")) == ("some.parquet", "some.toml")


def test_a_day_that_is_none_is_an_error_of_the_person(shell: Shell, argv: list[str]) -> None:
    assert shell("sim", "--day", "May 6").code == 2
    assert argv == []
