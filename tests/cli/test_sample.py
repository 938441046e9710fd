"""``sample``: a universe file that the simulator reads, the same for the same seed, and labelled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.shell import Shell

from tapeline.sim.market import Market

N_SYMBOLS = 526
"""Two more than there are real ones."""


def test_the_file_is_a_market_and_the_same_for_the_same_seed(shell: Shell, tmp_path: Path) -> None:
    one, other = tmp_path / "one.parquet", tmp_path / "other.parquet"
    answer = shell("sample", "--symbols", str(N_SYMBOLS), "--out", str(one), "--seed", "3", "--json")
    assert answer.code == 0
    told = json.loads(answer.out)
    assert (told["symbols"], told["resampled"], told["path"]) == (N_SYMBOLS, 2, str(one))
    market = Market.load(universe=one)
    assert len(market.symbols) == N_SYMBOLS
    assert shell("sample", "--symbols", str(N_SYMBOLS), "--out", str(other), "--seed", "3").code == 0
    assert one.read_bytes() == other.read_bytes()


def test_it_tells_people_how_to_use_the_file(shell: Shell, tmp_path: Path) -> None:
    out = tmp_path / "some.parquet"
    answer = shell("sample", "--symbols", "3", "--out", str(out))
    assert f"TAPELINE_REPLAY__UNIVERSE={out}" in answer.out
    assert len(Market.load(universe=out).symbols) == 3


@pytest.mark.parametrize("count", ["0", "100001"])
def test_a_number_out_of_bounds_is_an_error_of_the_person(shell: Shell, tmp_path: Path, count: str) -> None:
    answer = shell("sample", "--symbols", count, "--out", str(tmp_path / "x.parquet"))
    assert answer.code == 2
    assert not (tmp_path / "x.parquet").exists()


def test_a_place_that_cannot_be_written_is_one_sentence(shell: Shell, tmp_path: Path) -> None:
    sentence = shell.refuses("sample", "--symbols", "3", "--out", str(tmp_path / "no" / "x.parquet"))
    assert "cannot be written" in sentence
