"""Rows: every kind of bad one is refused with its reason, and only that one."""

from __future__ import annotations

import math

import pytest
from tests.live.rows_of import START_NS, frame_of, minute

from tapeline.live.rows import split_rows

GOOD = minute("A", 0)


@pytest.mark.parametrize("column", [2, 3, 4, 5])
@pytest.mark.parametrize("price", [math.nan, math.inf, -math.inf, 0.0, -1.0])
def test_a_price_that_is_none_is_refused(column: int, price: float) -> None:
    bad = (*GOOD[:column], price, *GOOD[column + 1 :])
    good, refused = split_rows(frame_of([GOOD, bad], START_NS), 0)
    assert len(good) == 1
    assert [part.reason for part in refused] == ["a price that is not a positive number"]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        (2, 50.0, "open or close outside low..high"),
        (5, 0.5, "open or close outside low..high"),
        (6, -1.0, "a volume that is not a number of at least zero"),
        (6, math.nan, "a volume that is not a number of at least zero"),
        (6, math.inf, "a volume that is not a number of at least zero"),
        (7, -5.0, "a vwap that is neither missing nor positive"),
        (7, math.inf, "a vwap that is neither missing nor positive"),
        (1, START_NS - 1, "too late: its bar is not kept any more"),
    ],
)
def test_a_bad_row_is_refused_with_its_reason(column: int, value: float, reason: str) -> None:
    bad = (*GOOD[:column], value, *GOOD[column + 1 :])
    good, refused = split_rows(frame_of([GOOD, bad], START_NS), START_NS)
    assert good.symbols == ("A",)
    assert [(part.reason, len(part.rows)) for part in refused] == [(reason, 1)]


def test_a_good_frame_passes_untouched() -> None:
    missing_vwap = (*GOOD[:6], 0.0, math.nan)
    frame = frame_of([GOOD, missing_vwap], START_NS)
    assert split_rows(frame, START_NS) == (frame, ())
