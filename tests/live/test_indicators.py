"""Indicators of a lane: what open bars would give, asked often and in parts, is what a fresh copy gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.live.rows_of import START_NS, frame_of, minute, session

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
    st.tuples(st.integers(0, 1), st.dictionaries(st.sampled_from(SYMBOLS), st.floats(40.0, 70.0), min_size=1)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=30, deadline=None)
@given(asked=asked, n_minutes=st.sampled_from([0, 5, 25, 40]))
def test_open_bars_said_in_any_order_and_parts_give_what_a_copy_of_the_grid_gives(
    asked: list[tuple[int, dict[str, float]]], n_minutes: int
) -> None:
    mine = lane(n_minutes)
    before = mine.grid.snapshot()
    for later, closes in asked:
        rows = [minute(symbol, n_minutes + later, close) for symbol, close in closes.items()]
        bars = frame_of(rows, START_NS)
        found = mine.with_open(bars)
        copy = BarGrid.restore(before)
        copy.apply(bars)
        for name, values in indicators(copy, NAMES).items():
            known = dict(zip(copy.symbols, values, strict=True))
            expected = np.array([known.get(symbol, np.nan) for symbol in bars.symbols])
            np.testing.assert_array_equal(found[name], expected, err_msg=name)
    assert mine.grid.snapshot() == before
