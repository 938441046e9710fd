"""Layer 3: each question answered from the evidence of its own source.

In: a question.  Out: ``Answer`` with the facts and passages it rests on.
Refuses to answer from another source than the question names, and to keep a citation of something that was not shown.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from tapeline.core.outcome import Outcome
from tapeline.core.types import Answer
from tapeline.feed.llm import LanguageModel
from tapeline.thesis.prompts import SYSTEM, compose, fact_line, plain, quotation
from tapeline.thesis.questions import Question
from tapeline.thesis.sources import Pool

MAX_FACTS = 12
MAX_CHUNKS = 3
"""What one question is answered from, at most."""
MAX_ANSWER = 240
MAX_CITED = 3
MAX_PASSAGE = 20_000
"""Characters of one text that are looked at; a quarter of an hour of talk."""
CHUNK, OVERLAP = 360, 60
"""Characters: a paragraph, and what two neighbours share so that no sentence is lost between them."""
_SATURATION, _LENGTH_WEIGHT = 1.5, 0.75
"""Of BM25, as Robertson and Zaragoza (2009) recommend."""


class Reply(Struct, frozen=True):
    """What a model answers to one question: in its shape for a call, ``cited`` holds only what was shown."""

    answer: Annotated[str, Meta(min_length=1, max_length=MAX_ANSWER)]
    cited: Annotated[tuple[str, ...], Meta(max_length=MAX_CITED)]


@dataclass(frozen=True, slots=True)
class Shown:
    """The evidence that is put before the model: (name, line) of facts, (mark, text) of chunks, best first."""

    facts: tuple[tuple[str, str], ...]
    chunks: tuple[tuple[str, str], ...]


async def answer_question(symbol: str, question: Question, llm: LanguageModel) -> Outcome[Answer]:
    """Put one question and its evidence to the model, in one call."""
    shown = choose(question.text, question.pool)
    asked = f"Question on its {question.pool.source.name}: {question.text}"
    head = f"Stock with the symbol {symbol}. {asked}\nCite what you used."
    quotations = [quotation(mark, text) for mark, text in shown.chunks]
    user = compose(head, [line for _, line in shown.facts], quotations, llm.max_context_tokens)
    lines = set(user.splitlines())
    known = [name for name, line in shown.facts if line in lines]
    known += [mark for mark, text in shown.chunks if quotation(mark, text) in lines]
    outcome = await llm.ask(SYSTEM, user, _reply_to(known), max_tokens=llm.max_answer_tokens)
    return outcome.map(
        lambda reply: Answer(
            question.text,
            question.pool.source.name,
            plain(reply.answer, MAX_ANSWER) or "no words",
            tuple(name for name in known if name in reply.cited),
            by_model=True,
        )
    )


def _reply_to(known: Sequence[str]) -> type[Any]:
    """Return the shape of an answer that may cite ``known`` and nothing else.

    The engine is told; what it cites all the same is dropped, as the answer itself may be good.
    """
    mark = Annotated[str, Meta(extra_json_schema={"enum": list(known)})]
    cited = Annotated[tuple[mark, ...], Meta(max_length=MAX_CITED)]
    return msgspec.defstruct("Reply", [("cited", cited)], bases=(Reply,), frozen=True)


def answer_by_rule(question: Question) -> Answer:
    """Return what the evidence itself says: its closest facts, else the newest passage."""
    shown = choose(question.text, question.pool)
    if shown.facts:
        facts = shown.facts[:4]
        text, cited = "; ".join(line for _, line in facts), tuple(name for name, _ in facts)
    else:
        mark, text = shown.chunks[0]
        cited = (mark,)
    return Answer(question.text, question.pool.source.name, text[:MAX_ANSWER], cited, by_model=False)


def choose(question: str, pool: Pool) -> Shown:
    """Return the facts and chunks of a source that are closest to a question, by BM25; newest first where equal.

    Chunks are marked P1, P2, ... by their place in the source, newest passage first, so a mark is the same for every
    question.
    """
    facts = [(name, fact_line(name, value)) for name, value in pool.facts]
    chunks = [(f"P{i + 1}", text) for i, text in enumerate(_chunks(pool))]
    points = bm25(question, [text for _, text in (*facts, *chunks)])
    fact_points, chunk_points = points[: len(facts)], points[len(facts) :]
    best_chunks = sorted(_best(chunk_points, MAX_CHUNKS))  # by place: the newest first, so the oldest is cut first
    return Shown(
        tuple(facts[i] for i in _best(fact_points, MAX_FACTS)),
        tuple(chunks[i] for i in best_chunks),
    )


def bm25(question: str, documents: Sequence[str]) -> list[float]:
    """Return how close each document is to the question, 0 for nothing in common.

    Notes
    -----
    Sum over the question's distinct words of idf * f * (k + 1) / (f + k * (1 - b + b * length / mean length)) with
    idf = ln(1 + (n - df + 0.5) / (df + 0.5)), k = 1.5, b = 0.75 (Robertson and Zaragoza, 2009).
    """
    counts = [Counter(words(document)) for document in documents]
    lengths = [count.total() for count in counts]
    mean = sum(lengths) / len(lengths) if any(lengths) else 1.0
    points = [0.0] * len(documents)
    for word in sorted(set(words(question))):
        holding = sum(1 for count in counts if word in count)
        rarity = math.log(1.0 + (len(documents) - holding + 0.5) / (holding + 0.5))
        for i, count in enumerate(counts):
            damping = _SATURATION * (1.0 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * lengths[i] / mean)
            points[i] += rarity * count[word] * (_SATURATION + 1.0) / (count[word] + damping)
    return points


def words(text: str) -> list[str]:
    """Return the lower-case words and numbers of a text; underscores part words, as in the names of facts."""
    return re.findall(r"[a-z0-9]+", text.lower())


def _best(points: Sequence[float], n: int) -> list[int]:
    """Return the places of the ``n`` highest points, best first, earlier ones first where equal."""
    return sorted(range(len(points)), key=lambda i: (-points[i], i))[:n]


def _chunks(pool: Pool) -> Iterator[str]:
    """Yield the source's passages in overlapping pieces, newest passage first."""
    for passage in pool.passages:
        text = plain(passage.text, MAX_PASSAGE)
        for start in range(0, max(1, len(text) - OVERLAP), CHUNK - OVERLAP):
            if piece := text[start : start + CHUNK].strip():
                yield piece
