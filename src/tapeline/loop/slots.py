"""Which of the tickers that were found is worked on next: the best of those who wait, while there is a slot.

In: tickers as they are found.  Out: at most so many of them, best score first among those waiting.
Refuses more than its slots and more than its room to wait. A ticker that turns out not to be worth it gives its slot
back, so the gate costs a run nothing but the time.
"""

from __future__ import annotations

import heapq

import anyio
import anyio.lowlevel

from tapeline.core.clock import Clock
from tapeline.flow.handover import Handover
from tapeline.thesis.discovery import Found


class Slots:
    """A receiver of tickers for the first stage. All callers must be actors of the clock.

    Parameters
    ----------
    slots
        Tickers that may go all the way.
    room
        Tickers that may wait; whoever offers one more waits.
    """

    def __init__(self, clock: Clock, *, slots: int, room: int) -> None:
        self._free, self._undecided = slots, 0
        self._room = room
        self._waiting: list[tuple[float, str, Found]] = []
        self._closed = False
        self._changed = Handover(clock)

    @property
    def is_full(self) -> bool:
        """True once every slot is taken for good: whoever still waits is not worked on."""
        return self._free == 0 and self._undecided == 0

    async def offer(self, found: Found) -> bool:
        """Let a ticker wait for a slot; return False when no slot can come free any more."""
        await anyio.lowlevel.checkpoint()
        while len(self._waiting) >= self._room and not self.is_full:
            await self._changed.wait()
        if self.is_full:
            return False
        heapq.heappush(self._waiting, (-found.score, found.symbol, found))
        self._changed.wake()
        return True

    def close(self) -> None:
        """Say that no more are found."""
        self._closed = True
        self._changed.wake()

    async def receive(self) -> Found:
        """Return the best ticker that waits, and take a slot for it. Raises ``anyio.EndOfStream`` at the end."""
        await anyio.lowlevel.checkpoint()
        while not (self._waiting and self._free):
            if self.is_full or (self._closed and not self._waiting):
                raise anyio.EndOfStream
            await self._changed.wait()
        self._free -= 1
        self._undecided += 1
        found = heapq.heappop(self._waiting)[2]
        self._changed.wake()
        return found

    def settle(self, *, keeps: bool) -> None:
        """Say of one ticker that was received whether it keeps its slot or gives it back."""
        self._undecided -= 1
        self._free += not keeps
        self._changed.wake()

    def left(self) -> tuple[Found, ...]:
        """Return those who waited in vain, best first."""
        return tuple(entry[2] for entry in sorted(self._waiting))
