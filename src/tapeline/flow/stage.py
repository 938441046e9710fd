"""One kind of work, done by a few workers to each item that comes by.

In: items from a receiver.  Out: what was made of each, to a sender; why nothing was made of it, to whoever watches.
Refuses to let one item's failure hold the others, and an item that takes for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import anyio

from tapeline.core.clock import Clock, together
from tapeline.core.errors import StoreError, TapelineError
from tapeline.core.outcome import Kind, Outcome, nothing
from tapeline.core.types import NS_PER_S
from tapeline.flow.channel import Inlet, Outlet, Receiver, Sender, channel
from tapeline.flow.deadline import within

A = TypeVar("A")
B = TypeVar("B")

Task = Callable[[], Awaitable[None]]
Watch = Callable[[str, Any, Outcome[Any] | None], None]
"""Told (stage, item, None) when an item enters and (stage, item, what came of it) once it has left."""


@dataclass(frozen=True, slots=True)
class Stage(Generic[A, B]):
    """What is done to an item.

    Attributes
    ----------
    name
        For messages and progress.
    work
        Makes something of an item. ``TapelineError`` and ``OSError`` become the item's error; a store that cannot be
        written, and anything else that is raised, end the whole flow.
    workers
        Items in work at a time.
    timeout_s
        Seconds of the clock after which an item is given up.
    """

    name: str
    work: Callable[[A], Awaitable[Outcome[B]]]
    workers: int
    timeout_s: float

    def tasks(self, inbox: Receiver[A], outbox: Sender[B], clock: Clock, watch: Watch) -> list[Task]:
        """Return the stage's workers, to be run by ``core.clock.together`` beside those of the other stages.

        In: items of ``inbox``.   Out: the values that came of them, in no order; every other outcome goes to ``watch``.
        Concurrency: one task per worker, each with one item in hand.
        Backpressure: waits for room in ``outbox``; meanwhile its worker takes nothing from ``inbox``.
        Failure: of an item, is its outcome; see ``work``.
        Shutdown: the last worker to end closes ``outbox``. Cancelled at any await, an item is in ``inbox``, in
            ``outbox``, told to ``watch`` as left, or entered and not left; never in two of these, never in none.
        """
        left = [self.workers]

        async def worker() -> None:
            try:
                while True:
                    try:
                        item = await inbox.receive()
                    except anyio.EndOfStream:
                        return
                    watch(self.name, item, None)
                    outcome = await self._outcome(item, clock)
                    if outcome.value is not None:
                        await outbox.send(outcome.value)
                    watch(self.name, item, outcome)
            finally:
                left[0] -= 1
                if not left[0]:
                    outbox.close()

        return [worker for _ in range(self.workers)]

    async def _outcome(self, item: A, clock: Clock) -> Outcome[B]:
        try:
            outcome = await within(clock, clock.now_ns() + round(self.timeout_s * NS_PER_S), partial(self.work, item))
        except StoreError:
            raise
        except (TapelineError, OSError) as error:
            return nothing(Kind.ERROR, source=self.name, reason=str(error) or type(error).__name__)
        if outcome is None:
            return nothing(Kind.ERROR, source=self.name, reason=f"not done within {self.timeout_s:g} s and given up")
        return outcome

    async def all_of(self, items: Sequence[A], clock: Clock, watch: Watch) -> list[B]:
        """Do the stage to a whole list before anything else; return what came of it, in the order it was done.

        The caller must be an actor of ``clock``.
        """
        size = max(1, len(items))
        given: tuple[Inlet[A], Outlet[A]] = channel(clock, size)
        made: tuple[Inlet[B], Outlet[B]] = channel(clock, size)
        (inlet, inbox), (outbox, outlet) = given, made
        with inbox, outlet, outbox:
            with inlet:
                for item in items:
                    await inlet.send(item)
            await together(clock, self.tasks(inbox, outbox, clock, watch))
            return outlet.drain()
