"""Extended hours: the same days, from early morning into the evening."""

from __future__ import annotations

import datetime as dt

from tapeline.core.calendar import SessionCalendar
from tapeline.core.types import NS_PER_S
from tapeline.feed.hours import ExtendedHours

CALENDAR = SessionCalendar()


def _utc(day: int, hour: int, month: int = 5) -> int:
    return int(dt.datetime(2010, month, day, hour, tzinfo=dt.UTC).timestamp()) * NS_PER_S


def test_a_day_runs_from_four_to_twenty_in_new_york() -> None:
    session = ExtendedHours(CALENDAR).next_session(_utc(6, 12))
    assert (session.open_ns, session.close_ns, session.minutes) == (_utc(6, 8), _utc(7, 0), 960)


def test_the_evening_belongs_to_its_own_day() -> None:
    calendar = ExtendedHours(CALENDAR)
    assert calendar.next_session(_utc(6, 23)).day == dt.date(2010, 5, 6)
    assert calendar.next_session(_utc(7, 0)).day == dt.date(2010, 5, 7)


def test_a_half_day_ends_at_five_in_the_afternoon() -> None:
    assert ExtendedHours(CALENDAR).next_session(_utc(26, 15, 11)).close_ns == _utc(26, 22, 11)
