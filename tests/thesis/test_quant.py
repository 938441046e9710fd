"""The scorecard: each part against a plain computation, flags, what is missing, bounds."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.thesis.dossiers import FACTS, changed, collected

from tapeline.core.outcome import Kind
from tapeline.thesis.quant import MEASURES, MIN_WEIGHT_FRAC, PARTS, Scorecard, score


def card_of(facts: dict[str, dict[str, float]] = FACTS) -> Scorecard:
    return score(collected(facts)).unwrap()


def test_the_parts_of_a_prior_weigh_one_together() -> None:
    assert math.fsum(part.weight for part in PARTS) == pytest.approx(1.0)


def test_each_part_has_the_points_of_a_plain_computation() -> None:
    leans = {
        "momentum_half_year": 20.0 / 40.0,
        "momentum_month": 6.0 / 12.0,
        "trend": (100.0 * (36.0 / 34.0 - 1.0)) / 8.0,
        "stretched": -1.2 / 3.0,
        "drawdown": (-4.0 + 10.0) / 15.0,
        "reward_for_risk": (1.5 - 0.5) / 2.0,
        "alpha": 10.0 / 40.0,
        "earnings_yield": (100.0 / 20.0 - 5.0) / 5.0,
        "growth": (14.0 - 4.0) / 20.0,
        "margin": (23.0 - 8.0) / 15.0,
        "analysts": (10.0 - 5.0) / 25.0,
        "insiders": -0.25,
    }
    weights = {part.name: part.weight for part in PARTS}
    card = card_of()
    assert dict(card.points) == pytest.approx({name: 0.5 * weights[name] * lean for name, lean in leans.items()})
    assert card.prior == pytest.approx(0.5 + sum(0.5 * weights[name] * lean for name, lean in leans.items()))


def test_a_measure_beyond_its_scale_counts_no_more_than_at_it() -> None:
    points = dict(card_of(changed("price_history", change_126d_pct=4_000.0)).points)
    assert points["momentum_half_year"] == pytest.approx(0.5 * 0.14)


def test_a_loss_makes_a_negative_earnings_yield_by_either_figure() -> None:
    by_ratio = dict(card_of(changed("fundamentals", pe_ratio=-20.0)).points)["earnings_yield"]
    by_share = dict(card_of(changed("fundamentals", pe_ratio=math.nan, eps_usd=-1.8)).points)["earnings_yield"]
    assert by_ratio == pytest.approx(by_share)
    assert by_ratio < 0


def test_a_missing_part_has_no_weight_and_is_named() -> None:
    whole, card = card_of(), card_of(changed("analyst_data", target_upside_pct=math.nan))
    assert card.missing == ("analysts",)
    assert "analysts" not in dict(card.points)
    others = {name: value / (1.0 - 0.07) for name, value in whole.points if name != "analysts"}
    assert dict(card.points) == pytest.approx(others)


def test_too_little_known_makes_no_prior() -> None:
    outcome = score(collected({step: FACTS[step] for step in ("price_history", "technicals")}))
    assert outcome.kind is Kind.NO_DATA
    assert f"{MIN_WEIGHT_FRAC:.0%} are needed" in outcome.reason


@pytest.mark.parametrize("close", [math.nan, 0.0, -1.0])
def test_without_a_price_there_is_no_scorecard(close: float) -> None:
    assert score(collected(changed("price_history", close_usd=close))).kind is Kind.NO_DATA


def test_the_table_holds_known_measures_and_the_points_that_add_up_to_the_prior() -> None:
    card = card_of(changed("risk_metrics", beta=math.nan))
    rows = dict(card.rows())
    assert rows["rsi_14"] == 61.0
    assert "beta" not in rows
    assert 0.5 + sum(v for name, v in rows.items() if name.startswith("points_")) == pytest.approx(card.prior)


@pytest.mark.parametrize(
    ("flag", "step", "facts"),
    [
        ("z_score_high", "technicals", {"robust_z_20": 2.1}),
        ("z_score_low", "technicals", {"robust_z_20": -2.1}),
        ("price_above_upper_band", "technicals", {"bbands_pctb": 1.01}),
        ("price_below_lower_band", "technicals", {"bbands_pctb": -0.01}),
        ("volume_spike_95th", "price_history", {"volume_rank_pct": 95.5}),
        ("drawdown_exceeds_20pct", "risk_metrics", {"max_drawdown_pct": -20.5}),
        ("exceptional_calmar", "risk_metrics", {"calmar_ratio": 3.1}),
        ("negative_sortino", "risk_metrics", {"sortino_ratio": -0.1}),
        ("insider_buying_spike", "insider_activity", {"net_90d_usd": 500_001.0}),
        ("insider_selling_spike", "insider_activity", {"net_90d_usd": -500_001.0}),
        ("earnings_in_1_days", "earnings_calendar", {"days_to_earnings": 1.0}),
        ("earnings_in_5_days", "earnings_calendar", {"days_to_earnings": 5.0}),
    ],
)
def test_a_flag_is_raised_by_its_own_fact_alone(flag: str, step: str, facts: dict[str, float]) -> None:
    assert card_of().flags == ()
    assert card_of(changed(step, **facts)).flags == (flag,)


def test_unknown_facts_raise_no_flag() -> None:
    unknown = {name: math.nan for name in MEASURES["risk_metrics"]}
    assert card_of({**FACTS, "risk_metrics": unknown}).flags == ()


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(st.data())
def test_whatever_the_facts_the_prior_is_bounded_and_explained(data: Any) -> None:
    facts = {step: {name: data.draw(NUMBERS) for name in names} for step, names in FACTS.items()}
    outcome = score(collected(facts))
    if outcome.value is None:
        assert outcome.kind is Kind.NO_DATA
        return
    card = outcome.value
    assert 0.0 <= card.prior <= 1.0
    assert card.prior == pytest.approx(0.5 + math.fsum(value for _, value in card.points))
    assert all(math.isfinite(value) for _, value in card.rows())
    assert {name for name, _ in card.points} | set(card.missing) == {part.name for part in PARTS}
