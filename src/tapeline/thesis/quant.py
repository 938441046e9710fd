"""Layer 1: what the numbers say, by a rule that anybody can read. No model, no text.

In: what was collected.  Out: ``Outcome[Scorecard]``: measures, flags, a prior in [0, 1] and the points that made it.
Refuses to count what is missing: it has no weight, and with less than half of the weights there is no prior at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.thesis.collect import Collected

SOURCE = "thesis.quant"
MIN_WEIGHT_FRAC = 0.5
"""Of all weights, what must be known before the rest may speak for the whole."""

MEASURES: dict[str, tuple[str, ...]] = {
    "price_history": ("change_5d_pct", "change_21d_pct", "change_126d_pct", "price_rank_pct", "volume_rank_pct"),
    "technicals": ("robust_z_20", "robust_z_50", "bbands_pctb", "rsi_14", "adx_14", "natr_14_pct"),
    "risk_metrics": (
        "volatility_pct",
        "sharpe_ratio",
        "sortino_ratio",
        "calmar_ratio",
        "omega_ratio",
        "max_drawdown_pct",
        "drawdown_pct",
        "cvar_95_pct",
        "beta",
        "alpha_pct",
    ),
    "fundamentals": ("pe_ratio", "price_to_book_ratio", "profit_margin_pct", "revenue_growth_pct"),
    "analyst_data": ("target_upside_pct",),
    "insider_activity": ("net_90d_usd",),
    "earnings_calendar": ("days_to_earnings",),
}
"""Step -> facts that the scorecard repeats; those that are unknown are left out."""

KEY_MEASURES = (
    "change_21d_pct",
    "change_126d_pct",
    "robust_z_20",
    "rsi_14",
    "drawdown_pct",
    "sharpe_ratio",
    "volatility_pct",
    "beta",
    "pe_ratio",
    "revenue_growth_pct",
    "profit_margin_pct",
    "target_upside_pct",
    "net_90d_usd",
    "days_to_earnings",
)
"""What a model reads of the scorecard, most telling first: more of it costs a small model time and tells it nothing."""


@dataclass(frozen=True, slots=True)
class Scorecard:
    """What the numbers say.

    Attributes
    ----------
    prior
        In [0, 1]; 0.5 + the sum of ``points``.
    measures
        (fact, value), known ones only.
    points
        (part, signed points of conviction), one for each part that is known.
    missing
        Parts that are not known and have no weight.
    flags
        What stands out.
    price, atr
        Dollars.
    """

    prior: float
    measures: tuple[tuple[str, float], ...]
    points: tuple[tuple[str, float], ...]
    missing: tuple[str, ...]
    flags: tuple[str, ...]
    price: float
    atr: float

    def rows(self) -> tuple[tuple[str, float], ...]:
        """Return measures and points in one table, as a dossier keeps them."""
        return (*self.measures, *((f"points_{part}", value) for part, value in self.points))

    def key_measures(self) -> tuple[tuple[str, float], ...]:
        """Return the known ones of ``KEY_MEASURES``, in that order."""
        known = dict(self.measures)
        return tuple((name, known[name]) for name in KEY_MEASURES if name in known)


@dataclass(frozen=True, slots=True)
class Part:
    """One of the things that make the prior.

    Its lean is (measure - centre) / scale, cut to [-1, 1]; ``weight`` is its share of the whole.
    """

    name: str
    weight: float
    centre: float
    scale: float
    measure: Callable[[Collected], float]


def _fact(step: str, name: str) -> Callable[[Collected], float]:
    return lambda collected: collected.fact(step, name)


def _trend_pct(collected: Collected) -> float:
    """Return how far the price lies above its mean of 50 days, in percent."""
    mean = collected.fact("technicals", "sma_50_usd")
    return 100.0 * (collected.fact("price_history", "close_usd") / mean - 1.0) if mean > 0 else math.nan


def _earnings_yield_pct(collected: Collected) -> float:
    """Return a year's earnings over the price, in percent; a loss is below zero where the source tells it."""
    price_earnings = collected.fact("fundamentals", "pe_ratio")
    if price_earnings != 0 and math.isfinite(price_earnings):
        return 100.0 / price_earnings
    price = collected.fact("price_history", "close_usd")
    return 100.0 * collected.fact("fundamentals", "eps_usd") / price if price > 0 else math.nan


