"""Slots of a vendor's key in a file of the home, for every process of this machine that uses it.

In and out: as ``LimiterState`` says.
Refuses to believe in slots that no request of about now could hold: they were taken by a clock that has been set back
since, such as that of a simulator that was started anew.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tapeline.core.home import Home
from tapeline.feed.shared_file import SharedFile
from tapeline.feed.shared_limit import MAX_FLIGHT_NS, LimiterState

AHEAD_NS = 60_000_000_000
"""How far another process at one simulator may be ahead of us; what it has in flight counts."""
KEPT_KEYS = 32
"""Keys that are remembered, the last used ones; each simulator's clock is one of its own."""

Slots = dict[str, dict[str, int]]


class FileLimiterState:
    """Slots in a file, changed under its lock.

    Parameters
    ----------
    path
        The file.
    clock
        Names the clock of all who count under it: slots of different clocks have nothing to do with each other.
    """

    def __init__(self, path: Path, clock: str = "") -> None:
        self._file: SharedFile[Slots] = SharedFile(path, Slots)
        self._clock = clock

    async def reserve(self, key: str, token: str, *, now_ns: int, window_ns: int, limit: int) -> int | None:
        """See ``LimiterState``."""
        life_ns = MAX_FLIGHT_NS + window_ns
        latest_ns = now_ns + life_ns + AHEAD_NS
        async with self._file.changing() as kept:
            slots = kept.pop(self._name(key), {})
            slots = {held: until_ns for held, until_ns in slots.items() if now_ns < until_ns <= latest_ns}
            free_ns = min(slots.values()) if len(slots) >= limit else None
            if free_ns is None:
                slots[token] = now_ns + life_ns
            kept[self._name(key)] = slots
            for name in list(kept)[:-KEPT_KEYS]:
                del kept[name]
        return free_ns

    async def settle(self, key: str, token: str, *, until_ns: int) -> None:
        """See ``LimiterState``."""
        async with self._file.changing() as kept:
            kept.setdefault(self._name(key), {})[token] = until_ns

    def _name(self, key: str) -> str:
        """Return what a key's slots are kept under; the key itself may hold a secret and appears nowhere."""
        return hashlib.sha256(f"{self._clock}\x1f{key}".encode()).hexdigest()[:32]


def limits_of(home: Home, clock: str = "") -> FileLimiterState:
    """Return the slots that the processes of ``home`` share."""
    return FileLimiterState(home.path / "market" / "limits.json", clock)


class BothLimiterStates:
    """Slots that are taken in two places: here for the processes of this home, there for those of other hosts."""

    def __init__(self, here: LimiterState, there: LimiterState) -> None:
        self._here = here
        self._there = there

    async def reserve(self, key: str, token: str, *, now_ns: int, window_ns: int, limit: int) -> int | None:
        """Take a slot in both places or in none; see ``LimiterState``."""
        free_ns = await self._there.reserve(key, token, now_ns=now_ns, window_ns=window_ns, limit=limit)
        if free_ns is not None:
            return free_ns
        free_ns = await self._here.reserve(key, token, now_ns=now_ns, window_ns=window_ns, limit=limit)
        if free_ns is not None:
            await self._there.settle(key, token, until_ns=now_ns)
        return free_ns

    async def settle(self, key: str, token: str, *, until_ns: int) -> None:
        """Let the slot count in both places until ``until_ns``."""
        await self._here.settle(key, token, until_ns=until_ns)
        await self._there.settle(key, token, until_ns=until_ns)
