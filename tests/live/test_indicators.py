"""Indicators of a lane: what open bars would give is what a fresh copy gives, and only changed rows are saved."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.live.rows_of import START_NS, frame_of, minute, session

from tapeline.core.types import BAR_FIELDS
from tapeline.grid import BarGrid, indicators
from tapeline.live.indicators import LaneIndicators

NAMES = ("sma_20", "ema_12", "rsi_14", "atr_14")
SYMBOLS = ["A", "B", "C", "D"]


def lane(n_minutes: int) -> LaneIndicators:
    """Return the indicators of a lane that has closed some minutes of all but the last symbol."""
    found = LaneIndicators(NAMES, 30, 60)
    for frame in session(n_minutes, SYMBOLS[:3]):
        found.apply(frame, SYMBOLS[:3])
    return found


asked = st.lists(
    st.tuples(st.integers(0, 1), st.dictionaries(st.sampled_from(SYMBOLS[:3]), st.floats(40.0, 70.0), min_size=1)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=30, deadline=None)
@given(asked=asked, n_minutes=st.sampled_from([1, 5, 25, 40]))
def test_open_bars_said_in_any_order_and_parts_give_what_a_copy_of_the_grid_gives(
    asked: list[tuple[int, dict[str, float]]], n_minutes: int
) -> None:
    mine = lane(n_minutes)
    before = mine.grid.snapshot()
    for later, closes in asked:
        rows = [minute(symbol, n_minutes + later, close) for symbol, close in closes.items()]
        bars = frame_of(rows, START_NS)
        block = np.stack([getattr(bars, name) for name in BAR_FIELDS])
        columns = np.array([SYMBOLS.index(symbol) for symbol in bars.symbols])
        found = mine.with_open(columns, int(bars.event_ns[0]), block)
        copy = BarGrid.restore(before)
        copy.apply(bars)
        for k, (name, values) in enumerate(indicators(copy, NAMES).items()):
            np.testing.assert_array_equal(found[k], values[columns], err_msg=name)
    assert mine.grid.snapshot() == before


def test_a_closed_bar_is_saved_once_a_corrected_one_again_and_one_that_went_as_nothing() -> None:
    mine = lane(30)
    first = mine.take_rows()
    assert len(first) == 30
    assert all(first.values())
    assert mine.take_rows() == {}
    mine.apply(frame_of([minute("A", 30, 50.0), minute("A", 20, 51.0)], START_NS, revision=5), SYMBOLS[:3])
    again = mine.take_rows()
    oldest, newest, corrected = min(first), max(again), sorted(first)[20]
    assert set(again) == {oldest, corrected, newest}
    assert again[oldest] == b""
    assert again[corrected] != first[corrected]
