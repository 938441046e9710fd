"""``sample``: a universe that the simulator reads, the same for the same seed; real samples that are taken in again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.cli.shell import Shell
from tests.streams.served import running_valkey

from tapeline.data.samples import load_minutes
from tapeline.feed.imports import read_bars
from tapeline.live.tape import read_ticks
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


def test_the_list_tells_what_is_real(shell: Shell) -> None:
    told = json.loads(shell("sample", "list", "--json").out)
    assert [(each["name"], each["label"]) for each in told] == [
        (name, "real") for name in ("ticks", "minutes", "chains")
    ]
    assert "resampled" in shell("sample", "list").out


@pytest.mark.parametrize(("name", "suffix", "rows"), [("minutes", "csv", 1564), ("chains", "parquet", 986)])
def test_a_real_sample_is_written_out_and_reads_back(
    shell: Shell, tmp_path: Path, name: str, suffix: str, rows: int
) -> None:
    out = tmp_path / f"some.{suffix}"
    told = json.loads(shell("sample", name, "--out", str(out), "--json").out)
    assert (told["rows"], told["label"]) == (rows, "real")
    if name == "minutes":
        bars = read_bars(out, 60)
        np.testing.assert_array_equal(bars.event_ns, load_minutes().event_ns)
        np.testing.assert_array_equal(bars.close, load_minutes().close)
    else:
        assert sum(len(part) for part in read_ticks(out)) == rows


def test_a_sample_says_how_to_take_it_in(shell: Shell, tmp_path: Path) -> None:
    out = tmp_path / "some.parquet"
    assert f"tapeline import bars {out} --timeframe 1min" in shell("sample", "minutes", "--out", str(out)).out


@pytest.mark.parametrize(
    ("words", "bars"),
    [(("bars", "sample:minutes", "--timeframe", "1min"), 1564), (("ticks", "sample:ticks"), 2264)],
)
def test_a_sample_is_imported_by_name(shell: Shell, words: tuple[str, ...], bars: int) -> None:
    assert json.loads(shell("import", *words, "--json").out)["bars"] == bars


@pytest.mark.parametrize("words", [("sample", "tocks"), ("import", "bars", "sample:tocks")])
def test_a_sample_that_is_none_is_refused_with_those_that_are(shell: Shell, words: tuple[str, ...]) -> None:
    assert "ticks" in shell.refuses(*words)


def test_a_real_sample_that_cannot_be_written_is_one_sentence(shell: Shell, tmp_path: Path) -> None:
    assert "cannot be written" in shell.refuses("sample", "minutes", "--out", str(tmp_path / "no" / "x.csv"))


@pytest.mark.process
def test_a_sample_is_loaded_by_name_into_a_real_server(shell: Shell) -> None:
    with running_valkey() as (_, address):
        told = json.loads(shell("ticks", "load", "sample:chains", "--address", address, "--json").out)
        seen = json.loads(shell("lanes", "--address", address, "--json").out)
    assert told["ticks"] == 986
    assert seen["ingress"]["last_id"] == told["last_id"]
