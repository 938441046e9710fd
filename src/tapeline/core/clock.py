"""The only place that knows what time it is.

``SystemClock`` is the wall. ``LogicalClock`` is a clock that an authority moves (the simulator in a replay, a test by
hand): it stands still while any *actor* works and jumps to the next moment somebody waits for once all of them sleep,
so a run is the same however fast the machine.

The one rule: a task that sleeps on a logical clock is an actor, and an actor waits for nothing but real work (an answer
of a server) or the clock. A parent that waits for its children hands its place to them (``together``); ``actor()``
makes a task one that starts by itself.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import anyio

from tapeline.core.types import NS_PER_S


class Clock(Protocol):
    """What everything reads the time from."""

    def now_ns(self) -> int:
        """Return the time, in UTC nanoseconds."""
        ...

    async def sleep_until(self, moment_ns: int) -> None:
        """Return once ``now_ns() >= moment_ns``; at once when it already is."""
        ...

    def enter(self) -> None:
        """Count one more actor: a task that works, or sleeps on this clock."""
        ...

    async def leave(self) -> None:
        """Count one actor less."""
        ...


async def sleep_s(clock: Clock, seconds: float) -> None:
    """Sleep ``seconds`` on ``clock``."""
    await clock.sleep_until(clock.now_ns() + round(seconds * NS_PER_S))


@asynccontextmanager
async def actor(clock: Clock) -> AsyncIterator[None]:
    """Hold logical time still while the body works; time moves only in its sleeps."""
    clock.enter()
    try:
        yield
    finally:
        await clock.leave()


async def together(clock: Clock, tasks: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Run ``tasks`` concurrently, as actors in the place of the caller, who must be one.

    The caller's place passes to the last of them to end and back, so time cannot move between their end and its going
    on. The first error cancels the others and is raised.
    """
    left = len(tasks)

    async def one(task: Callable[[], Awaitable[None]]) -> None:
        nonlocal left
        try:
            await task()
        finally:
            left -= 1
            if left:
                await clock.leave()

    for _ in tasks[1:]:
        clock.enter()
    try:
        async with anyio.create_task_group() as group:
            for task in tasks:
                group.start_soon(one, task)
    finally:
        for _ in range(left - 1):  # those that were cancelled before they began
            await clock.leave()


class SystemClock:
    """The wall. Actors need no counting: time moves by itself."""

    def now_ns(self) -> int:
        """Return the wall time, in UTC nanoseconds."""
        return time.time_ns()

    async def sleep_until(self, moment_ns: int) -> None:
        """Sleep until the wall shows ``moment_ns``, also across a clock that was set back."""
        while (left_ns := moment_ns - time.time_ns()) > 0:
            await anyio.sleep(left_ns / NS_PER_S)

    def enter(self) -> None:
        """Do nothing: the wall waits for nobody."""

    async def leave(self) -> None:
        """Do nothing: the wall waits for nobody."""


Authority = Callable[[int], Awaitable[int]]
"""Asks whoever owns time for a moment; returns that up to which time may move, which is at least the asked one."""


async def _grant(moment_ns: int) -> int:
    return moment_ns


class LogicalClock:
    """A clock that stands still while actors work and jumps when all of them sleep.

    Parameters
    ----------
    start_ns
        The first moment.
    authority
        Who owns time. By default the clock itself, which grants every request.

    Notes
    -----
    Sleepers wake in the order of their moments, those of one moment in the order in which they lay down, one after the
    other: the next wakes only when the one before sleeps again or has left.
    """

    def __init__(self, start_ns: int, authority: Authority = _grant) -> None:
        self._now_ns = start_ns
        self._granted_ns = start_ns
        self._authority = authority
        self._working = 0
        self._sleepers: list[tuple[int, int, anyio.Event]] = []
        self._seq = 0
        self._moving = False

    def now_ns(self) -> int:
        """Return the logical time, in UTC nanoseconds."""
        return self._now_ns

    def enter(self) -> None:
        """Count one more actor; time stands still until it sleeps or leaves."""
        self._working += 1

    async def leave(self) -> None:
        """Count one actor less, and let time move if nobody works."""
        self._working -= 1
        with anyio.CancelScope(shield=True):
            await self._move()

    async def sleep_until(self, moment_ns: int) -> None:
        """Sleep until the authority has moved time to ``moment_ns``. The caller must be an actor."""
        if moment_ns <= self._now_ns:
            await anyio.lowlevel.checkpoint()
            return
        self._seq += 1
        woken = anyio.Event()
        entry = (moment_ns, self._seq, woken)
        heapq.heappush(self._sleepers, entry)
        self._working -= 1
        try:
            await self._move()
            await woken.wait()
        except BaseException:
            if not woken.is_set():  # cancelled in its sleep: it is an actor again and will leave as one
                self._sleepers.remove(entry)
                heapq.heapify(self._sleepers)
                self._working += 1
            raise

    async def _move(self) -> None:
        """Jump to the next moment somebody waits for, when nobody works."""
        if self._working < 0:
            raise RuntimeError("a task slept on the logical clock without being an actor: wrap it in clock.actor()")
        if self._moving:
            return
        self._moving = True
        try:
            while self._working == 0 and self._sleepers:
                moment_ns = self._sleepers[0][0]
                if moment_ns > self._granted_ns:
                    self._granted_ns = await self._authority(moment_ns)
                self._now_ns = max(self._now_ns, moment_ns)
                if self._sleepers and self._sleepers[0][0] <= self._now_ns:
                    woken = heapq.heappop(self._sleepers)[2]
                    self._working += 1
                    woken.set()
        finally:
            self._moving = False
