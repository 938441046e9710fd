"""``scan``: the best of the shipped market, what changed, where the time went, and one sentence for what fails."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from tests.cli.shell import Shell

from tapeline.data import DAILY, UNIVERSE, shipped

DAY = ("scan", "--as-of", "2010-05-06")


def test_the_best_are_shown_with_reasons_for_those_left_out(shell: Shell) -> None:
    answer = shell(*DAY, "--top", "5", "--profile", "--explain", "1")
    assert answer.code == 0
    assert "2010-05-06" in answer.out
    assert "no bar in the newest session" in answer.out
    assert "return_5 rank" in answer.out
    assert " ms  features and models" in answer.out


def test_json_has_rows_and_the_models_of_before_that_day(shell: Shell, tmp_path: Path) -> None:
    answer = shell(*DAY, "--top", "3", "--json", "--out", str(tmp_path / "x.parquet"))
    told = json.loads(answer.out)
    assert [row["rank"] for row in told["rows"]] == [1, 2, 3]
    assert told["symbols"] == 524
    assert "up_10" in told["rows"][0]
    assert pl.read_parquet(tmp_path / "x.parquet")["symbol"].to_list() == [row["symbol"] for row in told["rows"]]


def test_going_on_from_the_session_before_gives_the_same_rows(shell: Shell) -> None:
    whole, by_step = (json.loads(shell(*DAY, "--top", "5", "--json", *more).out) for more in ((), ("--incremental",)))
    assert by_step["rows"] == whole["rows"]
    assert "step" in by_step["phases_ms"]


def test_lazy_scan_says_how_many_were_asked(shell: Shell) -> None:
    told = json.loads(shell(*DAY, "--top", "5", "--json", "--lazy").out)
    assert "a cheap stage kept" in told["notes"][-1]


def test_condition_narrows_and_a_kept_scan_is_compared(shell: Shell) -> None:
    first = json.loads(shell(*DAY, "--top", "5", "--json", "--save", "mine").out)
    assert first["changed"] is None
    second = json.loads(shell(*DAY, "--top", "5", "--json", "--save", "mine", "--where", "rsi_14 < 30").out)
    assert second["scored"] < first["scored"]
    assert {row["symbol"] for row in second["rows"]}.issuperset(second["changed"]["new"])


def test_day_before_the_oldest_model_is_scanned_by_factors_alone(shell: Shell) -> None:
    whole, by_step = (
        json.loads(shell("scan", "--as-of", "2010-01-15", "--top", "2", "--json", *more).out)
        for more in ((), ("--incremental",))
    )
    assert "scanned by factors alone" in whole["notes"][0]
    assert (by_step["notes"], by_step["rows"]) == (whole["notes"], whole["rows"])


def test_what_cannot_work_is_one_sentence(shell: Shell, tmp_path: Path) -> None:
    assert "nearest" in shell.refuses(*DAY, "--json", "--where", "rsi14 < 3").splitlines()[-1]
    assert "choose local or ray" in shell.refuses(*DAY, "--json", "--engine", "spark")
    assert "features need 127" in shell.refuses(*DAY, "--json", "--lookback-days", "90")
    assert "no universe file" in shell.refuses("scan", "--json", "--universe", str(tmp_path / "none.parquet"))
    assert "names no column" in shell.refuses(*DAY, "--json", "--where", "1 > 2")
    assert "no session" in shell.refuses("scan", "--json", "--as-of", "1999-01-01")
    assert "CUDA" in shell.refuses(*DAY, "--json", "--device", "cuda")
    assert "choose cpu or cuda" in shell.refuses(*DAY, "--json", "--device", "tpu")
    assert "choose one" in shell.refuses(*DAY, "--json", "--lazy", "--incremental")
    assert "no Ray cluster answers" in shell.refuses(*DAY, "--json", "--engine", "ray", "--address", "127.0.0.1:1")


def test_one_bad_row_leaves_its_symbol_out_and_the_rest_is_ranked(shell: Shell, tmp_path: Path) -> None:
    days = pl.read_parquet(shipped(DAILY)).filter(pl.col("session") < pl.date(2010, 5, 7))
    about = pl.read_parquet(shipped(UNIVERSE)).select("symbol", "name", "sector", "industry")
    rows = days.with_columns(pl.col("symbol").cast(pl.String), pl.col("session").cast(pl.String)).join(
        about.with_columns(pl.col("symbol").cast(pl.String)), on="symbol"
    )
    last = pl.col("session") == "2010-05-06"
    inf = pl.when((pl.col("symbol") == "MSFT") & last).then(float("inf")).otherwise(pl.col("close")).alias("close")
    twice = rows.filter((pl.col("symbol") == "AAPL") & last)
    pl.concat([rows.with_columns(inf), twice]).write_parquet(tmp_path / "u.parquet")
    answer = shell("scan", "--universe", str(tmp_path / "u.parquet"), "--json")
    told = json.loads(answer.out)
    assert told["symbols"] == rows["symbol"].n_unique()
    assert len(told["rows"]) == 20
    shown = shell("scan", "--universe", str(tmp_path / "u.parquet"), "--top", "2").out
    assert told["excluded"] == told["symbols"] - told["scored"]
    assert "AAPL: it has 2 rows for 2010-05-06" in shown


def test_strategy_of_the_own_file_is_used_and_the_command_line_has_the_last_word(shell: Shell, tmp_path: Path) -> None:
    mine, config = tmp_path / "mine.py", tmp_path / "tapeline.toml"
    mine.write_text('STRATEGIES = {"dip": {"where": "rsi_14 < 35", "top": 4}}')
    config.write_text(f'[scan]\nplugins = "{mine}"\nstrategy = "dip"\n')
    whole, by_strategy, fewer = (
        json.loads(shell(*DAY, "--json", *more).out)
        for more in ((), ("--config", str(config)), ("--config", str(config), "--top", "2"))
    )
    assert by_strategy["scored"] < whole["scored"]
    assert (len(by_strategy["rows"]), len(fewer["rows"])) == (4, 2)
    assert fewer["rows"] == by_strategy["rows"][:2]


@pytest.mark.process
def test_second_stage_asks_the_simulator_where_there_is_no_key_and_says_what_is_missing(
    shell: Shell, tmp_path: Path
) -> None:
    config, out = tmp_path / "tapeline.toml", tmp_path / "x.csv"
    config.write_text("[scan]\noptions_max_symbols = 2\nfundamentals_max_symbols = 1\n[replay]\nsymbols = 100\n")
    more = ("--lazy", "--options", "--fundamentals", "--json", "--config", str(config), "--out", str(out))
    told = json.loads(shell(*DAY, "--top", "3", "--where", "dollar_volume_20 > 1e9", *more).out)
    first, second, third = told["rows"]
    for row in (first, second):
        assert 30 <= row["option_days_to_expiry"] <= 60
        assert 0.35 <= row["option_delta"] <= 0.65
        assert (row["option_iv_percentile"], row["option_open_interest"] > 200) == (None, True)
        assert "IV percentile unknown: 0 days of it are remembered" in row["option_note"]
        assert "simulated quotes" in row["option_note"]
    assert (third["option"], third["option_note"]) == (None, "not among those looked at")
    assert first["market_cap_usd"] > 1e6
    assert (second["pe_ratio"], second["company_note"]) == (None, "not among those looked at")
    assert told["missing"] == {}
    assert pl.read_csv(out)["option"].to_list() == [row["option"] for row in told["rows"]]
    assert "options, companies" in told["phases_ms"]


def test_what_a_vendor_tells_today_is_not_put_beside_a_scan_of_another_day(shell: Shell) -> None:
    shell.patch.setenv("APCA_API_KEY_ID", "id")
    shell.patch.setenv("APCA_API_SECRET_KEY", "secret")
    answer = shell(*DAY, "--top", "2", "--options", "--fundamentals")
    assert answer.code == 0
    assert answer.out.count("and the scan is of 2010-05-06") >= 5  # two of each, and their number
    assert "4 without an answer: the vendor tells what is so on" in answer.out
