"""Whom a run from discovery to trade asks, and a language model whose failures are counted.

In: adapters, handed in by ``app``.  Out: one frozen bundle.
Refuses nothing: a part that is not there is None or absent, and ``gaps`` says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from tapeline.core.outcome import Kind, Outcome
from tapeline.feed.llm import LanguageModel, ModelBehind
from tapeline.thesis.collect import Sources
from tapeline.thesis.discovery import TalkSource

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Research:
    """Whom a run asks.

    Attributes
    ----------
    talk
        Who carries talk of tickers.
    sources
        Who is asked about one ticker, step by step.
    model
        The language model; None for rules only.
    gaps
        (part, why it is not there), one sentence each.
    """

    talk: tuple[TalkSource, ...] = ()
    sources: Sources = field(default_factory=Sources)
    model: LanguageModel | None = None
    gaps: tuple[tuple[str, str], ...] = ()


class CountedModel(ModelBehind):
    """A ``LanguageModel`` whose calls are counted, and whose silence is told.

    Parameters
    ----------
    model
        Who is asked.
    on_call
        Called for every question that was sent: not for one that a limit or an open breaker held back.
    on_answer
        Called when the model has answered, usable or not.
    on_failure
        Told why, when the model could not be reached or did not answer in time. An answer that cannot be used is the
        dossier's affair alone.
    """

    def __init__(
        self,
        model: LanguageModel,
        on_call: Callable[[], None],
        on_answer: Callable[[], None],
        on_failure: Callable[[str], None],
    ) -> None:
        super().__init__(model)
        self._on_call, self._on_answer, self._on_failure = on_call, on_answer, on_failure

    async def ask(self, system: str, user: str, schema: type[T], *, max_tokens: int | None = None) -> Outcome[T]:
        """Ask the model; see ``LanguageModel.ask``."""
        outcome = await self._model.ask(system, user, schema, max_tokens=max_tokens)
        if outcome.kind is not Kind.LIMITED:
            self._on_call()
        is_silent = outcome.kind is Kind.LIMITED or (outcome.kind is Kind.ERROR and outcome.source != self._model.name)
        if is_silent:
            self._on_failure(outcome.reason)
        else:
            self._on_answer()
        return outcome
