"""Never more than so many requests in any sliding window, measured at the server.

In: callers who want to send.  Out: slots, first come first served, on the injected clock.
Refuses bursts: a slot is taken before the request leaves and counts until a whole window after its answer or timeout,
so wherever between the two the server counted the request, no window holds more than the limit.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import uuid
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from tapeline.core.clock import Clock
from tapeline.core.errors import TapelineError, Unavailable
from tapeline.core.types import NS_PER_S
from tapeline.feed.handover import Handover
from tapeline.feed.shared_limit import LimiterState

_LOOK_AGAIN_NS = 2 * NS_PER_S
"""How long to believe that others on the key leave no room."""

_log = logging.getLogger(__name__)


class NoSlot(TapelineError):
    """No slot can be had before the caller's deadline."""


class SlidingWindowLimiter:
    """A true sliding window that reserves before sending.

    Parameters
    ----------
    limit
        Requests in any window, at most.
    clock
        Whose time counts. On a logical clock the callers must be actors.
    window_s
        Length of the window in seconds.
    state
        Where all processes on the key count their requests; None when this one is alone. What is counted there
        outlives a restart.
    key
        Names the key in ``state``.

    Attributes
    ----------
    peak
        Most slots that ever counted at once.
    """

    def __init__(
        self,
        limit: int,
        *,
        clock: Clock,
        window_s: float = 60.0,
        state: LimiterState | None = None,
        key: str = "",
    ) -> None:
        if limit < 1 or window_s <= 0:
            raise ValueError(f"a limit of {limit} in {window_s} s lets nothing through")
        self.limit = limit
        self.window_s = window_s
        self.peak = 0
        self._window_ns = round(window_s * NS_PER_S)
        self._clock = clock
        self._in_flight = 0
        self._spent: deque[int] = deque()  # moments of answers, oldest first
        self._foreign: list[int] = []  # heap of moments until which requests of others on our key count
        self._paused_until_ns = 0
        self._queue: deque[Handover] = deque()
        self._state = state
        self._key = key
        self._name = uuid.uuid4().hex  # tells the processes on one key apart, and nothing else
        self._serial = itertools.count()

    @property
    def used(self) -> int:
        """Slots that count now: in flight, answered less than a window ago, or taken by others on the key."""
        self._forget()
        return self._in_flight + len(self._spent) + len(self._foreign)

    @asynccontextmanager
    async def slot(self, deadline_ns: int | None = None) -> AsyncIterator[None]:
        """Hold a slot while the body sends a request and waits for its answer.

        Raises
        ------
        NoSlot
            When no slot can be had before ``deadline_ns``; at once when that is already certain.
        """
        token = await self._reserve(deadline_ns)
        try:
            yield
        finally:
            self._in_flight -= 1
            self._spent.append(self._clock.now_ns())
            self._call_first()
            if self._state is not None:
                await self._settle(self._state, token)

    def reconcile(self, remaining: int, reset_ns: int | None = None) -> None:
        """Believe a server that counts more than we do: somebody else uses the key.

        Parameters
        ----------
        remaining
            What the server would still take (``X-RateLimit-Remaining``).
        reset_ns
            When its count starts anew (``X-RateLimit-Reset``); unknown means a whole window.
        """
        surplus = self.limit - self.used - max(0, remaining)
        now_ns = self._clock.now_ns()
        latest_ns = now_ns + self._window_ns
        until_ns = latest_ns if reset_ns is None or reset_ns <= now_ns else min(reset_ns, latest_ns)
        for _ in range(surplus):
            heapq.heappush(self._foreign, until_ns)

    def pause(self, until_ns: int) -> None:
        """Give no slot before ``until_ns``: the server said so (``Retry-After``)."""
        self._paused_until_ns = max(self._paused_until_ns, until_ns)

    def dump(self) -> dict[str, list[int]]:
        """Return what counts, as UTC nanoseconds; requests in flight count as answered now."""
        self._forget()
        flying = [self._clock.now_ns()] * self._in_flight
        return {
            "spent_ns": [*self._spent, *flying],
            "foreign_ns": sorted(self._foreign),
            "paused_until_ns": [self._paused_until_ns],
        }

    def load(self, state: dict[str, list[int]]) -> None:
        """Add what an earlier limiter on the same key had counted when it was dumped."""
        self._spent = deque(sorted([*self._spent, *state["spent_ns"]]))
        self._foreign = sorted([*self._foreign, *state["foreign_ns"]])
        self.pause(max(state["paused_until_ns"], default=0))

    async def _reserve(self, deadline_ns: int | None) -> str:
        """Wait for our turn and take a slot; return its token."""
        token = f"{self._name}-{next(self._serial)}"
        self._check(deadline_ns, ahead=len(self._queue))
        turn = Handover(self._clock)
        self._queue.append(turn)
        try:
            while True:
                free_ns = self._free_at_ns(0) if self._queue[0] is turn else None
                if free_ns is None:  # not our turn, or only an answer can tell when a slot comes free
                    await turn.wait()
                elif free_ns > self._clock.now_ns():
                    self._check(deadline_ns, ahead=0)
                    await self._clock.sleep_until(free_ns)
                else:
                    self._check(deadline_ns, ahead=0)
                    elsewhere_ns = await self._reserve_elsewhere(token)
                    if elsewhere_ns is None:
                        break
                    now_ns = self._clock.now_ns()
                    # A slot in flight elsewhere counts for a window after an answer that may come any moment.
                    self._check_moment(min(elsewhere_ns, now_ns + self._window_ns), deadline_ns)
                    await self._clock.sleep_until(min(elsewhere_ns, now_ns + _LOOK_AGAIN_NS))
            self._in_flight += 1
            self.peak = max(self.peak, self.used)
            return token
        finally:
            self._queue.remove(turn)
            self._call_first()

    async def _reserve_elsewhere(self, token: str) -> int | None:
        """Take a slot among all processes on the key; return None when it is taken, else when one may be free."""
        if self._state is None:
            return None
        now_ns = self._clock.now_ns()
        try:
            return await self._state.reserve(
                self._key, token, now_ns=now_ns, window_ns=self._window_ns + 1, limit=self.limit
            )
        except Unavailable as error:
            raise NoSlot(str(error)) from error

    async def _settle(self, state: LimiterState, token: str) -> None:
        until_ns = self._clock.now_ns() + self._window_ns + 1
        with anyio.CancelScope(shield=True):
            try:
                await state.settle(self._key, token, until_ns=until_ns)
            except Unavailable as error:  # its reservation counts longer than it had to, and harms nobody
                _log.warning("a slot was not given back: %s", error)

    def _check(self, deadline_ns: int | None, *, ahead: int) -> None:
        """Raise when whoever has ``ahead`` others before it cannot have a slot in time."""
        if deadline_ns is None:
            return
        now_ns = self._clock.now_ns()
        free_ns = self._free_at_ns(ahead)
        # A slot that is in flight counts for a whole window after an answer that has not come yet.
        self._check_moment(now_ns + self._window_ns if free_ns is None else free_ns, deadline_ns)

    def _check_moment(self, earliest_ns: int, deadline_ns: int | None) -> None:
        """Raise when a slot that comes at ``earliest_ns`` comes too late."""
        if deadline_ns is not None and earliest_ns > deadline_ns:
            wait_s = (earliest_ns - self._clock.now_ns()) / NS_PER_S
            raise NoSlot(
                f"all {self.limit} requests of {self.window_s:g} s are used: the next slot comes in {wait_s:.1f} s, "
                f"after the deadline"
            )

    def _free_at_ns(self, ahead: int) -> int | None:
        """Return when a slot comes free for whoever has ``ahead`` others before it; None when only answers can tell."""
        free = self.limit - self.used
        if ahead < free:
            return max(self._clock.now_ns(), self._paused_until_ns)
        # One nanosecond more than the window: a server that counts both ends of its window agrees, too.
        ends = heapq.merge((moment + self._window_ns + 1 for moment in self._spent), sorted(self._foreign))
        end_ns = next(itertools.islice(ends, ahead - free, None), None)
        return None if end_ns is None else max(end_ns, self._paused_until_ns)

    def _forget(self) -> None:
        now_ns = self._clock.now_ns()
        while self._spent and self._spent[0] + self._window_ns < now_ns:
            self._spent.popleft()
        while self._foreign and self._foreign[0] <= now_ns:
            heapq.heappop(self._foreign)

    def _call_first(self) -> None:
        if self._queue:
            self._queue[0].wake()
