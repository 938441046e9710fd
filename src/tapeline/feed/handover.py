"""Sharing jobs out without holding logical time still.

In: jobs and how many may work on them.  Out: their results, in the order of the jobs.
Refuses nothing: an actor of a logical clock may wait only for real work or the clock (``core/clock.py``), so places are
handed over; whoever waits for a single task does it by ``flow.handover.Handover``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

import anyio

from tapeline.core.clock import Clock
from tapeline.flow.handover import Handover

__all__ = ["Handover", "share_out"]

Job = TypeVar("Job")
Result = TypeVar("Result")


async def share_out(
    clock: Clock, jobs: Sequence[Job], workers: int, work: Callable[[Job], Awaitable[Result]]
) -> list[Result]:
    """Let a few tasks pull jobs from one list until it is empty.

    In: jobs.   Out: their results, in the order of the jobs.
    Concurrency: at most ``workers`` tasks; the caller must be an actor and waits for them.
    Failure: an exception of ``work`` cancels the others and is raised inside an exception group.
    Shutdown: ends when every job is done.

    The caller's place on the clock goes to the first worker and comes back from the last, so the count never drops
    to a value at which time could move while somebody works.
    """
    done: dict[int, Result] = {}
    queue: Iterator[tuple[int, Job]] = iter(enumerate(jobs))
    working = min(workers, len(jobs))

    async def worker() -> None:
        nonlocal working
        try:
            for place, job in queue:
                done[place] = await work(job)
        finally:
            working -= 1
            if working:
                await clock.leave()

    for _ in range(working - 1):
        clock.enter()
    async with anyio.create_task_group() as group:
        for _ in range(working):
            group.start_soon(worker)
    return [done[place] for place in range(len(jobs))]
