"""Layer 2: what ought to be asked, one question of each of five sources.

In: the sources that have content, and what the numbers say.  Out: ``Question``s.
Refuses to let a model choose the sources: it words the questions, and when it fails the fixed ones are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from tapeline.core.outcome import Outcome
from tapeline.feed.llm import LanguageModel
from tapeline.thesis.prompts import SYSTEM, compose, fact_lines, plain
from tapeline.thesis.quant import Scorecard
from tapeline.thesis.sources import Pool

MAX_QUESTIONS = 5
MAX_QUESTION = 120
"""Characters; a sentence."""

_Wording = Annotated[str, Meta(min_length=8, max_length=MAX_QUESTION)]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one source."""

    text: str
    pool: Pool
    by_model: bool


def fixed_questions(pools: Sequence[Pool]) -> tuple[Question, ...]:
    """Return the question that each of the first five sources is asked when nobody has a better one."""
    return tuple(Question(pool.source.question, pool, by_model=False) for pool in pools[:MAX_QUESTIONS])


async def word_questions(
    symbol: str, pools: Sequence[Pool], card: Scorecard, llm: LanguageModel
) -> Outcome[tuple[Question, ...]]:
    """Ask the model for one question of each of the first five sources, in one call.

    The answer is an object with a key for each source, so every source gets exactly one question.
    """
    asked = {pool.source.name: pool for pool in pools[:MAX_QUESTIONS]}
    shape: type[Any] = msgspec.defstruct("Questions", [(_key(name), _Wording) for name in asked])
    head = (
        f"Stock with the symbol {symbol}. What stands out: {', '.join(card.flags) or 'nothing'}.\n"
        "Write one short question to each source. Usual ones are:\n"
        + "\n".join(f"{name} - {pool.source.question}" for name, pool in asked.items())
    )
    user = compose(head, fact_lines(card.key_measures()), (), llm.max_context_tokens)
    outcome = await llm.ask(SYSTEM, user, shape, max_tokens=2 * llm.max_answer_tokens)
    return outcome.map(
        lambda said: tuple(
            Question(plain(getattr(said, _key(name)), MAX_QUESTION) or pool.source.question, pool, by_model=True)
            for name, pool in asked.items()
        )
    )


def _key(source: str) -> str:
    return f"{source}_question"
