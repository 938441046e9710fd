"""From what was collected on a ticker to its dossier: four layers, seven questions to a model at most.

In: ``Collected``, a language model or None.  Out: ``Outcome[Dossier]``.
Refuses to let a model do more than move the conviction by ``thesis.max_model_part``, and to hide what was missing: a
model that fails leaves the prior as it is, and the dossier says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TypeVar

import msgspec

from tapeline.core.config import ThesisConfig
from tapeline.core.outcome import Outcome, nothing, value_of
from tapeline.core.types import Answer, Dossier, Label
from tapeline.feed.llm import LanguageModel
from tapeline.thesis.collect import Collected, degraded
from tapeline.thesis.evidence import answer_by_rule, answer_question
from tapeline.thesis.quant import Scorecard, score
from tapeline.thesis.questions import MAX_QUESTIONS, Question, fixed_questions, word_questions
from tapeline.thesis.sources import Pool, pools
from tapeline.thesis.synthesis import Verdict, synthesise, verdict_by_rule

T = TypeVar("T")

SOURCE = "thesis"
ID_LENGTH = 16
NO_MODEL = "no language model: rules only"

_WORST_FIRST = (Label.SIMULATED, Label.RESAMPLED, Label.BRIDGED, Label.REPAIRED, Label.REAL)


async def analyse(
    collected: Collected, llm: LanguageModel | None, config: ThesisConfig, *, portfolio_note: str = ""
) -> Outcome[Dossier]:
    """Return the dossier of one ticker.

    Parameters
    ----------
    collected
        What is known; its gate is the caller's.
    llm
        Who words questions, answers and the case; None for rules only. It is asked one thing at a time.
    config
        The bound of its part, and the convictions from which a dossier has a side.
    portfolio_note
        One line on what we hold and have, for the synthesis.

    Returns
    -------
    Outcome[Dossier]
        no_data when the numbers do not make a prior.

    Notes
    -----
    conviction = prior + max_model_part * stance, cut to [0, 1], with the stance in [-1, 1] of the synthesis; without a
    synthesis the model's part is 0. ``llm_calls`` counts what was asked: one call for the questions, one for each of
    at most five, one for the synthesis. The dossier holds no wall time: equal inputs and answers make the same id.
    """
    scored = score(collected)
    if scored.value is None:
        return nothing(scored.kind, source=SOURCE, reason=scored.reason, as_of_ns=collected.as_of_ns)
    card = scored.value
    sources = pools(collected)
    words = _Words(verdict_by_rule(card), gaps=[*degraded(collected), *_gaps(card, sources)])
    if llm is None:
        words.answers = [answer_by_rule(question) for question in fixed_questions(sources)]
        words.gaps.append(NO_MODEL)
    else:
        await _ask_model(words, collected.symbol, card, sources, portfolio_note, llm)
    return value_of(_dossier(collected, card, words, config), source=SOURCE, as_of_ns=collected.as_of_ns)


@dataclass(slots=True)
class _Words:
    """What the layers with words have brought so far."""

    verdict: Verdict
    gaps: list[str]
    answers: list[Answer] = field(default_factory=list)
    stance: float = 0.0
    model: str = ""
    calls: int = 0
    silence: str = ""
    """Why the model did not answer at all, retries included; it is not asked again for this ticker."""


async def _ask_model(
    words: _Words, symbol: str, card: Scorecard, sources: tuple[Pool, ...], portfolio_note: str, llm: LanguageModel
) -> None:
    """Fill the layers with the model's words, one call after the other; where it fails, with the rules' words.

    A model that is silent is asked no further, so a hanging one costs a ticker one time-out and not seven.
    """
    for question in await _questions(words, symbol, card, sources, llm):
        if words.silence:
            words.answers.append(answer_by_rule(question))
            continue
        words.calls += 1
        answer = await answer_question(symbol, question, llm)
        if answer.value is None:
            words.gaps.append(f"no answer on {question.pool.source.name}: {answer.reason}")
            _hear(words, answer, llm)
        else:
            words.model = llm.name
        words.answers.append(answer.value or answer_by_rule(question))
    if words.silence:
        words.gaps.append(f"the model has no part in the conviction, it does not answer: {words.silence}")
        return
    words.calls += 1
    verdict = await synthesise(symbol, card, words.answers, portfolio_note, llm)
    if verdict.value is None:
        words.gaps.append(f"no synthesis, so the model has no part in the conviction: {verdict.reason}")
    else:
        words.model, words.verdict = llm.name, verdict.value
        words.stance = max(-1.0, min(1.0, verdict.value.stance_pct / 100.0))


async def _questions(
    words: _Words, symbol: str, card: Scorecard, sources: tuple[Pool, ...], llm: LanguageModel
) -> tuple[Question, ...]:
    words.calls += 1
    worded = await word_questions(symbol, sources, card, llm)
    if worded.value is None:
        words.gaps.append(f"the questions are the fixed ones: {worded.reason}")
        _hear(words, worded, llm)
        return fixed_questions(sources)
    words.model = llm.name
    return worded.value


def _hear(words: _Words, outcome: Outcome[T], llm: LanguageModel) -> None:
    """Note that nothing was heard of the model; an answer that cannot be used comes from the model itself."""
    if outcome.source != llm.name:
        words.silence = outcome.reason


def _gaps(card: Scorecard, sources: tuple[Pool, ...]) -> list[str]:
    """Return what the numbers lack, one sentence each."""
    gaps = [f"parts of the prior that are unknown: {', '.join(card.missing)}"] if card.missing else []
    if len(sources) < MAX_QUESTIONS:
        gaps.append(f"only {len(sources)} of {MAX_QUESTIONS} sources have anything to ask about")
    return gaps


def _dossier(collected: Collected, card: Scorecard, words: _Words, config: ThesisConfig) -> Dossier:
    conviction = max(0.0, min(1.0, card.prior + config.max_model_part * words.stance))
    dossier = Dossier(
        dossier_id="",
        symbol=collected.symbol,
        as_of_ns=collected.as_of_ns,
        conviction=conviction,
        prior=card.prior,
        model_part=conviction - card.prior,
        action=action_of(conviction, config),
        price=card.price,
        atr=card.atr,
        scorecard=card.rows(),
        flags=card.flags,
        answers=tuple(words.answers),
        summary=words.verdict.summary,
        bull=words.verdict.bull,
        bear=words.verdict.bear,
        catalysts=words.verdict.catalysts,
        degraded=tuple(words.gaps),
        model=words.model,
        llm_calls=words.calls,
        label=_label(collected),
    )
    return replace(dossier, dossier_id=dossier_id(dossier))


def action_of(conviction: float, config: ThesisConfig) -> str:
    """Return ``"buy"``, ``"sell"`` or ``"hold"``."""
    if conviction >= config.buy_at:
        return "buy"
    return "sell" if conviction <= config.sell_at else "hold"


def dossier_id(dossier: Dossier) -> str:
    """Return the id of a dossier's content: equal dossiers have equal ids, on every machine."""
    return hashlib.sha256(msgspec.msgpack.encode(replace(dossier, dossier_id=""))).hexdigest()[:ID_LENGTH]


def _label(collected: Collected) -> Label:
    """Return the least real of the labels of what it rests on."""
    labels = {outcome.value.label for outcome in collected.steps.values() if outcome.value is not None}
    return next(label for label in _WORST_FIRST if label in labels)
