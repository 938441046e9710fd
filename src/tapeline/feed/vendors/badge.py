"""Credentials that a vendor lends for a while: a token, a crumb.

In: how to obtain one, and a question that needs it.  Out: the answer.
Refuses to ask a third time: a fresh credential that is refused as well is an error.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from tapeline.core.clock import Clock
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S
from tapeline.feed.http import Response

B = TypeVar("B")
T = TypeVar("T")

UNAUTHORISED = 401


class Refusal(Enum):
    """What a parser returns when the vendor no longer takes the credential."""

    REFUSED = "refused"


def unless_refused(parse: Callable[[Response], T]) -> Callable[[Response], T | Refusal]:
    """Return ``parse`` for a question that accepts 401. Make it once: it is a part of the question's identity.

    A refusal may be kept as an answer is: the credential is a part of the question, too, so a fresh one asks anew.
    """

    def parse_or_refuse(response: Response) -> T | Refusal:
        return Refusal.REFUSED if response.status == UNAUTHORISED else parse(response)

    return parse_or_refuse


@dataclass(frozen=True, slots=True)
class Lent(Generic[B]):
    """A credential and how long it holds, in seconds."""

    badge: B
    lifetime_s: float


class Badge(Generic[B]):
    """Keeps a credential while it holds.

    Parameters
    ----------
    obtain
        Asks the vendor for one.
    clock
        Tells when it has run out.
    """

    def __init__(self, obtain: Callable[[], Awaitable[Outcome[Lent[B]]]], *, clock: Clock) -> None:
        self._obtain = obtain
        self._clock = clock
        self._kept: tuple[B, int] | None = None

    async def use(self, ask: Callable[[B], Awaitable[Outcome[T | Refusal]]]) -> Outcome[T]:
        """Ask with the kept credential, and once more with a fresh one when it is refused."""
        for _ in range(2):
            outcome = await self._current()
            if outcome.value is None:  # a vendor that lends nothing has failed; that it has no data is another thing
                kind = Kind.ERROR if outcome.kind is Kind.NO_DATA else outcome.kind
                return nothing(kind, source=outcome.source, reason=outcome.reason, as_of_ns=outcome.as_of_ns)
            badge = outcome.value
            answer = await ask(badge)
            if not isinstance(answer.value, Refusal):
                return answer.map(_only)
            if self._kept is not None and self._kept[0] == badge:  # not one that another task has renewed meanwhile
                self._kept = None
        reason = "a fresh credential is refused as well"
        return nothing(Kind.ERROR, source=answer.source, reason=reason, as_of_ns=answer.as_of_ns)

    async def _current(self) -> Outcome[B]:
        if self._kept is not None and self._clock.now_ns() < self._kept[1]:
            return value_of(self._kept[0], source="badge")
        outcome = await self._obtain()
        if outcome.value is not None:
            lent = outcome.value
            self._kept = (lent.badge, self._clock.now_ns() + round(lent.lifetime_s * NS_PER_S))
        return outcome.map(_badge_of)


def _badge_of(lent: Lent[B]) -> B:
    return lent.badge


def _only(answer: T | Refusal) -> T:
    assert not isinstance(answer, Refusal)
    return answer
