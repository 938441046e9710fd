"""The replay's time. The simulator owns it and moves it only as far as everybody who takes part has asked.

In: participants and the moment each is ready for.  Out: the time granted to all.  Refuses to go back.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import anyio

from tapeline.core.types import NS_PER_S

NEW_YORK = ZoneInfo("America/New_York")
START_OF_DAY = dt.time(9, 0)
"""A replay begins here, half an hour before the opening bell: time enough to fetch the history."""


def new_york_ns(day: dt.date, time: dt.time = dt.time(0, 0)) -> int:
    """Return the moment of a New York wall time, in UTC nanoseconds."""
    return int(dt.datetime.combine(day, time, NEW_YORK).timestamp()) * NS_PER_S


def new_york_day(moment_ns: int) -> dt.date:
    """Return the date in New York at a moment."""
    return dt.datetime.fromtimestamp(moment_ns // NS_PER_S, NEW_YORK).date()


class ReplayClock:
    """Logical time with named participants: it stands at the earliest moment that any of them has asked for.

    A participant that joined and does not ask holds time still; whoever looks after it must make it leave when it is
    gone (the node does so for its workers). One that asks without having joined joins by asking.

    Parameters
    ----------
    start_ns
        The first moment, in UTC nanoseconds.
    """

    def __init__(self, start_ns: int) -> None:
        self._now_ns = start_ns
        self._asked_ns: dict[str, int] = {}
        self._moved = anyio.Event()

    def now_ns(self) -> int:
        """Return the logical time, in UTC nanoseconds."""
        return self._now_ns

    @property
    def participants(self) -> tuple[str, ...]:
        """Names of those whom time waits for, sorted."""
        return tuple(sorted(self._asked_ns))

    def join(self, name: str) -> None:
        """Make time wait for ``name`` from now on. Joining twice is joining once."""
        self._asked_ns.setdefault(name, self._now_ns)

    def leave(self, name: str) -> None:
        """Wait no longer for ``name``; time may move at once. Leaving twice is leaving once."""
        self._asked_ns.pop(name, None)
        self._move()

    async def ask(self, name: str, until_ns: int) -> int:
        """Ask for ``until_ns``, wait until all others have asked as much, and return the time then.

        A moment that has passed is granted at once, and time does not move.
        """
        self._asked_ns[name] = max(until_ns, self._now_ns)
        self._move()
        while self._now_ns < until_ns and name in self._asked_ns:
            await self._moved.wait()
        return self._now_ns

    async def moved(self) -> None:
        """Wait until somebody has asked for a moment or gone, after which time may be another."""
        await self._moved.wait()

    def close(self) -> None:
        """Send everybody who waits away with the time there is: the server ends."""
        self._asked_ns.clear()
        self._move()

    def _move(self) -> None:
        earliest_ns = min(self._asked_ns.values(), default=self._now_ns)
        if earliest_ns > self._now_ns:
            self._now_ns = earliest_ns
        moved, self._moved = self._moved, anyio.Event()
        moved.set()
