"""A grid in parts: head and rows make the grid again, whatever came later, and what does not fit is refused."""

from __future__ import annotations

import pytest
from tests.live.rows_of import START_NS, frame_of, minute, session

from tapeline.core.errors import BadMessage
from tapeline.grid import BarGrid
from tapeline.grid.wire import grid_of, head_of, row_of

NAMES = ("sma_20", "ema_12", "rsi_14")


def filled(n_minutes: int, capacity: int = 30) -> BarGrid:
    grid = BarGrid.empty(["A", "B", "C"], capacity, 60, track=NAMES)
    for frame in session(n_minutes, ["A", "B", "C"]):
        grid.apply(frame)
    return grid


def rows_of(grid: BarGrid) -> dict[int, bytes]:
    return {event: row_of(grid, event) for event in grid.event_ns.tolist()}


@pytest.mark.parametrize("n_minutes", [0, 5, 30, 47])
def test_head_and_rows_make_the_same_grid_again(n_minutes: int) -> None:
    grid = filled(n_minutes)
    assert grid_of(head_of(grid), rows_of(grid)).snapshot() == grid.snapshot()


def test_rows_written_before_a_symbol_came_have_no_bar_of_it() -> None:
    before = filled(12)
    rows = rows_of(before)
    after = before.with_symbols(["A", "B", "C", "D"])
    assert grid_of(head_of(after), rows).snapshot() == after.snapshot()


def test_a_head_needs_all_its_rows_and_rows_that_fit() -> None:
    grid = filled(5)
    rows = rows_of(grid)
    first = min(rows)
    for bad in ({**rows, first: rows[first][:-8]}, {k: v for k, v in rows.items() if k != first}):
        with pytest.raises(BadMessage, match="these parts are no grid"):
            grid_of(head_of(grid), bad)
    with pytest.raises(BadMessage, match="these parts are no grid"):
        grid_of(b"\xff", rows)


def test_there_is_no_row_of_a_time_without_one() -> None:
    assert row_of(filled(5), START_NS + 1) == b""


def test_a_corrected_bar_changes_its_row_only() -> None:
    grid = filled(10)
    before = rows_of(grid)
    grid.apply(frame_of([minute("A", 4, 77.0)], START_NS, revision=3))
    after = rows_of(grid)
    changed = [event for event in before if before[event] != after[event]]
    assert len(changed) == 1
    assert grid_of(head_of(grid), after).snapshot() == grid.snapshot()
