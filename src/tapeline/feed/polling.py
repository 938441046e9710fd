"""The poller's day: when to poll, when to read again, and where the bars go.

In: a poller and its clock.  Out: its reports, in order, into a sender.
Refuses to drop a report: a full channel makes the poller wait, and what it could not ask for meanwhile its watermarks
ask for afterwards. The list of symbols may change between two cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tapeline.core.clock import Clock
from tapeline.core.errors import BadInput
from tapeline.feed.poller import Poller
from tapeline.feed.report import PollReport
from tapeline.flow.channel import Sender

Symbols = Callable[[], Sequence[str] | None]
"""Returns another list of symbols, or None when it has not changed."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is due next: a cycle, or a second reading."""

    moment_ns: int
    is_reread: bool


def next_turn(poller: Poller, now_ns: int, *, polls: bool = True) -> Turn:
    """Return what is due next after ``now_ns``; a second reading comes first when both are, or when nobody ``polls``
    any more."""
    poll_ns, reread_ns = poller.next_poll_ns(now_ns), poller.next_reread_ns()
    if reread_ns is not None and (reread_ns <= poll_ns or not polls):
        return Turn(max(now_ns, reread_ns), is_reread=True)
    return Turn(poll_ns, is_reread=False)


async def run_polling(
    poller: Poller,
    outbox: Sender[PollReport],
    *,
    clock: Clock,
    cycles: int | None = None,
    symbols: Symbols = lambda: None,
    retune: Callable[[], None] = lambda: None,
) -> None:
    """Poll until cancelled, or for a number of cycles.

    In: the clock.   Out: one report for each cycle and for each second reading.
    Concurrency: one turn at a time; the caller must be an actor of ``clock``.
    Changes: ``symbols`` and ``retune`` are called between two cycles; the one gives another list, the other may let the
        poller ``use`` other settings.
    Backpressure: waits on ``outbox``; minutes that pass meanwhile are asked for by the next cycle.
    Failure: what a vendor does is in the reports, and so is a list that cannot be used: the one before holds. Anything
        else is raised.
    Shutdown: closes ``outbox`` at the end; the second reading of the last cycle still comes.
    """
    left = cycles
    try:
        while left is None or left > 0 or poller.next_reread_ns() is not None:
            turn = next_turn(poller, clock.now_ns(), polls=left is None or left > 0)
            await clock.sleep_until(turn.moment_ns)
            if turn.is_reread:
                await outbox.send(await poller.reread(clock.now_ns()))
                continue
            retune()
            trouble = _take_over(symbols, poller)
            report = await poller.cycle(clock.now_ns())
            await outbox.send(replace(report, alerts=(*trouble, *report.alerts)))
            left = None if left is None else left - 1
    finally:
        outbox.close()


def _take_over(symbols: Symbols, poller: Poller) -> tuple[str, ...]:
    """Let the poller watch another list, if there is one; return what is wrong with it."""
    try:
        changed = symbols()
        if changed is not None:
            poller.watch(changed)
    except BadInput as error:
        return (f"the list of symbols stays as it was: {error}",)
    return ()
