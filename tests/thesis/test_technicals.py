"""Technicals: our own kernels, the last row of one column."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.thesis.markets import prices_of, walk

from tapeline.core.outcome import Kind
from tapeline.thesis.technicals import OF_PRICES, OF_VOLUME, technical_evidence


def _facts(close: np.ndarray, *, is_running: bool = False) -> dict[str, float]:
    return dict(technical_evidence(prices_of(close, is_running=is_running)).unwrap().facts)


def test_every_indicator_is_there_and_a_mean_is_a_mean() -> None:
    close = walk(250)
    facts = _facts(close)
    assert set(facts) == {*OF_PRICES, *OF_VOLUME}
    assert all(math.isfinite(value) for value in facts.values())
    assert facts["sma_20_usd"] == pytest.approx(close[-20:].mean())
    assert facts["roc_10_pct"] == pytest.approx(100 * (close[-1] / close[-11] - 1))
    assert 0 <= facts["rsi_14"] <= 100


def test_indicators_without_their_bars_are_nan() -> None:
    facts = _facts(walk(30))
    assert math.isnan(facts["sma_50_usd"])
    assert math.isfinite(facts["rsi_14"])


def test_one_bar_is_too_few_for_any() -> None:
    outcome = technical_evidence(prices_of(np.array([10.0])))
    assert outcome.kind is Kind.NO_DATA
    assert "too few" in outcome.reason


def test_what_volume_tells_comes_from_finished_sessions() -> None:
    whole, running = _facts(walk(60)[:-1]), _facts(walk(60), is_running=True)
    assert {name: running[name] for name in OF_VOLUME} == {name: whole[name] for name in OF_VOLUME}
    assert running["sma_20_usd"] != whole["sma_20_usd"]
