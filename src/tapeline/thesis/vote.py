"""A dossier as one voice among others: the only source of the group "thesis".

In: a dossier.  Out: ``Outcome[Vote]``. Pure.
Refuses to call "hold" a neutral opinion: within the hold band a dossier abstains.
"""

from __future__ import annotations

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import Dossier, Vote

GROUP = "thesis"
SOURCE = "thesis.dossier"

MAX_CONFIDENCE = 0.9
"""However much was collected, a dossier is one reading of it."""
MIN_CONFIDENCE = 0.3
COST_OF_A_GAP = 0.1
"""Confidence lost for each thing that was missing."""


def dossier_vote(dossier: Dossier, as_of_ns: int) -> Outcome[Vote]:
    """Return the vote of a dossier in a decision as of ``as_of_ns``, which is not before the dossier.

    A dossier rests on days and quarters, so what it says holds for its session: the vote is given anew in every
    decision, and does not grow old as a headline does.

    Returns
    -------
    Outcome[Vote]
        ``side`` is the conviction's distance from 0.5 in [-1, 1]; ``confidence`` is 0.9 less 0.1 for each degradation,
        at least 0.3. Abstained when the dossier says hold.
    """
    if dossier.action == "hold":
        reason = f"a conviction of {dossier.conviction:.2f} is within the hold band"
        return nothing(Kind.ABSTAINED, source=SOURCE, reason=reason, as_of_ns=as_of_ns)
    side = max(-1.0, min(1.0, 2.0 * (dossier.conviction - 0.5)))
    confidence = max(MIN_CONFIDENCE, MAX_CONFIDENCE - COST_OF_A_GAP * len(dossier.degraded))
    reason = f"{dossier.action} at a conviction of {dossier.conviction:.2f}: {dossier.summary}"[:200]
    vote = Vote(SOURCE, GROUP, side, confidence, as_of_ns, reason)
    return value_of(vote, source=SOURCE, as_of_ns=as_of_ns)
