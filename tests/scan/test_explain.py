"""Explanations: SHAP values that add up, in words, and no opinion where there is none."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from tests.ml.made import QUICK, history, models, sector_codes
from tests.scan.test_market import CONFIG

from tapeline.core.config import MlConfig
from tapeline.core.errors import BadInput
from tapeline.ml.fold_file import to_models
from tapeline.ml.forecast import judge, make_forecast
from tapeline.scan.explain import explain
from tapeline.scan.market import run_scan

FORECAST = make_forecast(history().grid, sector_codes(), models(), QUICK)


def test_shares_and_base_add_up_to_what_the_model_says() -> None:
    for each in explain(FORECAST, ["S05", "S11"]):
        col = FORECAST.symbols.index(each.symbol)
        said = each.base["return_5"] + sum(share for _, share in each.shares["return_5"])
        assert said == pytest.approx(FORECAST.values["return_5"][col], abs=1e-5)


def test_words_name_features_with_their_values_in_the_order_asked() -> None:
    first, second = explain(FORECAST, ["S11", "S05"])
    assert (first.symbol, second.symbol) == ("S11", "S05")
    assert len(first.words) == 3
    assert "raised by" in " ".join(first.words) or "lowered by" in " ".join(first.words)
    assert "likely" in first.words[2]


def test_chance_is_explained_in_log_odds_of_what_it_says() -> None:
    (each,) = explain(FORECAST, ["S05"])
    log_odds = each.base["up_10"] + sum(share for _, share in each.shares["up_10"])
    assert 1.0 / (1.0 + np.exp(-log_odds)) == pytest.approx(FORECAST.values["up_10"][5], abs=1e-5)


def test_a_value_that_everybody_has_is_given_no_reasons_and_moves_no_score() -> None:
    target = msgspec.structs.replace(models().file.targets["up_10"], calibration=(0.0, 0.2))
    flat = to_models(msgspec.structs.replace(models().file, targets={**models().file.targets, "up_10": target}))
    found = run_scan(history().grid, CONFIG, QUICK, models=flat)
    assert found.forecast is not None
    assert found.result.notes == ("up_10: the same for every symbol in this fold, so no score moves",)
    assert {dict(candidate.contributions)["up_10"] for candidate in found.result.candidates} == {0.0}
    (each,) = explain(found.forecast, ["S05"])
    assert each.words[2] == "up_10 55.0% likely: the same for every symbol: no reasons"
    assert (each.shares["up_10"], each.base["up_10"]) == ((), 0.2)
    assert "raised by" in each.words[0] or "lowered by" in each.words[0]


def test_abstention_is_explained_as_one() -> None:
    features = np.full_like(FORECAST.features, np.nan)
    silent = judge(FORECAST.symbols, features, models(), MlConfig())
    (only,) = explain(silent, ["S00"])
    assert only.words == ("The models abstain on S00: only 0 of 79 features are known.",)
    assert only.shares == {}


def test_unknown_symbol_is_refused_and_nobody_is_nothing() -> None:
    with pytest.raises(BadInput, match="XX is not in the universe"):
        explain(FORECAST, ["XX"])
    assert explain(FORECAST, []) == ()
