"""Waiting for another task of ours without holding logical time still.

In: tasks that wait and the task that wakes them.  Out: the waiting ends, counted right.
Refuses nothing: an actor of a logical clock may wait only for real work or the clock (``core/clock.py``), so whoever
waits for a task gives its place up, and whoever wakes it counts it in again first.
"""

from __future__ import annotations

import anyio

from tapeline.core.clock import Clock


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
