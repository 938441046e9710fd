"""A ticker of which everything is known, and a language model that says what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S, Evidence, Label, Passage
from tapeline.feed.llm import estimate_tokens
from tapeline.thesis.collect import STEPS, Collected

T = TypeVar("T", bound=msgspec.Struct)

NOW_NS = 1_273_156_200 * NS_PER_S

FACTS: dict[str, dict[str, float]] = {
    "price_history": {
        "bars_count": 170.0,
        "close_usd": 36.0,
        "change_5d_pct": 3.0,
        "change_21d_pct": 6.0,
        "change_126d_pct": 20.0,
        "price_rank_pct": 97.0,
        "volume_rank_pct": 60.0,
    },
    "technicals": {"rsi_14": 61.0, "atr_14_usd": 0.8, "sma_50_usd": 34.0, "robust_z_20": 1.2, "bbands_pctb": 0.8},
    "risk_metrics": {
        "volatility_pct": 28.0,
        "sharpe_ratio": 1.5,
        "sortino_ratio": 2.5,
        "calmar_ratio": 2.0,
        "max_drawdown_pct": -12.0,
        "drawdown_pct": -4.0,
        "alpha_pct": 10.0,
        "beta": 1.2,
    },
    "fundamentals": {"pe_ratio": 20.0, "revenue_growth_pct": 14.0, "profit_margin_pct": 23.0},
    "financial_history": {"revenue_usd": 5e10},
    "balance_sheet": {"total_debt_usd": 1e9},
    "cashflow": {"free_cashflow_usd": 4e9},
    "analyst_data": {"target_upside_pct": 10.0},
    "insider_activity": {"net_90d_usd": -250_000.0},
    "earnings_calendar": {"days_to_earnings": 30.0},
}

TEXTS: dict[str, tuple[str, ...]] = {
    "news": ("Sales surge past every expectation", "A supplier warns of delays", "The board approves a dividend"),
    "youtube": ("The chart of this stock looks strong, but the valuation is stretched.",),
}


def collected(
    facts: Mapping[str, Mapping[str, float]] = FACTS,
    texts: Mapping[str, tuple[str, ...]] = TEXTS,
    *,
    broken: Mapping[str, str] | None = None,
    label: Label = Label.SIMULATED,
) -> Collected:
    """Return a collection; a step without facts and texts has nothing, one in ``broken`` failed with that reason."""
    steps: dict[str, Outcome[Evidence]] = {}
    for step in STEPS:
        if reason := (broken or {}).get(step):
            steps[step] = nothing(Kind.ERROR, source=step, reason=reason)
        elif not facts.get(step) and not texts.get(step):
            steps[step] = nothing(Kind.NO_DATA, source=step, reason="nothing there")
        else:
            steps[step] = value_of(_evidence(step, facts.get(step, {}), texts.get(step, ()), label), source=step)
    return Collected("ACME", NOW_NS, steps)


def _evidence(step: str, facts: Mapping[str, float], texts: tuple[str, ...], label: Label) -> Evidence:
    passages = tuple(
        Passage(step, NOW_NS - i * 60 * NS_PER_S, text, "https://example.com", label) for i, text in enumerate(texts)
    )
    return Evidence(step, "ACME", step, NOW_NS, label, tuple(facts.items()), passages)


def changed(step: str, **facts: float) -> dict[str, dict[str, float]]:
    """Return ``FACTS`` with other values in one step."""
    return {**FACTS, step: {**FACTS.get(step, {}), **facts}}


def fill(schema: type[T], *, stance_pct: int = 0, words: str = "It is so.") -> T:
    """Return an answer in any of the shapes that are asked for."""
    values: dict[str, Any] = {}
    for spec in msgspec.structs.fields(schema):
        values[spec.name] = {"stance_pct": stance_pct, "cited": (), "catalysts": (words,)}.get(spec.name, words)
    return msgspec.convert(values, schema)


@dataclass
class FakeModel:
    """Answers at once; ``says`` makes the answer, an exception in its place is a bug of the test."""

    says: Callable[[str, type[Any]], Outcome[Any]] | None = None
    stance_pct: int = 0
    max_context_tokens: int = 600
    max_answer_tokens: int = 160
    name: str = "fake"
    prompts: list[tuple[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def ask(self, system: str, user: str, schema: type[T], *, max_tokens: int | None = None) -> Outcome[T]:
        assert estimate_tokens(system) + estimate_tokens(user) <= self.max_context_tokens
        assert max_tokens is not None
        assert max_tokens <= 2 * self.max_answer_tokens
        self.prompts.append((system, user))
        self.asked.append(schema.__name__)
        if self.says is not None:
            return self.says(user, schema)
        return value_of(fill(schema, stance_pct=self.stance_pct), source=self.name)


def failing(*shapes: str, stance_pct: int = 0) -> FakeModel:
    """Return a model that fails whenever it is asked for one of ``shapes``; for any shape when there are none."""

    def says(_user: str, schema: type[Any]) -> Outcome[Any]:
        if not shapes or schema.__name__ in shapes:
            return nothing(Kind.ERROR, source="fake", reason="the model is dead")
        return value_of(fill(schema, stance_pct=stance_pct), source="fake")

    return FakeModel(says)
