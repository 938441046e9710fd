"""Answers that may be given again for a while, "there is nothing" included.

In: an outcome and how long it holds.  Out: the same outcome, with the moment it was true of.
Refuses to grow: the least recently used entries go when the bodies exceed the bound.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from tapeline.core.outcome import Outcome


@dataclass(frozen=True, slots=True)
class _Entry:
    outcome: Outcome[Any]
    expires_ns: int
    size: int


class TtlCache:
    """Outcomes by their full request.

    Parameters
    ----------
    max_bytes
        Sum of the bodies behind the kept outcomes, at most.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def find(self, key: Hashable, now_ns: int) -> Outcome[Any] | None:
        """Return what is kept and still holds at ``now_ns``."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires_ns <= now_ns:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.outcome

    def keep(self, key: Hashable, outcome: Outcome[Any], *, expires_ns: int, size: int) -> None:
        """Keep an outcome until ``expires_ns``; ``size`` is its body in bytes. One that is too large is not kept."""
        if key in self._entries:
            self._drop(key)
        if size > self._max_bytes:
            return
        self._entries[key] = _Entry(outcome, expires_ns, size)
        self._bytes += size
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Hashable) -> None:
        self._bytes -= self._entries.pop(key).size
