"""Step 10: what holding the symbol has been like, and how it moves with the market.

In: ``PriceHistory`` with the index's closes beside it.  Out: facts from daily simple returns.
Refuses to call an unknown benchmark a beta of 1: what the index does not tell is NaN. Cash is taken to earn nothing.
"""

from __future__ import annotations

import math

import numpy as np

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import F64, Evidence
from tapeline.thesis.prices import SOURCE, YEAR_BARS, PriceHistory

STEP = "risk_metrics"
MIN_RETURNS = 60
"""Fewer daily returns than this, about a quarter, say nothing about risk."""
_NOTHING = 1e-12
"""What is smaller is rounding, not movement: a price that never changed has no volatility to divide by."""


def risk_evidence(prices: PriceHistory) -> Outcome[Evidence]:
    """Return step 10 from at least ``MIN_RETURNS`` daily returns.

    Facts: ``returns_count``; a year's ``volatility_pct``, ``sharpe_ratio``, ``sortino_ratio``, ``calmar_ratio``,
    ``omega_ratio``; ``max_drawdown_pct`` and ``drawdown_pct`` (0 or below); losses of a day ``var_95_pct``,
    ``cvar_95_pct``, ``var_99_pct``, ``cvar_99_pct`` (historical; a loss is positive); ``skew``, ``excess_kurtosis``;
    against the index ``beta``, ``alpha_pct`` a year, ``index_correlation``. NaN where a ratio has no denominator.
    """
    returns = _returns(prices.close)
    if len(returns) < MIN_RETURNS:
        reason = f"{len(returns)} daily returns, {MIN_RETURNS} are needed"
        return nothing(Kind.NO_DATA, source=SOURCE, reason=reason, as_of_ns=prices.as_of_ns)
    facts = (
        ("returns_count", float(len(returns))),
        *_reward(returns, prices.close),
        *_losses(returns),
        *_shape(returns),
        *_market(returns, _returns(prices.index_close)),
    )
    evidence = Evidence(STEP, prices.symbol, SOURCE, prices.as_of_ns, prices.label, facts)
    return value_of(evidence, source=SOURCE, as_of_ns=prices.as_of_ns)


def _returns(close: F64) -> F64:
    """Return simple returns from bar to bar, (n - 1,)."""
    change: F64 = close[1:] / close[:-1] - 1.0
    return change


def _reward(returns: F64, close: F64) -> list[tuple[str, float]]:
    """Return what a year paid, by what it cost in nerves."""
    mean, spread = float(returns.mean()), float(returns.std(ddof=1))
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    drawdowns = close / np.maximum.accumulate(close) - 1.0
    worst = float(drawdowns.min())
    growth = float((close[-1] / close[0]) ** (YEAR_BARS / len(returns)) - 1.0)
    gains, losses = float(returns[returns > 0].sum()), float(-returns[returns < 0].sum())
    year = math.sqrt(YEAR_BARS)
    return [
        ("volatility_pct", 100.0 * spread * year),
        ("sharpe_ratio", _ratio(mean, spread) * year),
        ("sortino_ratio", _ratio(mean, downside) * year),
        ("calmar_ratio", _ratio(growth, -worst)),
        ("omega_ratio", _ratio(gains, losses)),
        ("max_drawdown_pct", 100.0 * worst),
        ("drawdown_pct", 100.0 * float(drawdowns[-1])),
    ]


def _losses(returns: F64) -> list[tuple[str, float]]:
    """Return the day's loss that 5 % and 1 % of the days exceeded, and the mean loss of those days."""
    facts = []
    for level in (95, 99):
        edge = float(np.quantile(returns, 1.0 - level / 100.0))
        facts += [
            (f"var_{level}_pct", -100.0 * edge),
            (f"cvar_{level}_pct", -100.0 * float(returns[returns <= edge].mean())),
        ]
    return facts


def _shape(returns: F64) -> list[tuple[str, float]]:
    spread = float(returns.std())
    away = (returns - returns.mean()) / spread if spread > _NOTHING else np.full(len(returns), np.nan)
    return [("skew", float(np.mean(away**3))), ("excess_kurtosis", float(np.mean(away**4)) - 3.0)]


def _market(returns: F64, index: F64) -> list[tuple[str, float]]:
    """Return beta, a year's alpha and the correlation over the days of which both are known."""
    both = np.isfinite(index)
    if both.sum() < MIN_RETURNS:
        return [("beta", math.nan), ("alpha_pct", math.nan), ("index_correlation", math.nan)]
    own, market = returns[both], index[both]
    covariance = float(np.mean((own - own.mean()) * (market - market.mean())))
    beta = _ratio(covariance, float(market.var()))
    alpha = float(own.mean()) - beta * float(market.mean())
    return [
        ("beta", beta),
        ("alpha_pct", 100.0 * YEAR_BARS * alpha),
        ("index_correlation", _ratio(covariance, float(own.std() * market.std()))),
    ]


def _ratio(top: float, bottom: float) -> float:
    """Return top / bottom; NaN where the denominator is nothing but rounding."""
    return top / bottom if abs(bottom) > _NOTHING else math.nan
