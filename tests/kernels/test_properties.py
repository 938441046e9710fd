"""What every kernel promises whatever the market: no look-ahead, no neighbours, no scale, no surprises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.market import Panel, frame_of, grid_of, random_panel, symbols_of

from tapeline.core.types import BAR_FIELDS, F64
from tapeline.grid import BarGrid, indicator_names, indicators

NAMES = [name for name in indicator_names() if name not in ("sma_100", "sma_200", "ema_100", "ema_200", "rank_252")]
PRICED = ("open", "high", "low", "close", "vwap")
BOUNDED = {
    "rsi_14": (0, 100),
    "mfi_14": (0, 100),
    "willr_14": (-100, 0),
    "adx_14": (0, 100),
    "ultosc_7_14_28": (0, 100),
}
FLAT = {
    "rsi_14": 50.0,
    "stochrsi_14_14_3_k": 50.0,
    "stoch_14_3_3_d": 50.0,
    "willr_14": -50.0,
    "mfi_14": 50.0,
    "ultosc_7_14_28": 50.0,
    "bbands_20_2_pctb": 0.5,
    "bbands_20_2_width": 0.0,
    "cci_20": 0.0,
    "adx_14": 0.0,
    "aroon_14_osc": 0.0,
    "atr_14": 0.0,
    "kama_10": 7.0,
    "robust_z_20": 0.0,
    "rank_20": 50.0,
    "from_high_20": 0.0,
    "realized_vol_20": 0.0,
    "roc_10": 0.0,
    "macd_12_26_9_hist": 0.0,
    "cmf_20": 0.0,
    "relative_volume_20": 1.0,
    "supertrend_10_3": 7.0,
    "sar_0.02_0.2": 7.0,
}


def same(a: F64, b: F64) -> bool:
    """Return whether two arrays hold the same bits, any NaN being like another."""
    return bool(np.array_equal(a, b, equal_nan=True))


def head(panel: Panel, rows: int) -> Panel:
    return {name: field[:rows] for name, field in panel.items()}


def columns(panel: Panel, order: list[int]) -> Panel:
    return {name: field if name == "event_ns" else field[:, order] for name, field in panel.items()}


@settings(max_examples=8, deadline=None)
@given(st.integers(2, 150), st.integers(0, 1000))
def test_values_of_a_prefix_are_a_prefix_of_the_values(rows: int, seed: int) -> None:
    panel = random_panel(150, 4, seed, gaps=0.1)
    whole, part = indicators(grid_of(panel), NAMES, "all"), indicators(grid_of(head(panel, rows)), NAMES, "all")
    for name in NAMES:
        assert same(whole[name][:rows], part[name]), name


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(7)))
def test_order_of_symbols_changes_no_bit(order: list[int]) -> None:
    panel = random_panel(90, 7, gaps=0.1)
    straight, mixed = indicators(grid_of(panel), NAMES), indicators(grid_of(columns(panel, order)), NAMES)
    for name in NAMES:
        assert same(straight[name][order], mixed[name]), name


def test_place_in_a_large_universe_changes_no_bit() -> None:
    panel = random_panel(90, 300, gaps=0.1)
    alone, crowd = grid_of(columns(panel, [0, 129, 299])), grid_of(panel)
    few, many = indicators(alone, NAMES, "all"), indicators(crowd, NAMES, "all")
    for name in NAMES:
        assert same(few[name], many[name][:, [0, 129, 299]]), name


def test_a_symbol_of_nothing_but_gaps_changes_only_itself() -> None:
    panel = random_panel(90, 5)
    before = indicators(grid_of(panel), NAMES)
    for name in BAR_FIELDS:
        panel[name][:, 2] = np.nan
    after = indicators(grid_of(panel), NAMES)
    for name in NAMES:
        assert np.isnan(after[name][2]), name
        assert same(np.delete(before[name], 2), np.delete(after[name], 2)), name


@pytest.mark.parametrize("factor", [0.25, 1024.0])
def test_ratios_do_not_depend_on_the_unit_of_prices(factor: float) -> None:
    panel = random_panel(120, 4, gaps=0.1)
    scaled = {name: field * factor if name in PRICED else field for name, field in panel.items()}
    ratios = ["rsi_14", "natr_14", "adx_14", "stoch_14_3_3_k", "bbands_20_2_pctb", "willr_14", "rank_20", "robust_z_20"]
    one, other = indicators(grid_of(panel), ratios), indicators(grid_of(scaled), ratios)
    for name in ratios:
        np.testing.assert_allclose(other[name], one[name], rtol=1e-9)


def test_input_arrays_keep_every_byte() -> None:
    panel = random_panel(60, 5, gaps=0.1)
    before = {name: field.tobytes() for name, field in panel.items()}
    indicators(grid_of(panel), NAMES, "all")
    assert {name: field.tobytes() for name, field in panel.items()} == before


def test_last_row_equals_the_last_of_all_rows() -> None:
    panel = random_panel(150, 140, gaps=0.2)
    every, last = indicators(grid_of(panel), NAMES, "all"), indicators(grid_of(panel), NAMES)
    for name in NAMES:
        assert same(every[name][-1], last[name]), name


@pytest.mark.parametrize("capacity", [61, 75])
def test_ring_that_wrapped_many_times_equals_the_endless_stream(capacity: int) -> None:
    """Step, refold from the anchor and the whole history give the same bits, all rows and last row."""
    panel = random_panel(400, 6, seed=3, gaps=0.08)
    endless = indicators(grid_of(panel), NAMES, "all")
    ring = BarGrid.empty(symbols_of(6), capacity, track=NAMES)
    recursive = [name for name in NAMES if remembers(name)]
    for row in range(400):
        ring.apply(frame_of(panel, row))
        if row % 5 == 0 or row > 390:
            stepped = indicators(ring, NAMES)
            for name in NAMES:
                known = ~np.isnan(stepped[name])  # a window that reaches beyond the ring is NaN
                assert same(stepped[name][known], endless[name][row][known]), (name, row)
                assert name not in recursive or same(stepped[name], endless[name][row]), (name, row)
        if row % 97 == 96 and row > capacity:
            refolded = indicators(ring, recursive, "all")
            for name in recursive:
                assert same(refolded[name], endless[name][row - capacity + 1 : row + 1]), (name, row)


def remembers(name: str) -> bool:
    grid = BarGrid.empty(["A"], 2, track=[name])
    return grid.anchors.program.n_state > 0


def test_halted_symbol_neither_falls_to_zero_nor_forgets() -> None:
    panel = random_panel(120, 3)
    for name in BAR_FIELDS:
        panel[name][50:60, 1] = np.nan
    found = indicators(grid_of(panel), ["rsi_14", "adx_14", "ema_20"], "all")
    for name, values in found.items():
        assert np.isnan(values[50:60, 1]).all(), name
        assert np.isfinite(values[60:, 1]).all(), name
    assert (found["rsi_14"][60:, 1] > 1.0).all()


@pytest.mark.parametrize("name", sorted(FLAT))
def test_flat_market_gives_the_documented_value(name: str) -> None:
    panel = random_panel(90, 2)
    for field in ("open", "high", "low", "close", "vwap"):
        panel[field][:] = 7.0
    panel["volume"][:] = 100.0
    np.testing.assert_allclose(indicators(grid_of(panel), [name])[name], FLAT[name], atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_oscillators_stay_in_their_bounds(seed: int) -> None:
    found = indicators(grid_of(random_panel(80, 5, seed, gaps=0.2)), list(BOUNDED), "all")
    for name, (low, high) in BOUNDED.items():
        values = found[name][~np.isnan(found[name])]
        assert ((values >= low - 1e-9) & (values <= high + 1e-9)).all(), name


def test_unknown_volume_poisons_its_windows_but_not_the_running_sums() -> None:
    panel = random_panel(60, 1)
    panel["volume"][30, 0] = np.nan
    found = indicators(grid_of(panel), ["obv", "ad", "mfi_14", "cmf_20", "rsi_14"], "all")
    assert np.isnan(found["obv"][30, 0])
    assert np.isfinite(found["obv"][31:]).all()
    assert np.isfinite(found["ad"][31:]).all()
    assert np.isnan(found["mfi_14"][30:44, 0]).all()
    assert np.isfinite(found["mfi_14"][44:]).all()
    assert np.isnan(found["cmf_20"][30:50, 0]).all()
    assert np.isfinite(found["rsi_14"][14:]).all()
    panel["open"][:], panel["high"][:], panel["low"][:], panel["close"][:] = 7.0, 7.0, 7.0, 7.0
    panel["vwap"][:] = np.nan
    still = indicators(grid_of(panel), ["mfi_14", "vwap_session", "cmf_20"], "all")
    for name, window in (("mfi_14", 14), ("vwap_session", 1), ("cmf_20", 20)):
        assert np.isnan(still[name][30 : 30 + window]).all(), name
        assert np.isfinite(still[name][30 + window :]).all(), name


FRACTIONS = [
    *("realized_vol_20", "parkinson_vol_20", "garman_klass_vol_20", "natr_14", "bbands_20_2_width", "mfi_14"),
    *("from_high_20", "from_low_20", "gap_20", "gap_20_mean", "roc_10", "trix_5", "sma_slope_5_5"),
]


@pytest.mark.parametrize("name", FRACTIONS)
def test_fraction_of_a_price_that_is_not_positive_is_nan(name: str) -> None:
    panel = random_panel(60, 2)
    for field in ("open", "high", "low", "close"):
        panel[field] = np.negative(panel[field])
    panel["high"], panel["low"] = panel["low"], panel["high"]
    assert np.isnan(indicators(grid_of(panel), [name], "all")[name]).all()
