"""A deadline on the injected clock.

In: a call and a moment.  Out: what the call returns, or None when the moment came first.
Refuses to leave a task behind: a call that is late is cancelled and has ended when this returns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from tapeline.core.clock import Clock
from tapeline.core.errors import TapelineError

T = TypeVar("T")


async def within(clock: Clock, until_ns: int, call: Callable[[], Awaitable[T]]) -> T | None:
    """Return what ``call`` returns, or None when the clock reaches ``until_ns`` first; the call is then cancelled.

    The caller must be an actor. The alarm is one too, and its place is given up only after the call has ended: else
    logical time could jump past the deadline to whatever the cancelled call was still waiting for.
    """
    answer: list[T] = []
    failure: list[TapelineError | OSError] = []

    async def alarm(scope: anyio.CancelScope) -> None:
        await clock.sleep_until(until_ns)
        scope.cancel()

    clock.enter()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(alarm, group.cancel_scope)
            try:
                answer.append(await call())
            except (TapelineError, OSError) as error:
                failure.append(error)  # raised below, alone: a task group would wrap it
            group.cancel_scope.cancel()
    finally:
        await clock.leave()
    if failure:
        raise failure[0]
    return answer[0] if answer else None
