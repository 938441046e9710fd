"""A made-up opinion of the facts in a prompt: the judgement of the simulated language model.

In: the text of a prompt.  Out: ``Fact`` items, and a score in (-1, 1) that weighs each by its name.
The rule is this simulator's own and no part of Tapeline shares it; it knows nothing of markets but a few good and bad
words. Refuses to follow instructions: only lines that state a number are looked at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tapeline.sim.faults import draw

MAX_FACTS = 400
_GOOD = (
    "growth margin return momentum sharpe sortino upside profit income buy buys bought beat bullish rising gain gains "
    "surprise roe roa cash omega calmar strong up insider net kelly"
)
_BAD = (
    "drawdown debt vol volatility var cvar loss losses risk short sell sells sold miss bearish falling decline skew "
    "liabilities leverage down weak beta ulcer"
)
GOOD, BAD = frozenset(_GOOD.split()), frozenset(_BAD.split())
"""Words of a name that lean one way; a name without any leans by its hash, and little."""

_FACT = re.compile(
    r"(?<![\w.])([A-Za-z][A-Za-z0-9_/%.-]{1,60}(?: [A-Za-z(%][A-Za-z0-9_/%()-]{0,23}){0,4}?)\"?\s{0,3}[:=]\s{0,3}"
    r"\$?([-+]?\d{1,15}(?:,\d{3})*(?:\.\d{1,12})?(?:[eE][-+]?\d{1,3})?)(?![\d:/-]|[.,]\d)"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One number of a prompt under its name; ``weight`` in [-1.5, 1.5] follows from the name alone."""

    name: str
    value: float
    weight: float

    @property
    def points(self) -> float:
        """What it adds to the score: the value squeezed, so that no single one decides."""
        return self.weight * math.tanh(math.asinh(self.value) / 4.0)


def facts_of(text: str) -> tuple[Fact, ...]:
    """Return the ``name: number`` and ``name = number`` statements of a text in their order, at most ``MAX_FACTS``."""
    found = []
    for match in _FACT.finditer(text):
        name, number = match[1].strip(), float(match[2].replace(",", ""))
        if math.isfinite(number):
            found.append(Fact(name, number, _weight(name)))
        if len(found) == MAX_FACTS:
            break
    return tuple(found)


def score_of(facts: Sequence[Fact]) -> float:
    """Return the opinion in (-1, 1); 0 without facts."""
    if not facts:
        return 0.0
    return math.tanh(1.5 * sum(fact.points for fact in facts) / math.sqrt(len(facts)))


def strongest(facts: Sequence[Fact], sign: int) -> list[Fact]:
    """Return the facts that speak for one side, the loudest first."""
    speaking = [fact for fact in facts if fact.points * sign > 0]
    return sorted(speaking, key=lambda fact: (-abs(fact.points), fact.name))


def _weight(name: str) -> float:
    words = set(re.split(r"[^a-z]+", name.lower()))
    leaning = len(words & GOOD) - len(words & BAD)
    size = 0.5 + draw("weight", name.lower())
    if leaning == 0:
        return (size - 1.0) / 2.0
    return size if leaning > 0 else -size
