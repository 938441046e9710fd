"""Calibration: said equals happened, and a useless margin leaves the mean."""

from __future__ import annotations

import numpy as np
import pytest

from tapeline.ml.calibration import fit_platt, probability


def test_overconfident_margins_are_brought_to_what_happened() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(0.0, 1.0, 20_000)
    happened = (rng.random(truth.size) < 1.0 / (1.0 + np.exp(-truth))).astype(np.float64)
    slope, offset = fit_platt(4.0 * truth + 1.0, happened)
    assert slope == pytest.approx(0.25, rel=0.05)
    said = probability(4.0 * truth + 1.0, slope, offset)
    for low in (0.2, 0.4, 0.6):
        band = (said > low) & (said < low + 0.2)
        assert said[band].mean() == pytest.approx(happened[band].mean(), abs=0.02)


def test_margin_that_points_the_wrong_way_leaves_the_mean() -> None:
    happened = np.array([1.0, 1.0, 0.0, 0.0] * 10)
    slope, offset = fit_platt(-happened, happened)
    assert slope == 0.0
    assert probability(np.array([3.0]), slope, offset)[0] == pytest.approx(0.5)


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_one_outcome_only_gives_one_probability(outcome: float) -> None:
    slope, offset = fit_platt(np.arange(8.0), np.full(8, outcome))
    assert slope == 0.0
    assert 0.0 < probability(np.zeros(1), slope, offset)[0] < 1.0
