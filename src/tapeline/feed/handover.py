"""Waiting for another task of ours without holding logical time still.

In: tasks that wait and the task that wakes them; jobs and how many may work on them.  Out: the waiting ends, counted
right.  Refuses nothing: an actor of a logical clock may wait only for real work or the clock (``core/clock.py``), so
whoever waits for a task gives its place up, and whoever wakes it counts it in again first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

import anyio

from tapeline.core.clock import Clock

Job = TypeVar("Job")
Result = TypeVar("Result")


class Handover:
    """Where actors wait for another actor. Waiters are not counted as working meanwhile."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: list[anyio.Event] = []

    async def wait(self) -> None:
        """Wait for the next ``wake``. The caller must be an actor and is one again afterwards, also when cancelled."""
        woken = anyio.Event()
        self._waiting.append(woken)
        try:
            await self._clock.leave()
            await woken.wait()
        except BaseException:
            if not woken.is_set():
                self._waiting.remove(woken)
                self._clock.enter()
            raise

    def wake(self) -> None:
        """Let everyone who waits go on, counted as working before the caller can sleep."""
        waiting, self._waiting = self._waiting, []
        for woken in waiting:
            self._clock.enter()
            woken.set()


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
