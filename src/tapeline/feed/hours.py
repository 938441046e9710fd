"""Trading before the bell and after it.

In: a calendar of sessions.  Out: the same sessions, from 5.5 h before the open to 4 h after the close.
Refuses nothing. On a full day in New York that is 04:00 to 20:00; on a half day the evening ends at 17:00, as it does.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from tapeline.core.calendar import Session
from tapeline.core.types import NS_PER_S

BEFORE_OPEN_NS = 19_800 * NS_PER_S
AFTER_CLOSE_NS = 14_400 * NS_PER_S


class Calendar(Protocol):
    """Knows when the market is open."""

    def next_session(self, moment_ns: int) -> Session:
        """Return the session that is open at ``moment_ns`` or opens next."""
        ...


class ExtendedHours:
    """A calendar whose sessions include the hours before the open and after the close."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar

    def next_session(self, moment_ns: int) -> Session:
        """Return the extended session that runs at ``moment_ns`` or begins next."""
        session = self._calendar.next_session(moment_ns - AFTER_CLOSE_NS)
        return replace(session, open_ns=session.open_ns - BEFORE_OPEN_NS, close_ns=session.close_ns + AFTER_CLOSE_NS)
