"""What there is to ask about: the steps of a collection, grouped by whom they come from.

In: what was collected.  Out: ``Pool``s, one per source that has content, most telling first.
Refuses to offer an empty source, so an answer always rests on the source that it names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tapeline.core.types import Passage
from tapeline.thesis.collect import Collected
from tapeline.thesis.prompts import plain


@dataclass(frozen=True, slots=True)
class Source:
    """A source: the steps that feed it, and what to ask of it when nobody has a better question."""

    name: str
    steps: tuple[str, ...]
    question: str


SOURCES = (
    Source("news", ("news",), "What did the latest news change for the company?"),
    Source("transcripts", ("youtube",), "What do commentators expect of the stock, and why?"),
    Source("fundamentals", ("fundamentals", "financial_history"), "Do growth and profit margin justify the valuation?"),
    Source("technicals", ("technicals", "price_history"), "Is the price in a trend, and is it stretched?"),
    Source("insiders", ("insider_activity",), "Do insiders buy or sell?"),
    Source("analysts", ("analyst_data",), "How far is the price from what analysts expect?"),
    Source("risk", ("risk_metrics",), "What drawdown and volatility does a holder bear for the return?"),
    Source("balance", ("balance_sheet", "cashflow"), "Can the company carry its debt out of its cash flow?"),
    Source("earnings", ("earnings_calendar",), "When are the next earnings, and how did the last ones surprise?"),
)
"""In the order in which they are asked."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What one source has: facts that are known, and passages, newest first."""

    source: Source
    facts: tuple[tuple[str, float], ...]
    passages: tuple[Passage, ...]


def pools(collected: Collected) -> tuple[Pool, ...]:
    """Return the sources that have content."""
    return tuple(pool for source in SOURCES if (pool := _pool(source, collected)).facts or pool.passages)


def _pool(source: Source, collected: Collected) -> Pool:
    found = [collected.steps[step].value for step in source.steps if step in collected.steps]
    evidence = [piece for piece in found if piece is not None]
    facts = tuple((name, value) for piece in evidence for name, value in piece.facts if math.isfinite(value))
    passages = [passage for piece in evidence for passage in piece.passages if plain(passage.text, 80)]
    return Pool(source, facts, tuple(sorted(passages, key=lambda p: (-p.event_ns, p.text))))
