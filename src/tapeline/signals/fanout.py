"""Ask every source about every symbol, at the same time and within bounds: the one part of this room that waits.

In: symbols and sources.  Out: an outcome for each pair, by name. Time is the injected clock's, logical or real.
Refuses to wait beyond the deadline, to let one slow source hold the others, and to confuse answers: none is positional.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

from tapeline.core.clock import Clock, together
from tapeline.core.errors import TapelineError
from tapeline.core.outcome import Kind, Outcome, nothing
from tapeline.core.types import NS_PER_S, Vote
from tapeline.flow.deadline import within

Votes = Mapping[str, Mapping[str, Outcome[Vote]]]
"""Symbol to source name to what came of asking."""


class VoteSource(Protocol):
    """Somebody who may have an opinion of a symbol.

    ``vote`` returns what went wrong as an outcome. ``TapelineError`` and ``OSError`` may also be raised and become an
    error; anything else that is raised is a bug and ends the cycle.
    """

    @property
    def name(self) -> str:
        """Unique among the sources, e.g. ``"news.headlines"``."""
        ...

    @property
    def group(self) -> str:
        """Sources that read the same things are one group and count once."""
        ...

    async def vote(self, symbol: str, as_of_ns: int) -> Outcome[Vote]:
        """Return the opinion of ``symbol``, from nothing later than ``as_of_ns``."""
        ...


async def gather_votes(
    symbols: Sequence[str],
    sources: Sequence[VoteSource],
    clock: Clock,
    as_of_ns: int,
    *,
    deadline_s: float,
    source_timeout_s: float,
    concurrency: int,
) -> Votes:
    """Ask every source about every symbol.

    In: symbols, in the order in which they are asked.   Out: one outcome per symbol and source, keyed by name, in the
        order of the arguments.
    Concurrency: at most ``concurrency`` tasks per source, each with one question open. The caller must be an actor.
    Failure: no answer within ``source_timeout_s`` or by the deadline, and errors of the world, become ``error``; what
        was not asked by the deadline becomes ``limited``. Anything else that a source raises is a bug: it cancels all.
    Shutdown: returns when all is answered or at the deadline; leaves no task behind.

    Raises
    ------
    ValueError
        When two sources have one name, a symbol stands twice, or a source answers in another's name.
    """
    for what, names in (("symbol", list(symbols)), ("source", [source.name for source in sources])):
        if len(set(names)) < len(names):
            raise ValueError(f"a {what} stands twice in {', '.join(sorted(names))}: every answer has one place")
    deadline_ns = clock.now_ns() + round(deadline_s * NS_PER_S)
    timeout_ns = round(source_timeout_s * NS_PER_S)
    answers: dict[tuple[str, str], Outcome[Vote]] = {}

    async def ask_on(source: VoteSource, queue: Iterator[str]) -> None:
        for symbol in queue:
            until_ns = min(deadline_ns, clock.now_ns() + timeout_ns)
            answers[symbol, source.name] = await _ask(source, symbol, as_of_ns, clock, until_ns)

    tasks: list[Callable[[], Awaitable[None]]] = []
    for source in sources:
        queue = iter(symbols)
        tasks += [partial(ask_on, source, queue) for _ in range(min(concurrency, len(symbols)))]
    if tasks:
        await together(clock, tasks)
    return {symbol: {source.name: answers[symbol, source.name] for source in sources} for symbol in symbols}


async def _ask(source: VoteSource, symbol: str, as_of_ns: int, clock: Clock, until_ns: int) -> Outcome[Vote]:
    """Return a source's answer, or why there is none by ``until_ns``."""
    name, asked_ns = source.name, clock.now_ns()
    if asked_ns >= until_ns:
        return nothing(
            Kind.LIMITED, source=name, reason="not asked: the cycle's deadline had passed", as_of_ns=as_of_ns
        )
    try:
        outcome = await within(clock, until_ns, partial(source.vote, symbol, as_of_ns))
    except (TapelineError, OSError) as error:
        reason = f"{type(error).__name__}: {error}"
        return nothing(Kind.ERROR, source=name, reason=reason, as_of_ns=as_of_ns)
    if outcome is None:
        waited_s = (until_ns - asked_ns) / NS_PER_S
        return nothing(Kind.ERROR, source=name, reason=f"no answer within {waited_s:g} s", as_of_ns=as_of_ns)
    if outcome.source != name or (outcome.value is not None and outcome.value.source != name):
        raise ValueError(f"the source {name} answered in the name of {outcome.source}")
    return outcome
