"""The running day: equal to the slow fold over the minutes so far, and never behind an earlier word on the same day."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.loop.town import CLOSE_NS, DAY, MINUTE_NS, MINUTES, OPEN_NS, SESSION

from tapeline.core.types import BAR_FIELDS, DAY_S, MINUTE_S, BarFrame, Label
from tapeline.grid import BarGrid
from tapeline.loop.today import running_day

SYMBOLS = ("A", "B", "C")
Row = tuple[str, int, float, float]
"""symbol, minute, price, volume"""

rows = st.lists(
    st.tuples(
        st.sampled_from(SYMBOLS),
        st.integers(-2, MINUTES + 2),
        st.floats(1.0, 1000.0),
        st.one_of(st.just(0.0), st.floats(1.0, 1e6)),
    ),
    max_size=25,
    unique_by=lambda row: row[:2],
)


def frame_of(found: list[Row]) -> BarFrame:
    """Return minute bars that open 1 % below and close 1 % above their price."""
    price = np.array([row[2] for row in found])
    columns = {"open": 0.99 * price, "high": 1.02 * price, "low": 0.98 * price, "close": 1.01 * price, "vwap": price}
    columns |= {"volume": np.array([row[3] for row in found]), "trades": np.full(len(found), 3.0)}
    starts = np.array([OPEN_NS + row[1] * MINUTE_NS for row in found], np.int64)
    names = tuple(row[0] for row in found)
    return BarFrame(MINUTE_S, "sip", Label.BRIDGED, CLOSE_NS, names, starts, **columns)


def grid_of(found: list[Row]) -> BarGrid:
    grid = BarGrid.empty(SYMBOLS, MINUTES + 10, MINUTE_S)
    grid.apply(frame_of(found))
    return grid


def fold(grid: BarGrid, minute: int) -> BarFrame:
    return running_day(grid, SESSION, as_of_ns=OPEN_NS + minute * MINUTE_NS, feed="sip", label=Label.BRIDGED)


def naive(found: list[Row], minute: int) -> dict[str, dict[str, float]]:
    """Fold row by row what started in the session before ``minute``."""
    days: dict[str, dict[str, float]] = {}
    for symbol, start, price, volume in sorted(found, key=lambda row: row[1]):
        if not 0 <= start < min(minute, MINUTES):
            continue
        day = days.setdefault(symbol, {"open": 0.99 * price, "high": 0.0, "low": math.inf})
        day["high"], day["low"] = max(day["high"], 1.02 * price), min(day["low"], 0.98 * price)
        day["close"] = 1.01 * price
        day["volume"] = day.get("volume", 0.0) + volume
        day["dollars"] = day.get("dollars", 0.0) + price * volume
        day["trades"] = day.get("trades", 0.0) + 3.0
    for day in days.values():
        dollars = day.pop("dollars")
        day["vwap"] = dollars / day["volume"] if day["volume"] else math.nan
    return days


@given(rows, st.integers(0, MINUTES + 2))
def test_any_minutes_fold_to_what_the_slow_fold_makes_of_them(found: list[Row], minute: int) -> None:
    day = fold(grid_of(found), minute)
    expected = naive(found, minute)
    assert day.symbols == tuple(sorted(expected))
    assert (day.timeframe_s, day.feed, day.label) == (DAY_S, "sip", Label.BRIDGED)
    assert set(day.event_ns.tolist()) <= {OPEN_NS}
    for i, symbol in enumerate(day.symbols):
        got = {name: float(getattr(day, name)[i]) for name in BAR_FIELDS}
        assert got == pytest.approx(expected[symbol], rel=1e-12, nan_ok=True)


@given(rows, st.integers(0, MINUTES))
def test_minutes_that_start_later_change_nothing(found: list[Row], minute: int) -> None:
    known = [row for row in found if row[1] < minute]
    now, then = fold(grid_of(found), minute), fold(grid_of(known), minute)
    assert now.symbols == then.symbols
    for name in BAR_FIELDS:
        np.testing.assert_array_equal(getattr(now, name), getattr(then, name))


def test_no_minute_at_all_folds_to_an_empty_frame() -> None:
    day = fold(BarGrid.empty(SYMBOLS, MINUTES, MINUTE_S), 5)
    assert (len(day), day.as_of_ns) == (0, OPEN_NS + 5 * MINUTE_NS)


def test_the_day_begins_where_the_calendar_says() -> None:
    day = fold(grid_of([("A", 0, 10.0, 5.0)]), 1)
    assert np.datetime64(int(day.event_ns[0]), "ns").astype("datetime64[D]") == np.datetime64(DAY)


@pytest.mark.parametrize(("minute", "symbol"), [(0, "B"), (1, "A"), (1, "B")])
def test_a_bar_that_came_late_replaces_the_day_that_lacked_it(minute: int, symbol: str) -> None:
    """Also when no later minute has begun meanwhile, as after the close."""
    told: list[Row] = [("A", 0, 10.0, 5.0), ("B", 2, 20.0, 5.0), ("C", 1, 30.0, 5.0)]
    grid, days = grid_of(told), BarGrid.empty(SYMBOLS, 2, DAY_S)
    days.apply(fold(grid, 3))
    late: Row = (symbol, minute, 30.0, 7.0)
    grid.apply(frame_of([late]))
    days.apply(fold(grid, 3))
    assert dict(zip(SYMBOLS, days.last("volume").tolist(), strict=True)) == {"A": 5.0, "B": 5.0, "C": 5.0, symbol: 12.0}


def test_an_earlier_fold_does_not_replace_a_later_one() -> None:
    grid, days = grid_of([("A", 0, 10.0, 5.0), ("A", 1, 11.0, 5.0)]), BarGrid.empty(SYMBOLS, 2, DAY_S)
    days.apply(fold(grid, 2))
    days.apply(fold(grid, 1))
    assert days.last("volume")[0] == 10.0
