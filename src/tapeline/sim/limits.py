"""The vendor's own rate limit, and the count of what it was asked.

In: moments on the logical clock.  Out: yes or no with the numbers of the X-RateLimit headers, and statistics.
Refuses a request when ``limit`` others were served in the 60 seconds before it.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from tapeline.core.types import NS_PER_S

WINDOW_NS = 60 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the limit says of one request; ``reset_s`` is the epoch second at which the next slot is free."""

    served: bool
    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """Return the vendor's three headers."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_s),
        }


class SlidingLimit:
    """At most ``limit`` requests in any 60 seconds of logical time, or another window. A refused one uses no slot."""

    def __init__(self, limit: int, window_ns: int = WINDOW_NS) -> None:
        self.limit = limit
        self._window_ns = window_ns
        self._served_ns: deque[int] = deque()

    def take(self, now_ns: int) -> Verdict:
        """Serve or refuse a request that arrives at ``now_ns``."""
        while self._served_ns and self._served_ns[0] <= now_ns - self._window_ns:
            self._served_ns.popleft()
        served = len(self._served_ns) < self.limit
        if served:
            self._served_ns.append(now_ns)
        oldest_ns = self._served_ns[0] if self._served_ns else now_ns
        reset_s = -(-(oldest_ns + self._window_ns) // NS_PER_S)
        return Verdict(served, self.limit, self.limit - len(self._served_ns), reset_s)


@dataclass(slots=True)
class Stats:
    """What has been asked so far, per route and per family of routes (one limit each); refused requests included."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    peak_per_minute: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    _recent: dict[str, deque[int]] = field(default_factory=dict)

    def arrived(self, route: str, family: str, now_ns: int) -> None:
        """Count a request that has come in."""
        self.requests[route] += 1
        recent = self._recent.setdefault(family, deque())
        recent.append(now_ns)
        while recent[0] <= now_ns - WINDOW_NS:
            recent.popleft()
        self.peak_per_minute[family] = max(self.peak_per_minute.get(family, 0), len(recent))

    def answered(self, status: int, n_bytes: int, fault: str | None) -> None:
        """Count an answer that goes out."""
        self.statuses[str(status)] += 1
        self.bytes += n_bytes
        if fault is not None:
            self.faults[fault] += 1

    def as_dict(self) -> dict[str, object]:
        """Return the counts with sorted keys, as ``/sim/stats`` shows them."""
        return {
            "requests": dict(sorted(self.requests.items())),
            "statuses": dict(sorted(self.statuses.items())),
            "refused_429": self.statuses["429"],
            "faults": dict(sorted(self.faults.items())),
            "peak_requests_per_60_s": dict(sorted(self.peak_per_minute.items())),
            "bytes": self.bytes,
        }
