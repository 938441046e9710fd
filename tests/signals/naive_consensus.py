"""The slow, obvious twin of ``tapeline.signals.consensus``: exact fractions, one group after the other."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tapeline.core.config import SignalsConfig
from tapeline.core.outcome import Outcome
from tapeline.core.types import Vote

TILT = {
    ("BULL", 1): 1,
    ("BULL", -1): -1,
    ("BEAR", 1): -1,
    ("BEAR", -1): 1,
    ("CHOP", 1): -1,
    ("CHOP", -1): -1,
    ("CRISIS", 1): -3,
    ("CRISIS", -1): 0,
}


def naive_consensus(
    votes: Sequence[Outcome[Vote]], regime: str | None, config: SignalsConfig, as_of_ns: int
) -> tuple[int, float] | None:
    """Return (sign, strength), or None when there is no signal."""
    spoken = [o.value for o in votes if o.value is not None and as_of_ns - o.value.as_of_ns <= config.ttl_s * 10**9]
    sides: dict[str, Fraction] = {}
    confidences: dict[str, Fraction] = {}
    for group in {vote.group for vote in spoken}:
        members = [(Fraction(v.side), Fraction(v.confidence)) for v in spoken if v.group == group]
        heft = sum((c for _, c in members), Fraction(0))
        sides[group] = sum((s * c for s, c in members), Fraction(0)) / heft
        confidences[group] = sum((c * c for _, c in members), Fraction(0)) / heft
    if len(sides) < config.quorum_groups:
        return None
    weights = {group: Fraction(config.weights[group]) for group in sides}
    total = sum((weights[g] * sides[g] * confidences[g] for g in sides), Fraction(0)) / sum(weights.values())
    sign = (total > 0) - (total < 0)
    if sum(1 for g in sides if sides[g] * confidences[g] * sign >= Fraction(0.1)) < config.quorum_groups:
        return None
    steps = TILT[regime, sign] if regime is not None else 0
    strength = min(Fraction(1), abs(total) * (1 + steps * Fraction(config.regime_tilt_frac)))
    return (sign, float(strength)) if strength >= Fraction(config.min_strength) else None
