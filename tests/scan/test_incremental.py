"""A scan that goes on equals a scan that begins anew, to the bit, whatever came in between."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ml.made import QUICK, history, models
from tests.scan.test_market import CONFIG

from tapeline.core.errors import BadInput
from tapeline.core.types import BAR_FIELDS, DAY_S, NS_PER_S, BarFrame, Label
from tapeline.grid import BarGrid
from tapeline.scan.incremental import Scanner, newest_frame, rows_of, scan_by_step
from tapeline.scan.market import Scanned, run_scan
from tapeline.scan.reading import LocalColumns

HISTORY = history()
N = len(HISTORY.grid.symbols)


def scanner(n_bars: int = 200) -> Scanner:
    return Scanner(LocalColumns(rows_of(HISTORY.grid, slice(0, n_bars))), CONFIG, QUICK, models(), about=HISTORY.about)


def frame(grid: BarGrid, cols: list[int], factor: float, revision: int, row: int = -1, days: int = 0) -> BarFrame:
    """Return bars of some symbols at an existing row, or ``days`` after the newest."""
    at = np.array(cols, np.intp)
    columns = {name: grid.field(name)[row][at] * (factor if name != "volume" else 1.0) for name in BAR_FIELDS}
    event = int(grid.event_ns[row]) + days * DAY_S * NS_PER_S
    return BarFrame(
        timeframe_s=DAY_S,
        feed="made",
        label=Label.SIMULATED,
        as_of_ns=event,
        symbols=tuple(grid.symbols[col] for col in cols),
        event_ns=np.full(len(cols), event, np.int64),
        revision=np.full(len(cols), revision, np.int64),
        **columns,
    )


def same(one: Scanned, other: Scanned) -> bool:
    """Return whether two scans agree to the bit."""
    a, b = one.result, other.result
    assert one.forecast is not None
    assert other.forecast is not None
    return (
        (a.candidates, dict(a.exclusions), a.n_scored) == (b.candidates, dict(b.exclusions), b.n_scored)
        and np.array_equal(a.scores, b.scores, equal_nan=True)
        and one.forecast.features.tobytes() == other.forecast.features.tobytes()
    )


def anew(grid: BarGrid) -> Scanned:
    fresh = BarGrid.restore(grid.snapshot())
    return run_scan(fresh, CONFIG, QUICK, models=models(), about=HISTORY.about)


STEPS = st.lists(
    st.tuples(st.sampled_from(["revise", "append", "correct", "split"]), st.sets(st.integers(0, N - 1), max_size=12)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=12)
@given(STEPS)
def test_any_course_of_bars_gives_the_bits_of_a_full_scan(steps: list[tuple[str, set[int]]]) -> None:
    going = scanner()
    going.scan()
    for number, (kind, picked) in enumerate(steps, 1):
        cols = sorted(picked)
        if kind == "split" and cols:
            going.adjust(going.grid.symbols[cols[0]], int(going.grid.event_ns[-1]), 0.5)
        elif kind == "append":
            going.apply(frame(going.grid, list(range(N)), 1.01, 0, days=1))
        elif cols:
            going.apply(frame(going.grid, cols, 1.0 + 0.01 * number, number, row=-1 if kind == "revise" else -5))
        assert same(going.scan(), anew(going.grid))


def test_only_symbols_that_changed_are_read_again() -> None:
    going = scanner()
    going.scan()
    assert going.recomputed == N
    going.scan()
    assert going.recomputed == 0
    going.apply(frame(going.grid, [3, 7], 1.02, 1))
    going.scan()
    assert going.recomputed == 2
    going.apply(frame(going.grid, list(range(N)), 1.0, 0, days=1))
    going.scan()
    assert going.recomputed == N


def test_scan_by_step_equals_the_scan_of_the_whole() -> None:
    grid = HISTORY.grid
    before = scanner(grid.n_bars - 1)
    before.scan()
    before.apply(newest_frame(grid))
    assert same(before.scan(), run_scan(grid, CONFIG, QUICK, models=models(), about=HISTORY.about))


def test_one_session_is_too_few_for_a_step() -> None:
    with pytest.raises(BadInput, match="two sessions at least"):
        scan_by_step(rows_of(HISTORY.grid, slice(0, 1)), CONFIG, QUICK)
