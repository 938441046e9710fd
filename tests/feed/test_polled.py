"""How far a poller has come, from one start to the next."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import anyio
import pytest
from tests.feed.worlds import CLOSE_NS, MINUTE_NS, OPEN_NS

from tapeline.core.calendar import SessionCalendar
from tapeline.feed.polled import KEPT_FEEDS, Past, PolledFile

CALENDAR = SessionCalendar()
DAY_NS = 24 * 60 * MINUTE_NS
YESTERDAY_OPEN_NS = CALENDAR.session(dt.date(2010, 5, 5)).open_ns


def test_each_feed_and_symbol_goes_on_from_its_own_mark(tmp_path: Path) -> None:
    path = tmp_path / "market" / "polled.json"
    anyio.run(PolledFile(path).note, "iex here", {"A": OPEN_NS, "B": OPEN_NS + MINUTE_NS})
    anyio.run(PolledFile(path).note, "iex here", {"B": OPEN_NS + 2 * MINUTE_NS, "C": OPEN_NS})
    anyio.run(PolledFile(path).note, "sip here", {"A": OPEN_NS + MINUTE_NS})
    now_ns = OPEN_NS + 5 * MINUTE_NS
    found = PolledFile(path).marks("iex here", ("A", "B", "D"), now_ns, CALENDAR)
    assert found == Past({"A": OPEN_NS, "B": OPEN_NS + 2 * MINUTE_NS}, ())
    assert PolledFile(path).marks("iex there", ("A",), now_ns, CALENDAR) == Past({}, ())


@pytest.mark.parametrize(
    ("mark_ns", "now_ns", "past"),
    [
        (YESTERDAY_OPEN_NS, OPEN_NS + MINUTE_NS, "kept"),
        (YESTERDAY_OPEN_NS - MINUTE_NS, OPEN_NS + MINUTE_NS, "too old"),
        (YESTERDAY_OPEN_NS, CLOSE_NS + MINUTE_NS, "too old"),  # the next session is tomorrow's
        (OPEN_NS, CLOSE_NS + MINUTE_NS, "kept"),
        (OPEN_NS + MINUTE_NS, OPEN_NS, "none"),  # a clock that began anew
    ],
)
def test_marks_of_long_ago_and_of_the_future_are_not_gone_on_from(
    tmp_path: Path, mark_ns: int, now_ns: int, past: str
) -> None:
    file = PolledFile(tmp_path / "polled.json")
    anyio.run(file.note, "feed", {"A": mark_ns})
    expected = {"kept": Past({"A": mark_ns}, ()), "too old": Past({}, ("A",)), "none": Past({}, ())}
    assert file.marks("feed", ("A",), now_ns, CALENDAR) == expected[past]


def test_only_so_many_feeds_are_remembered_the_last_used_ones(tmp_path: Path) -> None:
    file = PolledFile(tmp_path / "polled.json")
    for number in range(KEPT_FEEDS + 1):
        anyio.run(file.note, str(number), {"A": OPEN_NS})
        anyio.run(file.note, "1", {"A": OPEN_NS})
    kept = [feed for feed in map(str, range(KEPT_FEEDS + 1)) if file.marks(feed, "A", OPEN_NS, CALENDAR).marks]
    assert kept == ["1", *map(str, range(2, KEPT_FEEDS + 1))]