PARTS = (
    Part("momentum_half_year", 0.14, 0.0, 40.0, _fact("price_history", "change_126d_pct")),
    Part("momentum_month", 0.08, 0.0, 12.0, _fact("price_history", "change_21d_pct")),
    Part("trend", 0.10, 0.0, 8.0, _trend_pct),
    Part("stretched", 0.06, 0.0, -3.0, _fact("technicals", "robust_z_20")),
    Part("drawdown", 0.06, -10.0, 15.0, _fact("risk_metrics", "drawdown_pct")),
    Part("reward_for_risk", 0.10, 0.5, 2.0, _fact("risk_metrics", "sharpe_ratio")),
    Part("alpha", 0.06, 0.0, 40.0, _fact("risk_metrics", "alpha_pct")),
    Part("earnings_yield", 0.10, 5.0, 5.0, _earnings_yield_pct),
    Part("growth", 0.10, 4.0, 20.0, _fact("fundamentals", "revenue_growth_pct")),
    Part("margin", 0.07, 8.0, 15.0, _fact("fundamentals", "profit_margin_pct")),
    Part("analysts", 0.07, 5.0, 25.0, _fact("analyst_data", "target_upside_pct")),
    Part("insiders", 0.06, 0.0, 1e6, _fact("insider_activity", "net_90d_usd")),
)
"""Weights add up to 1. Centres are what is usual of a large American company; scales are what is much."""


def score(collected: Collected) -> Outcome[Scorecard]:
    """Return the scorecard of one ticker.

    Returns
    -------
    Outcome[Scorecard]
        no_data without a price, or when the known parts have less than ``MIN_WEIGHT_FRAC`` of the weights.

    Notes
    -----
    prior = 0.5 + sum of points; points of a known part = 0.5 * weight * lean / (sum of the known weights). So the
    points cannot leave [-0.5, 0.5], and a part that is missing changes nothing but the weights of the others.
    """
    price = collected.fact("price_history", "close_usd")
    if not price > 0:
        return nothing(Kind.NO_DATA, source=SOURCE, reason="it has no price", as_of_ns=collected.as_of_ns)
    leans = {part.name: _lean(part, collected) for part in PARTS}
    known = [part for part in PARTS if not math.isnan(leans[part.name])]
    weight = math.fsum(part.weight for part in known)
    if weight < MIN_WEIGHT_FRAC:
        reason = f"only {weight:.0%} of what makes a prior is known, {MIN_WEIGHT_FRAC:.0%} are needed"
        return nothing(Kind.NO_DATA, source=SOURCE, reason=reason, as_of_ns=collected.as_of_ns)
    points = tuple((part.name, 0.5 * part.weight * leans[part.name] / weight) for part in known)
    card = Scorecard(
        prior=max(0.0, min(1.0, 0.5 + math.fsum(value for _, value in points))),
        measures=tuple(_measures(collected)),
        points=points,
        missing=tuple(part.name for part in PARTS if math.isnan(leans[part.name])),
        flags=tuple(_flags(collected)),
        price=price,
        atr=collected.fact("technicals", "atr_14_usd"),
    )
    return value_of(card, source=SOURCE, as_of_ns=collected.as_of_ns)


def _lean(part: Part, collected: Collected) -> float:
    """Return the lean of a part in [-1, 1]; NaN when its measure is not a finite number."""
    value = part.measure(collected)
    return max(-1.0, min(1.0, (value - part.centre) / part.scale)) if math.isfinite(value) else math.nan


def _measures(collected: Collected) -> Iterator[tuple[str, float]]:
    for step, names in MEASURES.items():
        for name in names:
            if math.isfinite(value := collected.fact(step, name)):
                yield name, value


def _flags(collected: Collected) -> Iterator[str]:
    """Yield what stands out. A comparison with NaN is false, so what is unknown raises no flag."""
    stretched, band = collected.fact("technicals", "robust_z_20"), collected.fact("technicals", "bbands_pctb")
    risk = {name: collected.fact("risk_metrics", name) for name in MEASURES["risk_metrics"]}
    rules = {
        "z_score_high": stretched > 2,
        "z_score_low": stretched < -2,
        "price_above_upper_band": band > 1,
        "price_below_lower_band": band < 0,
        "volume_spike_95th": collected.fact("price_history", "volume_rank_pct") > 95,
        "drawdown_exceeds_20pct": risk["max_drawdown_pct"] < -20,
        "exceptional_calmar": risk["calmar_ratio"] > 3,
        "negative_sortino": risk["sortino_ratio"] < 0,
        "insider_buying_spike": collected.fact("insider_activity", "net_90d_usd") > 500_000,
        "insider_selling_spike": collected.fact("insider_activity", "net_90d_usd") < -500_000,
    }
    yield from (flag for flag, is_raised in rules.items() if is_raised)
    days = collected.fact("earnings_calendar", "days_to_earnings")
    if 1 <= days <= 5:
        yield f"earnings_in_{int(days)}_days"
