"""Skill: perfect scores are perfect, noise shows none, and overlap widens the interval."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tapeline.ml.skill import daily_ic, judge_chances, judge_scores, mean_interval, quantile_of

RNG = np.random.default_rng(11)
GAIN = RNG.normal(0.0, 0.02, (60, 50))


def test_knowing_the_future_is_an_ic_of_one_and_the_whole_spread() -> None:
    skill = judge_scores(GAIN, GAIN, 1)
    assert skill.ic == pytest.approx(1.0)
    assert skill.is_shown
    assert list(skill.quantiles_bps) == sorted(skill.quantiles_bps)
    assert skill.spread_bps > 500.0


def test_noise_shows_no_skill_and_turns_over_nine_tenths() -> None:
    skill = judge_scores(RNG.normal(size=GAIN.shape), GAIN, 1)
    assert not skill.is_shown
    assert skill.ic_low < 0.0 < skill.ic_high
    assert skill.turnover == pytest.approx(0.9, abs=0.1)


def test_ranks_count_and_sizes_do_not() -> None:
    assert daily_ic(GAIN**3, GAIN) == pytest.approx(np.ones(60))


def test_days_with_few_symbols_or_no_future_are_not_judged() -> None:
    gain = GAIN.copy()
    gain[0] = np.nan
    gain[1, 15:] = np.nan
    assert np.flatnonzero(np.isnan(daily_ic(GAIN, gain))).tolist() == [0, 1]
    nothing = judge_scores(np.full_like(GAIN, np.nan), GAIN, 5)
    assert nothing.days == 0
    assert not nothing.is_shown


def test_few_days_are_not_enough_to_show_skill() -> None:
    assert not judge_scores(GAIN[:30], GAIN[:30], 1).is_shown


def test_one_score_for_all_says_nothing() -> None:
    assert daily_ic(np.ones_like(GAIN), GAIN) == pytest.approx(np.zeros(60))


def test_values_that_agree_with_their_neighbours_have_a_wider_interval() -> None:
    slow = np.repeat(RNG.normal(size=12), 10)
    _, low, high = mean_interval(slow, 9)
    _, naive_low, naive_high = mean_interval(slow, 0)
    assert high - low > 2.0 * (naive_high - naive_low)


def test_chances_that_are_true_are_calibrated() -> None:
    said = RNG.uniform(0.1, 0.9, (40, 200))
    gain = np.where(RNG.random(said.shape) < said, 0.01, -0.01)
    chance = judge_chances(said, gain)
    assert chance.auc > 0.7
    assert chance.brier < chance.brier_base
    for mean, happened, cases in chance.bins:
        assert happened == pytest.approx(mean, abs=4.0 / math.sqrt(cases))


def test_outcome_that_never_varies_cannot_be_judged() -> None:
    assert math.isnan(judge_chances(np.full((3, 4), 0.5), np.ones((3, 4))).auc)


def test_tenths_are_equal_in_number() -> None:
    of = quantile_of(np.append(RNG.normal(size=100), np.nan))
    assert np.bincount(of[of >= 0]).tolist() == [10] * 10
    assert of[-1] == -1
