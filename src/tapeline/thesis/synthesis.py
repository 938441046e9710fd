"""Layer 4: the case for and against, in words, and how the words lean.

In: the scorecard, the answers, the account's note.  Out: ``Verdict``.
Refuses to let words decide: a stance moves the conviction by a bounded part, and no stance by nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from tapeline.core.outcome import Outcome
from tapeline.core.types import Answer
from tapeline.feed.llm import LanguageModel
from tapeline.thesis.prompts import SYSTEM, compose, fact_lines, plain, quotation
from tapeline.thesis.quant import Scorecard

MAX_SUMMARY, MAX_CASE, MAX_CATALYST = 200, 140, 60
"""Characters."""
MAX_ANSWER_SHOWN = 110
"""Characters of an answer that the synthesis reads: with five of them the facts still fit."""
MAX_NOTE = 160

_Case = Annotated[str, Meta(min_length=1, max_length=MAX_CASE)]


class Verdict(Struct, frozen=True):
    """What is said of a stock. ``stance_pct``: -100 sell, 0 no opinion, 100 buy."""

    summary: Annotated[str, Meta(min_length=1, max_length=MAX_SUMMARY)]
    bull: _Case
    bear: _Case
    catalysts: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=MAX_CATALYST)], ...], Meta(min_length=1, max_length=3)
    ]
    stance_pct: Annotated[int, Meta(ge=-100, le=100)]


async def synthesise(
    symbol: str, card: Scorecard, answers: Sequence[Answer], portfolio_note: str, llm: LanguageModel
) -> Outcome[Verdict]:
    """Ask the model for the case for and against, in one call. Its words come back plain."""
    note = f" Our account: {plain(portfolio_note, MAX_NOTE)}." if portfolio_note else ""
    head = (
        f"Stock with the symbol {symbol}.{note} What stands out: {', '.join(card.flags) or 'nothing'}.\n"
        "Weigh the facts and the notes. stance_pct is -100 for sell, 0 for no opinion, 100 for buy."
    )
    facts = fact_lines([("prior", card.prior), *card.key_measures()])
    notes = [quotation(answer.source, plain(answer.answer, MAX_ANSWER_SHOWN)) for answer in answers]
    user = compose(head, facts, notes, llm.max_context_tokens)
    outcome = await llm.ask(SYSTEM, user, Verdict, max_tokens=2 * llm.max_answer_tokens)
    return outcome.map(_plain_verdict)


def verdict_by_rule(card: Scorecard) -> Verdict:
    """Return what the numbers say in words: the parts that weigh most either way. It has no stance of its own."""
    ranked = sorted(card.points, key=lambda part: (-part[1], part[0]))
    up = [f"{name} {value:+.3f}" for name, value in ranked if value > 0]
    down = [f"{name} {value:+.3f}" for name, value in reversed(ranked) if value < 0]
    return Verdict(
        summary=f"By the numbers alone: prior {card.prior:.2f} from {len(card.points)} parts.",
        bull=", ".join(up[:4])[:MAX_CASE] or "nothing speaks for it",
        bear=", ".join(down[:4])[:MAX_CASE] or "nothing speaks against it",
        catalysts=tuple(flag for flag in card.flags if flag.startswith("earnings_in")),
        stance_pct=0,
    )


def _plain_verdict(said: Verdict) -> Verdict:
    return Verdict(
        summary=plain(said.summary, MAX_SUMMARY),
        bull=plain(said.bull, MAX_CASE),
        bear=plain(said.bear, MAX_CASE),
        catalysts=tuple(plain(text, MAX_CATALYST) for text in said.catalysts),
        stance_pct=said.stance_pct,
    )
