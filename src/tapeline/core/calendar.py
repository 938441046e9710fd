"""When the market is open. Sessions come from exchange_calendars: holidays, half days, daylight saving.

In: a date or a moment.  Out: a ``Session`` in UTC nanoseconds.  Refuses dates beyond what the calendar knows.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tapeline.core.errors import BadInput
from tapeline.core.types import MINUTE_S, NS_PER_S


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day: [open_ns, close_ns)."""

    day: dt.date
    open_ns: int
    close_ns: int

    @property
    def minutes(self) -> int:
        """Minutes from open to close; 390 on a full day in New York."""
        return (self.close_ns - self.open_ns) // (MINUTE_S * NS_PER_S)


class SessionCalendar:
    """Sessions of one exchange.

    Parameters
    ----------
    mic
        Market identifier, e.g. ``"XNYS"`` for New York.
    first
        The first day that is needed; the calendar is built from there on.
    """

    def __init__(self, mic: str = "XNYS", first: dt.date = dt.date(2006, 1, 1)) -> None:
        self.mic = mic
        self._calendar = _calendar(mic, first)

    def knows(self, day: dt.date) -> bool:
        """Return whether ``day`` lies within what the calendar covers; elsewhere the other questions are refused."""
        return bool(self._calendar.first_session.date() <= day <= self._calendar.last_session.date())

    def is_session(self, day: dt.date) -> bool:
        """Return whether the exchange opens on ``day``."""
        return bool(self._calendar.is_session(self._label(day)))

    def session(self, day: dt.date) -> Session:
        """Return the session of ``day``. Raises BadInput when the exchange is shut then."""
        if not self.is_session(day):
            raise BadInput(f"{self.mic} is shut on {day}: choose a trading day")
        label = self._label(day)
        return Session(
            day, int(self._calendar.session_open(label).value), int(self._calendar.session_close(label).value)
        )

    def next_session(self, moment_ns: int) -> Session:
        """Return the session that is open at ``moment_ns`` or opens next."""
        import pandas as pd  # exchange_calendars speaks pandas; nothing else here does

        stamp = pd.Timestamp(moment_ns, unit="ns", tz="UTC")
        try:
            label = self._calendar.minute_to_session(stamp, direction="next")
        except ValueError as error:
            raise BadInput(f"{self.mic}'s calendar does not reach {stamp}: {error}") from None
        return self.session(label.date())

    def previous_session(self, day: dt.date) -> Session:
        """Return the last session before ``day``, which need not be one itself."""
        label = self._calendar.date_to_session(self._label(day - dt.timedelta(days=1)), direction="previous")
        return self.session(label.date())

    def session_until(self, day: dt.date) -> Session:
        """Return the session of ``day``, or the last one before it."""
        return self.session(day) if self.is_session(day) else self.previous_session(day)

    def sessions(self, first: dt.date, last: dt.date) -> list[dt.date]:
        """Return the trading days from ``first`` to ``last``, both included."""
        return [label.date() for label in self._calendar.sessions_in_range(self._label(first), self._label(last))]

    def _label(self, day: dt.date) -> str:
        if not self.knows(day):
            first, last = self._calendar.first_session.date(), self._calendar.last_session.date()
            raise BadInput(f"{self.mic}'s calendar knows {first} to {last}, not {day}")
        return day.isoformat()


@lru_cache(maxsize=4)
def _calendar(mic: str, first: dt.date) -> Any:
    import exchange_calendars

    return exchange_calendars.get_calendar(mic, start=first.isoformat())
