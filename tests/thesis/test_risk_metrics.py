"""Risk: equal to slow counts, NaN instead of a guess."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.thesis.markets import prices_of, walk

from tapeline.core.outcome import Kind
from tapeline.thesis.risk_metrics import MIN_RETURNS, risk_evidence


def _facts(close: np.ndarray, index: np.ndarray | None = None) -> dict[str, float]:
    return dict(risk_evidence(prices_of(close, index=index)).unwrap().facts)


def test_reward_and_loss_are_those_of_a_slow_count() -> None:
    close = walk(200)
    facts = _facts(close)
    returns = [b / a - 1 for a, b in itertools.pairwise(close)]
    mean = sum(returns) / len(returns)
    spread = math.sqrt(sum((r - mean) ** 2 for r in returns) / (len(returns) - 1))
    down = math.sqrt(sum(min(r, 0) ** 2 for r in returns) / len(returns))
    worst = min(close[j] / max(close[: j + 1]) - 1 for j in range(len(close)))
    tail = sorted(returns)[: math.ceil(0.05 * (len(returns) - 1))]
    assert facts["returns_count"] == 199
    assert facts["volatility_pct"] == pytest.approx(100 * spread * math.sqrt(252))
    assert facts["sharpe_ratio"] == pytest.approx(mean / spread * math.sqrt(252))
    assert facts["sortino_ratio"] == pytest.approx(mean / down * math.sqrt(252))
    assert facts["max_drawdown_pct"] == pytest.approx(100 * worst)
    assert facts["cvar_95_pct"] == pytest.approx(-100 * sum(tail) / len(tail))
    assert facts["var_99_pct"] > facts["var_95_pct"]
    assert facts["cvar_99_pct"] >= facts["var_99_pct"]


def test_an_unknown_benchmark_gives_no_beta() -> None:
    facts = _facts(walk(200))
    assert all(math.isnan(facts[name]) for name in ("beta", "alpha_pct", "index_correlation"))
    assert math.isfinite(facts["sharpe_ratio"])


def test_a_benchmark_known_on_too_few_days_gives_no_beta() -> None:
    index = np.full(200, np.nan)
    index[-MIN_RETURNS:] = 1_000.0 + np.arange(MIN_RETURNS)  # one return less than is needed
    assert math.isnan(_facts(walk(200), index)["beta"])


def test_twice_the_moves_of_the_market_is_a_beta_of_two() -> None:
    market = np.random.default_rng(3).normal(0.0, 0.01, 200)
    index = 1_000.0 * np.cumprod(1.0 + market)
    close = 50.0 * np.cumprod(1.0 + 2.0 * market + 0.001)
    facts = _facts(close, index)
    assert facts["beta"] == pytest.approx(2.0)
    assert facts["alpha_pct"] == pytest.approx(25.2)
    assert facts["index_correlation"] == pytest.approx(1.0)


def test_a_price_that_never_moves_has_no_ratios() -> None:
    facts = _facts(np.full(100, 10.0), np.full(100, 10.0))
    assert facts["volatility_pct"] == 0.0
    assert facts["max_drawdown_pct"] == 0.0
    for name in ("sharpe_ratio", "sortino_ratio", "calmar_ratio", "omega_ratio", "skew", "excess_kurtosis", "beta"):
        assert math.isnan(facts[name])


def test_too_few_returns_are_no_data() -> None:
    outcome = risk_evidence(prices_of(walk(MIN_RETURNS)))
    assert outcome.kind is Kind.NO_DATA
    assert f"{MIN_RETURNS - 1} daily returns" in outcome.reason


@given(factor=st.floats(0.01, 100.0), seed=st.integers(0, 50))
def test_risk_does_not_depend_on_the_unit_of_the_price(factor: float, seed: int) -> None:
    one, other = _facts(walk(80, seed)), _facts(walk(80, seed) * factor)
    for name, value in one.items():
        assert other[name] == pytest.approx(value, rel=1e-6, abs=1e-9, nan_ok=True)
