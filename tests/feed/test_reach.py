"""How far back was asked: remembered over a restart, never less than before."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tapeline.core.errors import DataError
from tapeline.feed.reach import Reach

EARLY, LATE = dt.date(2009, 3, 2), dt.date(2010, 3, 1)


def test_what_was_asked_once_is_known_after_a_restart_and_stays_when_less_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "market" / "reach.json"
    reach = Reach(path)
    assert not reach.covers("AAPL", LATE)
    reach.note(["AAPL", "IBM"], LATE)
    reach.note(["AAPL"], EARLY)
    reach.note(["AAPL"], LATE)
    again = Reach(path)
    assert again.covers("AAPL", EARLY)
    assert again.covers("AAPL", LATE)
    assert again.covers("IBM", LATE)
    assert not again.covers("IBM", EARLY)


def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "reach.json"
    path.write_text('{"AAPL": "soon"}')
    with pytest.raises(DataError, match="remove it and sync again"):
        Reach(path)
