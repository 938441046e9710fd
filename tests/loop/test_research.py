"""A counted model: every question counts, silence is told, and babble is the asker's affair."""

from __future__ import annotations

import pytest
from tests.loop.town import run
from tests.thesis.dossiers import FakeModel, fill

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.loop.research import CountedModel
from tapeline.thesis.synthesis import Verdict


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (value_of(fill(Verdict), source="fake"), []),
        (nothing(Kind.ERROR, source="fake", reason="it holds no JSON"), []),
        (nothing(Kind.ERROR, source="llm", reason="connection refused"), ["connection refused"]),
        (nothing(Kind.LIMITED, source="llm", reason="its breaker is open"), ["its breaker is open"]),
    ],
)
def test_a_model_that_cannot_be_reached_is_told_and_one_that_babbles_is_not(
    answer: Outcome[Verdict], told: list[str]
) -> None:
    calls: list[int] = []
    answers: list[int] = []
    failures: list[str] = []
    fake = FakeModel(lambda _user, _schema: answer)
    model = CountedModel(fake, lambda: calls.append(1), lambda: answers.append(1), failures.append)

    async def ask() -> Outcome[Verdict]:
        return await model.ask("system", "user", Verdict, max_tokens=100)

    assert run(ask) is answer
    assert (len(calls), len(answers), failures) == (answer.kind is not Kind.LIMITED, not told, told)
    assert (model.name, model.max_context_tokens, model.max_answer_tokens) == ("fake", 600, 160)
