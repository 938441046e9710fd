"""Every line can be spoken of every symbol."""

from __future__ import annotations

import datetime as dt

from tapeline.sim import screenplay


def test_every_line_has_only_names_that_are_filled_in() -> None:
    titles = screenplay.EVERGREEN_TITLES + screenplay.UP_TITLES + screenplay.DOWN_TITLES
    lines = screenplay.ON_UP + screenplay.ON_DOWN + screenplay.ON_NOTHING + screenplay.ON_MARKET
    for line in (*titles, *lines, screenplay.FOR_MACHINES):
        said = line.format(name="Alcoa", symbol="AA", pct="1.0")
        assert "{" not in said


def test_every_title_about_a_symbol_names_it() -> None:
    for title in (*screenplay.UP_TITLES, *screenplay.DOWN_TITLES):
        assert "AA" in title.format(name="Alcoa", symbol="AA", pct="1.0")


def test_shows_have_times_of_the_day() -> None:
    assert [dt.time.fromisoformat(time) for time, _ in screenplay.SHOWS] == [
        dt.time(8, 15),
        dt.time(12, 30),
        dt.time(16, 40),
    ]
