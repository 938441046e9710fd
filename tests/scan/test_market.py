"""The front door: models by date, screens of the person, budgets, the table; one bad symbol spoils nothing."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from tests.ml.made import FIRST, N_BARS, QUICK, history, models, trained
from tests.scan.markets import day_grid, make_bars

import tapeline
from tapeline.core.config import MlConfig, ScanConfig
from tapeline.core.errors import BadInput, ConfigError
from tapeline.grid import BarGrid
from tapeline.grid.history import About, History, day_ns, load_history
from tapeline.ml.fold_file import write_fold
from tapeline.scan.market import Scanned, run_scan, scan_market
from tapeline.scan.table import excluded_table, write_table

CONFIG = ScanConfig(min_price=1.0, min_dollar_volume=0.0, top=10)
HISTORY = history()


def run(config: ScanConfig = CONFIG, ml: MlConfig = QUICK, about: About | None = HISTORY.about) -> Scanned:
    return run_scan(HISTORY.grid, config, ml, models=models(), about=about)


def changed(**settings: object) -> ScanConfig:
    return msgspec.structs.replace(CONFIG, **settings)


def test_score_is_the_sum_of_factors_and_models() -> None:
    found = run().result
    assert found.n_scored == 40
    for candidate in found.candidates:
        names = [name for name, _ in candidate.contributions]
        assert names == [*CONFIG.weights, "return_5", "return_10", "up_10"]
        assert sum(points for _, points in candidate.contributions) == candidate.score


def test_model_that_abstains_adds_nothing_and_is_counted() -> None:
    narrow = np.where(np.arange(len(models().high)) == 4, 0.0, models().high)  # nobody in training had risen
    shy = replace(models(), high=narrow)
    ml = msgspec.structs.replace(QUICK, max_out_of_range=0)
    silent = run_scan(HISTORY.grid, CONFIG, ml, models=shy, about=HISTORY.about).result
    assert 0 < silent.n_abstained < 40
    alone = run_scan(HISTORY.grid, CONFIG, QUICK, models=None).result
    for candidate in silent.candidates:
        col = silent.symbols.index(candidate.symbol)
        if math.isnan(silent.values["up_10"][col]):
            assert [name for name, _ in candidate.contributions] == list(CONFIG.weights)
            assert candidate.score == alone.scores[col]


def test_entry_stop_and_target_stand_apart_by_the_settled_range() -> None:
    found = run(changed(stop_atr=1.5, reward_risk=3.0)).result
    assert found.price - found.stop == pytest.approx(1.5 * found.atr)
    assert found.target - found.price == pytest.approx(4.5 * found.atr)


def test_weight_of_a_model_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'tft'; the models foretell return_10, return_5, up_10"):
        run(changed(model_weights={"tft": 1.0}))


def test_sectors_kinds_age_and_conditions_are_asked_for_with_reasons() -> None:
    only = run(changed(sectors=("Odd",))).result
    assert only.n_scored == 20
    assert only.exclusions["S00"].reason == "its sector is Even, wanted is Odd"
    assert run(changed(kinds=("etf",))).result.exclusions["S00"].reason == "its kind is stock, wanted is etf"
    assert (
        "170 sessions of history, 500 are asked for" in run(changed(min_sessions=500)).result.exclusions["S00"].reason
    )
    some = run(changed(where="momentum_21 > 0")).result
    assert some.n_scored == int((some.factors["momentum_21"] > 0).sum())
    with pytest.raises(BadInput, match="nearest"):
        run(changed(where="momentum21 > 0"))


def test_sector_neutral_takes_the_sector_s_own_middle_out() -> None:
    found = run(changed(sector_neutral=True, weights={"momentum_63": 1.0}, model_weights={})).result
    odd = np.array(HISTORY.about.sectors) == "Odd"
    for members in (odd, ~odd):
        assert np.median(found.scores[members]) == pytest.approx(0.0, abs=0.2)
    everywhere = run(changed(weights={"momentum_63": 1.0}, model_weights={})).result
    assert not np.array_equal(found.scores, everywhere.scores)


def test_look_back_below_what_the_features_need_is_refused_with_both_numbers() -> None:
    with pytest.raises(ConfigError, match=r"looks back 100 sessions .* the models' features need 127"):
        run(changed(history_sessions=100))
    with pytest.raises(ConfigError, match="looks back 103 sessions"):
        run(changed(lookback_days=150))
    with pytest.raises(ConfigError, match=r"looks back 62 sessions .* momentum_63 needs 64"):
        run_scan(HISTORY.grid, changed(lookback_days=90, weights={"momentum_63": 1.0}), QUICK, models=None)


def test_budget_that_is_over_leaves_models_out_and_marks_the_scan() -> None:
    found = run(changed(time_budget_ms=1e-9)).result
    assert found.is_partial
    assert found.left_out == ("return_5", "return_10", "up_10")
    assert found.n_scored == 40
    assert not run().result.is_partial


def test_dated_models_are_used_only_by_later_days(tmp_path: Path) -> None:
    write_fold(trained()[1][0].file, tmp_path)
    ml = msgspec.structs.replace(QUICK, folder=str(tmp_path))
    until = day_ns(FIRST + dt.timedelta(days=149))
    late = run_scan(HISTORY.grid, CONFIG, ml, as_of_ns=day_ns(FIRST + dt.timedelta(days=150)))
    assert late.forecast is not None
    early = run_scan(HISTORY.grid, CONFIG, ml, as_of_ns=until)
    assert early.forecast is None
    assert "scanned by factors alone" in early.result.notes[0]
    assert early.result.n_scored == 40


def test_future_of_a_grid_changes_nothing() -> None:
    as_of_ns = day_ns(FIRST + dt.timedelta(days=179))
    bars = {name: np.array(HISTORY.grid.field(name)) for name in ("open", "high", "low", "close", "volume")}
    for column in bars.values():
        column[180:] *= 3.0
    other = BarGrid.from_arrays(
        HISTORY.grid.symbols, HISTORY.grid.event_ns, open=bars["open"], high=bars["high"], low=bars["low"],
        close=bars["close"], volume=bars["volume"],
    )  # fmt: skip
    found = [
        run_scan(grid, CONFIG, QUICK, models=models(), about=HISTORY.about, as_of_ns=as_of_ns).result.candidates
        for grid in (HISTORY.grid, other)
    ]
    assert found[0] == found[1]


def test_library_call_is_the_room_itself_and_gives_a_table() -> None:
    found = tapeline.scan(HISTORY.grid, top=5, models=models(), config=CONFIG, ml=QUICK, where="close > 1")
    assert found.candidates == scan_market(HISTORY.grid, 5, models=models(), config=CONFIG, ml=QUICK).candidates
    table = found.table
    assert found.rows() == table.to_dicts()
    assert table.height == 5
    assert table["rank"].to_list() == [1, 2, 3, 4, 5]
    assert table["score"].is_sorted(descending=True)
    points = table.select(pl.sum_horizontal(pl.col("^.*_points$"))).to_series()
    assert points.to_list() == pytest.approx(table["score"].to_list())


@pytest.mark.parametrize("ending", ["parquet", "csv", "json"])
def test_table_is_written_by_its_ending(tmp_path: Path, ending: str) -> None:
    found = run().result
    path = tmp_path / f"x.{ending}"
    write_table(found, path)
    read: Callable[[Path], pl.DataFrame] = getattr(pl, f"read_{ending}")
    assert read(path)["symbol"].to_list() == found.table["symbol"].to_list()


def test_place_or_ending_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="give the file one of these endings"):
        write_table(run().result, tmp_path / "x.xls")
    with pytest.raises(BadInput, match="cannot be written"):
        write_table(run().result, tmp_path / "none" / "x.csv")


def test_bad_symbols_are_left_out_with_reasons_and_the_rest_is_scanned() -> None:
    bars = make_bars(N_BARS, 8)
    bars["close"][:, 0] = np.inf
    bars["volume"][:, 1] = 0.0
    bars["low"][100, 2] = -1.0
    for column in bars.values():
        column[:200, 3] = np.nan
        column[-1, 4] = np.nan
    found = run_scan(day_grid(bars), CONFIG, QUICK, models=models()).result
    assert sorted(found.exclusions) == ["S00", "S01", "S02", "S03", "S04"]
    assert excluded_table(found)["kind"].to_list() == ["no_data", "no_data", "no_data", "no_data", "stale"]
    assert {c.symbol for c in found.candidates} == {"S05", "S06", "S07"}


def test_empty_universe_and_empty_history_give_empty_results() -> None:
    bars = make_bars(N_BARS, 8)
    nobody = day_grid({name: column[:, :0] for name, column in bars.items()})
    never = day_grid({name: column[:0] for name, column in bars.items()})
    assert run_scan(nobody, CONFIG, QUICK, models=models()).result.table.height == 0
    found = run_scan(never, CONFIG, QUICK).result
    assert found.n_scored == 0
    assert len(found.exclusions) == 8


def test_minutes_are_no_sessions() -> None:
    with pytest.raises(BadInput, match="daily bars"):
        scan_market(BarGrid.empty(["A"], 5, 60))


def test_sectors_of_another_universe_are_refused() -> None:
    with pytest.raises(BadInput, match="sectors are given for 3 symbols, the grid has 40"):
        run_scan(HISTORY.grid, CONFIG, QUICK, models=None, about=About.unknown(3))


@pytest.mark.parametrize("top", [-1, 0, "x", None, 2.5, True])
def test_top_that_is_no_number_of_candidates_is_one_sentence(top: Any) -> None:
    with pytest.raises(BadInput, match=r"top is .*1 or more"):
        scan_market(HISTORY.grid, top)


def test_what_is_no_grid_no_models_or_of_other_symbols_is_one_sentence() -> None:
    wrong: Any
    for wrong in (None, [1.0], "AAPL"):
        with pytest.raises(BadInput, match="reads a BarGrid or a History"):
            scan_market(wrong)
    wrong = "newest"
    with pytest.raises(BadInput, match="models is 'newest'"):
        scan_market(HISTORY.grid, models=wrong)
    with pytest.raises(BadInput, match="sectors are given for 1 symbols, the grid has 40"):
        scan_market(HISTORY.grid, models=models(), about=About.unknown(1))


def test_library_gives_the_rows_of_the_command_line_for_a_shipped_grid_and_for_a_history() -> None:
    whole = load_history(until=dt.date(2010, 5, 6))
    expected = run_scan(whole.grid, ScanConfig(), MlConfig(), about=whole.about).result
    for given in (whole, whole.grid):
        assert tapeline.scan(given, top=ScanConfig().top).rows() == expected.rows()


def test_symbols_and_bars_that_a_file_did_not_give_are_told() -> None:
    last, before = HISTORY.grid.symbols[0], HISTORY.grid.symbols[1]
    field = {name: HISTORY.grid.field(name).copy() for name in ("open", "high", "low", "close", "volume")}
    field["close"][-1, 0] = np.nan
    grid = BarGrid.from_arrays(
        HISTORY.grid.symbols,
        HISTORY.grid.event_ns,
        open=field["open"],
        high=field["high"],
        low=field["low"],
        close=field["close"],
        volume=field["volume"],
    )
    doubts = {last: "1 bar that cannot be is taken as no bar", before: "2 bars that cannot be are taken as no bar"}
    told = History(grid, HISTORY.about, "made up", {"TWICE": "it has 2 rows for 2010-01-04"}, doubts)
    found = scan_market(told, models=None, config=CONFIG)
    assert found.exclusions["TWICE"].reason == "it has 2 rows for 2010-01-04"
    assert found.exclusions[last].reason == f"no bar in the newest session ({doubts[last]})"
    assert found.notes == (f"ranked on their other bars: {before} ({doubts[before]})",)
    assert found.n_scored == 39
