"""The minute book: what is known of each minute of each symbol."""

from __future__ import annotations

import datetime as dt

from tests.feed.worlds import MINUTE_NS, OPEN_NS

from tapeline.core.calendar import SessionCalendar
from tapeline.feed.minutes import Minute, MinuteBook

CALENDAR = SessionCalendar()


def _book() -> MinuteBook:
    book = MinuteBook(("A", "B"))
    book.begin(CALENDAR.session(dt.date(2010, 5, 6)))
    return book


def test_what_nobody_asked_for_is_unknown() -> None:
    book = _book()
    assert book.state("A", OPEN_NS) is Minute.UNKNOWN
    assert book.state("Z", OPEN_NS) is Minute.UNKNOWN
    assert book.state("A", OPEN_NS - MINUTE_NS) is Minute.UNKNOWN
    assert MinuteBook(("A",)).counts(OPEN_NS)[Minute.UNKNOWN] == 1


def test_a_bar_is_never_unlearned_and_a_missing_minute_can_be_mended() -> None:
    book = _book()
    book.note(("A", "B"), [OPEN_NS] * 2, Minute.MISSING)
    book.note(("A",), [OPEN_NS], Minute.BAR)
    book.note(("A", "B"), [OPEN_NS] * 2, Minute.NO_TRADE)
    assert (book.state("A", OPEN_NS), book.state("B", OPEN_NS)) == (Minute.BAR, Minute.NO_TRADE)
    assert book.counts(OPEN_NS) == {Minute.UNKNOWN: 0, Minute.MISSING: 0, Minute.NO_TRADE: 1, Minute.BAR: 1}


def test_a_symbol_that_comes_later_gets_its_own_column() -> None:
    book = _book()
    book.note(("C",), [OPEN_NS + MINUTE_NS], Minute.BAR)
    assert book.state("C", OPEN_NS + MINUTE_NS) is Minute.BAR
    assert book.state("C", OPEN_NS) is Minute.UNKNOWN


def test_another_session_begins_empty_and_the_same_one_is_kept() -> None:
    book = _book()
    book.note(("A",), [OPEN_NS], Minute.BAR)
    book.begin(CALENDAR.session(dt.date(2010, 5, 6)))
    assert book.state("A", OPEN_NS) is Minute.BAR
    book.begin(CALENDAR.session(dt.date(2010, 5, 7)))
    assert book.state("A", OPEN_NS) is Minute.UNKNOWN
