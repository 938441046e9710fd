"""What the headlines say of a symbol, by a rule that anybody can read: the one source of the group "news".

In: the outcome of asking for headlines.  Out: ``Outcome[Vote]``. Pure, but for ``NewsSource``, which does the asking.
Refuses to call silence neutral: no headline, only old ones, or none that leans are three different reasons for no vote.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S, Headline, Vote
from tapeline.signals.lexicon import lean, normalise, without_name

GROUP = "news"
SOURCE = "news.headlines"

MIN_SIDE = 0.15
"""Leans that cancel to less than this are a mixed press, not an opinion."""
MAX_CONFIDENCE = 0.9
"""However many headlines repeat it, a rule about words stays a rule about words."""


@dataclass(frozen=True, slots=True)
class NewsRule:
    """How headlines age.

    Attributes
    ----------
    max_age_s
        Older headlines are stale.
    half_life_s
        A headline this old counts half.
    """

    max_age_s: float
    half_life_s: float


def news_vote(headlines: Outcome[tuple[Headline, ...]], as_of_ns: int, rule: NewsRule) -> Outcome[Vote]:
    """Return the vote of one symbol's headlines.

    Parameters
    ----------
    headlines
        Of one symbol, in any order, or why there are none. That reason is kept.
    as_of_ns
        Later headlines are not read.

    Returns
    -------
    Outcome[Vote]
        A value; ``no_data`` without headlines; ``stale`` when all are older than the rule allows; ``abstained`` when
        none leans or they cancel.

    Notes
    -----
    Titles that are equal but for case, punctuation and publisher count once, as of the first of them: an agency's text
    printed five times is one opinion. With weights w = 2 ** (-age / half_life) over the leaning ones,
    side = sum(w * lean) / sum(w), and confidence = sum(w) / (sum(w) + 1), at most 0.9: one fresh headline gives 0.5.
    """
    if headlines.value is None:
        return nothing(headlines.kind, source=SOURCE, reason=headlines.reason, as_of_ns=headlines.as_of_ns)
    past = [h for h in headlines.value if h.event_ns <= as_of_ns]
    if not past:
        return nothing(Kind.NO_DATA, source=SOURCE, reason="no headlines", as_of_ns=as_of_ns)
    fresh = [h for h in past if as_of_ns - h.event_ns <= rule.max_age_s * NS_PER_S]
    if not fresh:
        age_h = (as_of_ns - max(h.event_ns for h in past)) / NS_PER_S / 3600
        reason = f"the newest headline is {age_h:.0f} h old, {rule.max_age_s / 3600:g} h are allowed"
        return nothing(Kind.STALE, source=SOURCE, reason=reason, as_of_ns=as_of_ns)
    return _weigh(_leans(fresh, as_of_ns, rule.half_life_s), len(fresh), as_of_ns)


def _leans(headlines: Iterable[Headline], as_of_ns: int, half_life_s: float) -> list[tuple[float, float]]:
    """Return (weight, lean) of each distinct title that leans, by title, so that order does not matter."""
    first: dict[str, int] = {}
    for headline in headlines:
        words = normalise(without_name(headline.title, headline.symbol), headline.publisher)
        first[words] = min(headline.event_ns, first.get(words, headline.event_ns))
    leans: list[tuple[float, float]] = []
    for words in sorted(first):
        leaning = lean(words)
        if leaning is not None:
            age_s = (as_of_ns - first[words]) / NS_PER_S
            leans.append((2.0 ** (-age_s / half_life_s), leaning))
    return leans


def _weigh(leans: list[tuple[float, float]], n_fresh: int, as_of_ns: int) -> Outcome[Vote]:
    heft = math.fsum(weight for weight, _ in leans)
    if heft == 0.0:
        reason = f"none of {n_fresh} headlines leans either way"
        return nothing(Kind.ABSTAINED, source=SOURCE, reason=reason, as_of_ns=as_of_ns)
    side = math.fsum(weight * leaning for weight, leaning in leans) / heft
    said = f"{len(leans)} of {n_fresh} headlines lean {side:+.2f} together"
    if abs(side) < MIN_SIDE:
        return nothing(Kind.ABSTAINED, source=SOURCE, reason=f"a mixed press: {said}", as_of_ns=as_of_ns)
    confidence = min(MAX_CONFIDENCE, heft / (heft + 1.0))
    vote = Vote(SOURCE, GROUP, max(-1.0, min(1.0, side)), confidence, as_of_ns, said)
    return value_of(vote, source=SOURCE, as_of_ns=as_of_ns)


@dataclass(frozen=True)
class NewsSource:
    """Ask for a symbol's headlines and let them vote. A ``VoteSource`` for the fan-out.

    Attributes
    ----------
    fetch
        Asks a vendor for the headlines of a symbol, e.g. Google News through the gateway.
    """

    fetch: Callable[[str], Awaitable[Outcome[tuple[Headline, ...]]]]
    rule: NewsRule
    name: str = SOURCE
    group: str = GROUP

    async def vote(self, symbol: str, as_of_ns: int) -> Outcome[Vote]:
        """Return the vote of the headlines up to ``as_of_ns``."""
        return news_vote(await self.fetch(symbol), as_of_ns, self.rule)
