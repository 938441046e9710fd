"""Sessions as the exchange had them: holidays, half days, both sides of daylight saving."""

from __future__ import annotations

import datetime as dt

import pytest

from tapeline.core.calendar import SessionCalendar
from tapeline.core.errors import BadInput

CALENDAR = SessionCalendar()


def _utc(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()) * 10**9


def test_the_flash_crash_day_opens_at_nine_thirty_new_york() -> None:
    session = CALENDAR.session(dt.date(2010, 5, 6))
    assert (session.open_ns, session.close_ns) == (_utc("2010-05-06T13:30"), _utc("2010-05-06T20:00"))
    assert session.minutes == 390


def test_winter_time_and_a_half_day() -> None:
    session = CALENDAR.session(dt.date(2009, 11, 27))
    assert (session.open_ns, session.minutes) == (_utc("2009-11-27T14:30"), 210)


@pytest.mark.parametrize("day", ["2010-05-08", "2010-07-05", "2009-12-25"])
def test_a_shut_day_is_refused(day: str) -> None:
    with pytest.raises(BadInput, match="is shut"):
        CALENDAR.session(dt.date.fromisoformat(day))


def test_the_session_after_the_close_is_the_next_day_and_over_a_weekend_monday() -> None:
    friday = CALENDAR.session(dt.date(2010, 5, 7))
    assert CALENDAR.next_session(friday.open_ns) == friday
    assert CALENDAR.next_session(friday.close_ns).day == dt.date(2010, 5, 10)
    assert CALENDAR.previous_session(dt.date(2010, 5, 10)).day == dt.date(2010, 5, 7)


def test_a_day_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(BadInput, match="knows"):
        CALENDAR.session(dt.date(1990, 1, 2))


def test_the_sessions_of_a_week() -> None:
    assert len(CALENDAR.sessions(dt.date(2010, 5, 3), dt.date(2010, 5, 9))) == 5


def test_the_calendar_says_what_it_covers() -> None:
    assert CALENDAR.knows(dt.date(2010, 5, 8))
    assert not CALENDAR.knows(dt.date(1990, 1, 2))
    assert not CALENDAR.knows(dt.date(2090, 1, 2))


def test_the_session_until_a_day_is_its_own_or_the_one_before() -> None:
    assert CALENDAR.session_until(dt.date(2010, 5, 7)).day == dt.date(2010, 5, 7)
    assert CALENDAR.session_until(dt.date(2010, 5, 9)).day == dt.date(2010, 5, 7)
