"""Loading: who wins, where a value came from, and one clear sentence for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.config import Config
from tapeline.core.config.load import leaves, load
from tapeline.core.errors import ConfigError


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "tapeline.toml"
    path.write_text(text)
    return path


def test_without_file_and_variables_every_value_is_a_default() -> None:
    loaded = load(None, {"PATH": "/bin"})
    assert loaded.config == Config()
    assert set(loaded.origins.values()) == {"default"}
    assert set(loaded.origins) == {path for path, _ in leaves(Config())}


def test_the_environment_wins_over_the_file_and_both_are_named(tmp_path: Path) -> None:
    path = _file(tmp_path, "[scan]\ntop = 7\nevery_min = 9\n[feed.alpaca]\nfeed = 'sip'\n")
    loaded = load(path, {"TAPELINE_SCAN__TOP": "8"})
    assert (loaded.config.scan.top, loaded.config.scan.every_min, loaded.config.feed.alpaca.feed) == (8, 9, "sip")
    assert loaded.origins["scan.top"] == "TAPELINE_SCAN__TOP"
    assert loaded.origins["scan.every_min"] == str(path)
    assert loaded.origins["scan.min_price"] == "default"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[scan]\ntopp = 1", r"unknown key `scan\.topp` in .*: did you mean `top`\?"),
        ("[scann]\ntop = 1", r"unknown key `scann` in .*: did you mean `scan`\?"),
        ("[scan]\ntop = 0", r"scan\.top \(.*\): it is 0: give a whole number of at least 1"),
        ("[scan]\ntop = 'x'", r"scan\.top \(.*\): it is 'x': give a whole number"),
        ("scan = 3", r"scan in .* is a section, not a value"),
        ("[scan\n", r"is not valid TOML"),
        ("[streams]\nlease_s = 9.0", r"streams\.lease_s is 9\.0: .* within 5 s"),
        ("[live]\ntimeframes_s = [60, 90]", r"each a multiple of the one before"),
        ("[signals]\nquorum_groups = 4", r"no signal could ever be formed"),
        ("[trade.risk]\nmax_position_pct = 90.0", r"max_position_pct \(90\.0\) is above"),
    ],
)
def test_a_mistake_in_the_file_gets_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load(_file(tmp_path, text), {})


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TAPELINE_SCAN__TOPP", "1", r"unknown key `scan\.topp` in the environment"),
        ("TAPELINE_SCAN", "1", r"names a section"),
        ("TAPELINE_SCAN__TOP", "many", r"scan\.top \(TAPELINE_SCAN__TOP\): it is 'many': give a whole number"),
        ("TAPELINE_SCAN__TOP", "1\nx = 2", r"more than one line"),
        ("TAPELINE_SCAN__TOP__DEEPER", "1", r"unknown key"),
    ],
)
def test_a_mistake_in_the_environment_gets_one_sentence(name: str, value: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load(None, {name: value})


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tapeline init"):
        load(tmp_path / "none.toml", {})


def test_a_url_in_the_environment_needs_no_quotes() -> None:
    loaded = load(None, {"TAPELINE_FEED__ALPACA__BASE_URL": "http://127.0.0.1:9"})
    assert loaded.config.feed.alpaca.base_url == "http://127.0.0.1:9"


@given(st.integers(1, 10_000))
def test_any_number_in_bounds_arrives(top: int) -> None:
    assert load(None, {"TAPELINE_SCAN__TOP": str(top)}).config.scan.top == top


@pytest.mark.parametrize(
    ("environ", "strategy"),
    [
        ({"USE_BATCH_POLLING": "false"}, "sequential"),
        ({"USE_BATCH_POLLING": "True"}, "hybrid"),
        ({"USE_BATCH_POLLING": "1"}, "hybrid"),
        ({"TAPELINE_FEED__USE_BATCH_POLLING": "false"}, "sequential"),
        ({"USE_BATCH_POLLING": "false", "TAPELINE_FEED__STRATEGY": "batch"}, "batch"),
    ],
)
def test_a_switch_for_batches_chooses_the_strategy(environ: dict[str, str], strategy: str) -> None:
    assert load(None, environ).config.feed.strategy == strategy


def test_the_names_that_other_pollers_have_are_taken_for_ours(tmp_path: Path) -> None:
    path = tmp_path / "tapeline.toml"
    path.write_text("[feed]\nrate_limit_rpm = 90\nuse_batch_polling = false\nbatch_size = 25\n")
    feed = load(path, {}).config.feed
    assert (feed.requests_per_minute, feed.strategy, feed.batch_size) == (90, "sequential", 25)
    assert load(None, {"TAPELINE_FEED__RATE_LIMIT_RPM": "80"}).config.feed.requests_per_minute == 80
    with pytest.raises(ConfigError, match=r"feed\.strategy \(USE_BATCH_POLLING\)"):
        load(None, {"USE_BATCH_POLLING": "perhaps"})


def test_the_names_that_other_pollers_have_are_read_without_our_prefix_in_any_case_and_ours_win() -> None:
    feed = load(None, {"rate_limit_rpm": "90", "BATCH_SIZE": "25", "Max_Concurrent_Batches": "2"}).config.feed
    assert (feed.requests_per_minute, feed.batch_size, feed.max_concurrent_batches) == (90, 25, 2)
    ours = load(None, {"batch_size": "25", "TAPELINE_FEED__BATCH_SIZE": "30", "RATE_LIMIT_RPM": "7"})
    assert (ours.config.feed.batch_size, ours.origins["feed.batch_size"]) == (30, "TAPELINE_FEED__BATCH_SIZE")
    assert ours.origins["feed.requests_per_minute"] == "RATE_LIMIT_RPM"
    with pytest.raises(ConfigError, match=r"feed\.batch_size \(batch_size\)"):
        load(None, {"batch_size": "many"})
