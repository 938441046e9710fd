"""What volatility was: a percentile only of enough days, a year back, kept over restarts."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import pytest

from tapeline.core.errors import BadInput, DataError
from tapeline.scan.iv import MIN_DAYS, IvMemory

DAY = dt.date(2010, 5, 6)


def remembered(n_days: int, path: Path | None = None) -> IvMemory:
    """Return a memory of levels 0.01, 0.02, ... on the days before, the newest lowest."""
    memory = IvMemory(path)
    for back in range(n_days, 0, -1):
        memory.note("A", DAY - dt.timedelta(days=back), back / 100)
    return memory


def test_share_of_calmer_days_is_told_once_there_are_enough() -> None:
    assert remembered(40).percentile("A", DAY, 0.105) == (25.0, "")
    known, why = remembered(MIN_DAYS - 1).percentile("A", DAY, 0.105)
    assert math.isnan(known)
    assert why == f"{MIN_DAYS - 1} days of it are remembered, {MIN_DAYS} are needed"
    assert "no contract" in remembered(40).percentile("A", DAY, math.nan)[1]


def test_today_the_future_and_what_is_older_than_a_year_do_not_count() -> None:
    memory = remembered(40)
    for day in (DAY, DAY + dt.timedelta(days=3), DAY - dt.timedelta(days=500)):
        memory.note("A", day, 0.0)
    assert memory.percentile("A", DAY, 0.105) == (25.0, "")


def test_nan_is_not_remembered_and_the_file_holds_what_was(tmp_path: Path) -> None:
    path = tmp_path / "market" / "iv.json"
    memory = remembered(40, path)
    memory.note("A", DAY, math.nan)
    memory.keep()
    memory.keep()
    assert IvMemory(path).percentile("A", DAY, 0.105) == (25.0, "")
    IvMemory().keep()  # memory alone: nothing to write


def test_a_file_of_something_else_and_a_place_that_cannot_be_written_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "iv.json"
    path.write_text("[1]")
    with pytest.raises(DataError, match="remove it"):
        IvMemory(path)
    path.unlink()
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be kept"):
        remembered(1, tmp_path / "file" / "iv.json").keep()
