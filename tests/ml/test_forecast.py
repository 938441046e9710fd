"""Forecasts: every symbol or a reason, the past only, and the same whoever stands beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.ml.made import N_BARS, QUICK, history, models, sector_codes

from tapeline.core.config import MlConfig
from tapeline.grid import BarGrid
from tapeline.ml.forecast import Forecast, judge, make_forecast


def forecast(grid: BarGrid | None = None, config: MlConfig = QUICK, n_rows: int | None = None) -> Forecast:
    return make_forecast(grid or history().grid, sector_codes(), models(), config, n_rows=n_rows)


def test_every_symbol_with_a_history_has_an_opinion_of_every_model() -> None:
    found = forecast()
    assert set(found.values) == {"return_5", "return_10", "up_10"}
    assert not found.abstains.any()
    assert all(np.isfinite(values).all() for values in found.values.values())
    assert found.why_silent(0) == ""


def test_model_abstains_where_too_little_is_known_and_says_so() -> None:
    young = forecast(n_rows=30)
    assert young.too_little.all()
    assert all(np.isnan(values).all() for values in young.values.values())
    assert "features are known" in young.why_silent(3)


def test_model_abstains_on_what_training_never_saw_and_names_it() -> None:
    known = forecast()
    features = known.features.copy()
    features[4, :20] = 1e9
    found = judge(known.symbols, features, models(), MlConfig(max_out_of_range=19))
    assert np.flatnonzero(found.out_of_range).tolist() == [4]
    assert np.isnan(found.values["up_10"][4])
    assert found.why_silent(4).startswith("20 features lie outside what training saw: roc_1, roc_5, roc_10")


def test_row_does_not_depend_on_the_rows_beside_it() -> None:
    found = forecast()
    half = judge(found.symbols[:7], found.features[:7], models(), QUICK)
    for target, values in half.values.items():
        assert np.array_equal(values, found.values[target][:7])


def test_time_that_runs_out_leaves_models_out_and_says_which() -> None:
    answers = iter([False, True])
    found = make_forecast(history().grid, sector_codes(), models(), QUICK, out_of_time=lambda: next(answers))
    assert list(found.values) == ["return_5"]
    assert found.left_out == ("return_10", "up_10")


def test_drift_of_the_whole_universe_is_named() -> None:
    found = forecast()
    assert found.drifted() == ()
    features = found.features.copy()
    features[:, 2] = 1e6
    assert replace(found, features=features).drifted() == ("roc_10",)


def test_empty_universe_is_forecast_empty() -> None:
    bars = {name: np.empty((N_BARS, 0)) for name in ("open", "high", "low", "close", "volume")}
    grid = BarGrid.from_arrays(
        [], history().grid.event_ns, open=bars["open"], high=bars["high"], low=bars["low"], close=bars["close"],
        volume=bars["volume"],
    )  # fmt: skip
    found = make_forecast(grid, np.empty(0, np.intp), models(), QUICK)
    assert found.values["up_10"].shape == (0,)
