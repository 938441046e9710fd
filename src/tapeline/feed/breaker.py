"""Stop asking a host that keeps failing, and find out gently when it is back.

In: what came of each try.  Out: whether the next may go.  Refuses every try while open; lets one through when half
open. The published breakers read the wall clock or asyncio's loop time; this one runs on the injected clock.
"""

from __future__ import annotations

from enum import StrEnum

NOT_ASKED = " (its breaker is open for another"
"""Stands in a reason between the failure that opened a breaker and how long nobody is asked for that."""


class BreakerState(StrEnum):
    """Closed lets everything through, open nothing, half open one try at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after so many failures in a row.

    Parameters
    ----------
    failures
        Failures in a row that open it.
    open_ns
        How long it stays open before one try may go.

    Attributes
    ----------
    cause
        What the last failure was; empty while all is well.
    """

    def __init__(self, *, failures: int, open_ns: int) -> None:
        self._threshold = failures
        self._open_ns = open_ns
        self._failures = 0
        self._opened_ns: int | None = None
        self._is_trying = False
        self.cause = ""

    def state(self, now_ns: int) -> BreakerState:
        """Return what it does now."""
        if self._opened_ns is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now_ns < self.retry_ns else BreakerState.HALF_OPEN

    @property
    def retry_ns(self) -> int:
        """When one try may go again; 0 while closed."""
        return 0 if self._opened_ns is None else self._opened_ns + self._open_ns

    def admit(self, now_ns: int) -> BreakerState:
        """Return the state a try may go under; ``OPEN`` means it may not. Whoever is admitted must ``settle``."""
        state = self.state(now_ns)
        if state is not BreakerState.HALF_OPEN:
            return state
        if self._is_trying:
            return BreakerState.OPEN
        self._is_trying = True
        return state

    def settle(self, admitted: BreakerState, ok: bool | None, now_ns: int, cause: str = "") -> None:
        """Take in what came of a try.

        Parameters
        ----------
        admitted
            What ``admit`` returned.
        ok
            Whether the host did its work; None when the try says nothing of that: a rate limit, a cancelled task.
        now_ns
            UTC nanoseconds.
        cause
            Of a failure, in words.
        """
        is_trial = admitted is BreakerState.HALF_OPEN
        if is_trial:
            self._is_trying = False
        if ok is None:
            return
        if ok:
            self._failures, self._opened_ns, self.cause = 0, None, ""
            return
        self._failures += 1
        self.cause = cause
        if self._failures >= self._threshold:
            self._opened_ns = now_ns
