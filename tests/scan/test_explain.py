"""Explanations: SHAP values that add up, in words, and no opinion where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from tests.ml.made import QUICK, history, models, sector_codes

from tapeline.core.config import MlConfig
from tapeline.core.errors import BadInput
from tapeline.ml.forecast import judge, make_forecast
from tapeline.scan.explain import explain

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
