"""Layer 2: five questions of five sources, worded by a model or fixed."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
from tests.thesis.dossiers import FakeModel, collected, failing

from tapeline.core.outcome import Kind, Outcome, value_of
from tapeline.thesis.quant import score
from tapeline.thesis.questions import MAX_QUESTIONS, Question, fixed_questions, word_questions
from tapeline.thesis.sources import Pool, pools

POOLS = pools(collected())
CARD = score(collected()).unwrap()


def word(model: FakeModel, sources: tuple[Pool, ...] = POOLS) -> Outcome[tuple[Question, ...]]:
    return anyio.run(word_questions, "ACME", sources, CARD, model)


def test_fixed_questions_are_one_for_each_of_the_first_five_sources() -> None:
    asked = fixed_questions(POOLS)
    assert [question.pool.source.name for question in asked] == [pool.source.name for pool in POOLS[:MAX_QUESTIONS]]
    assert len({question.text for question in asked}) == MAX_QUESTIONS
    assert not any(question.by_model for question in asked)


def test_a_model_words_one_question_of_each_source_in_one_call() -> None:
    model = FakeModel()
    asked = word(model).unwrap()
    assert len(model.prompts) == 1
    assert [question.pool for question in asked] == list(POOLS[:MAX_QUESTIONS])
    assert all(question.by_model and question.text == "It is so." for question in asked)


def test_fewer_sources_make_fewer_questions() -> None:
    assert len(word(FakeModel(), POOLS[:2]).unwrap()) == 2


def test_a_wording_of_nothing_visible_gives_way_to_the_fixed_one() -> None:
    def says(_user: str, schema: type[Any]) -> Outcome[Any]:
        blank = {spec.name: "\u200b" * 10 for spec in msgspec.structs.fields(schema)}
        return value_of(msgspec.convert(blank, schema), source="fake")

    asked = word(FakeModel(says)).unwrap()
    assert [question.text for question in asked] == [question.text for question in fixed_questions(POOLS)]


def test_a_dead_model_words_nothing() -> None:
    assert word(failing()).kind is Kind.ERROR
