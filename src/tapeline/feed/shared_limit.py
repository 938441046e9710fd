"""What several processes on one key have sent between them, so that together they keep one limit.

In: wishes to send and the ends of requests, each under its own token.  Out: a slot, or when one may come free.
Refuses to forget a process that died in the middle: its reservation counts as if its request had timed out.
"""

from __future__ import annotations

from typing import Protocol

MAX_FLIGHT_NS = 60_000_000_000
"""A request that nobody has reported the end of within this time counts as ended then; above every read timeout."""


class LimiterState(Protocol):
    """Slots of one key, wherever they are kept. Both methods are one step each, whoever else calls them.

    Both raise ``Unavailable`` when it cannot be reached; then nothing is sent.
    """

    async def reserve(self, key: str, token: str, *, now_ns: int, window_ns: int, limit: int) -> int | None:
        """Take a slot for ``token``; return None when it is taken, else the first moment at which one may be free."""
        ...

    async def settle(self, key: str, token: str, *, until_ns: int) -> None:
        """Let the slot of ``token`` count until ``until_ns``, for its answer has come or nobody waits for it."""
        ...


class MemoryLimiterState:
    """Slots in this process: for tests, and for several limiters on one key."""

    def __init__(self) -> None:
        self._slots: dict[str, dict[str, int]] = {}

    async def reserve(self, key: str, token: str, *, now_ns: int, window_ns: int, limit: int) -> int | None:
        """See ``LimiterState``."""
        slots = {t: until_ns for t, until_ns in self._slots.get(key, {}).items() if until_ns > now_ns}
        self._slots[key] = slots
        if len(slots) >= limit:
            return min(slots.values())
        slots[token] = now_ns + MAX_FLIGHT_NS + window_ns
        return None

    async def settle(self, key: str, token: str, *, until_ns: int) -> None:
        """See ``LimiterState``."""
        self._slots.setdefault(key, {})[token] = until_ns
