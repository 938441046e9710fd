"""Failures told by their cause, each once: who failed, why, and how often.

In: the reasons of outcomes.  Out: the cause in a reason, and whether a failure is a new one.
Refuses to count a cause twice because another symbol, moment or address stands in its sentence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tapeline.feed.breaker import NOT_ASKED

_ADDRESS = re.compile(r"/\S+")
_NUMBER = re.compile(r"(?<!answered )\b\d+(?:\.\d+)?")


def cause_of(reason: str) -> str:
    """Return why a source failed, without that it is not asked any more for that reason."""
    return reason.partition(NOT_ASKED)[0]


@dataclass(slots=True)
class Failures:
    """How often each source failed for each cause. The address that was asked and numbers tell no causes apart."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def is_new(self, part: str, reason: str) -> bool:
        """Count a failure; return whether it is the first of its source and cause."""
        key = (part, _NUMBER.sub("#", _ADDRESS.sub("/", cause_of(reason))))
        self.counts[key] = self.counts.get(key, 0) + 1
        return self.counts[key] == 1
