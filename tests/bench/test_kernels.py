"""The kernels' benchmark: the fewest calls of TA-Lib, its values ours, errors seen, costs of fresh processes."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from tapeline.bench import kernel_costs
from tapeline.bench.kernel_peers import talib_loop
from tapeline.bench.kernels import SPEC, grid_of, largest_error, made_panel, step_ms, symbols_of
from tapeline.bench.oracles import TALIB, plan
from tapeline.grid import indicators

NAMES = [name for group in tomllib.loads(SPEC.read_text())["outputs"].values() for name in group]
SHAPE = {"symbols": 40, "symbols_with_gaps_frac": 0.5, "missing_frac": 0.05, "seed": 3}


def test_talib_is_called_once_per_function_and_parameters() -> None:
    calls = plan(NAMES)
    assert sorted(name for outputs in calls.values() for name in outputs) == sorted(NAMES)
    assert len(NAMES) == 50
    assert len(calls) == 43
    assert sum(call.function == "MACD" for call in calls) == 1


def test_made_market_with_gaps_gives_talibs_values_for_all_50_outputs() -> None:
    panel = made_panel(SHAPE, 252)
    symbols, columns = symbols_of(panel, 252)
    ours = indicators(grid_of(panel, 252, NAMES), NAMES)
    theirs = talib_loop(symbols, NAMES)
    assert len(columns) < 40
    assert largest_error({name: ours[name][columns] for name in NAMES}, theirs) <= 1e-9


def test_error_is_infinite_where_only_one_side_has_a_value() -> None:
    known, other = np.array([1.0, 2.0]), np.array([1.0, np.nan])
    assert largest_error({"a": other}, {"a": known}) == float("inf")
    assert largest_error({"a": known * 1.5}, {"a": known}) == pytest.approx(0.5)


def test_a_measured_step_takes_a_bar_in_each_time() -> None:
    panel = made_panel(SHAPE, 34)
    grid = grid_of(panel, 30, ["sma_5"])
    assert step_ms(panel, grid, 30, ["sma_5"], 3) > 0.0
    assert grid.dropped == 4


def test_every_talib_output_names_a_function_that_exists() -> None:
    talib = pytest.importorskip("talib")
    assert all(hasattr(talib, output.function) for output in TALIB.values())


@pytest.mark.process
def test_memory_of_a_fresh_process_holds_at_least_panel_and_ring() -> None:
    times, peak_mb = kernel_costs.peak_memory(["sma_5"], 252, 1000)
    assert times is not None
    assert peak_mb is not None
    assert 2.0 < times < 4.0
    assert peak_mb > 30.0
