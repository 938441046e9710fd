"""The ring: frames, revisions, order, universe, corporate actions, snapshots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.market import DAY_NS, frame_of, grid_of, random_panel, symbols_of

from tapeline.core.errors import BadInput, BadMessage
from tapeline.core.types import BAR_FIELDS, DAY_S, NS_PER_S, BarFrame, Label
from tapeline.grid import Applied, BarGrid, UnknownIndicator, indicator_names, indicators
from tapeline.grid.records import session_number

NAMES = ["sma_5", "ema_12", "rsi_14", "atr_14", "kama_10", "obv"]


def ring_after(rows: int, capacity: int = 30, gaps: float = 0.0) -> BarGrid:
    panel = random_panel(rows, 4, gaps=gaps)
    grid = BarGrid.empty(symbols_of(4), capacity, track=NAMES)
    for row in range(rows):
        grid.apply(frame_of(panel, row))
    return grid


def test_frames_one_by_one_make_the_grid_of_the_whole_arrays() -> None:
    panel = random_panel(40, 4, gaps=0.2)
    grid, whole = BarGrid.empty(symbols_of(4), 40), grid_of(panel)
    for row in range(40):
        grid.apply(frame_of(panel, row))
    for name in BAR_FIELDS:
        np.testing.assert_array_equal(grid.field(name), whole.field(name))
    np.testing.assert_array_equal(grid.event_ns, whole.event_ns)


def test_ring_keeps_the_newest_bars_oldest_first() -> None:
    panel = random_panel(100, 4)
    grid = ring_after(100)
    np.testing.assert_array_equal(grid.field("close"), panel["close"][-30:])
    np.testing.assert_array_equal(grid.last("close"), panel["close"][-1])
    assert (grid.n_bars, grid.dropped) == (30, 70)


def test_a_frame_applied_twice_changes_nothing() -> None:
    panel = random_panel(3, 4)
    grid = BarGrid.empty(symbols_of(4), 5)
    assert grid.apply(frame_of(panel, 0)) == Applied(rows=1, new=4)
    before = grid.snapshot()
    assert grid.apply(frame_of(panel, 0)) == Applied(ignored=4)
    assert grid.snapshot() == before


def test_higher_revision_replaces_and_lower_is_ignored() -> None:
    panel = random_panel(2, 4)
    grid = BarGrid.empty(symbols_of(4), 5)
    grid.apply(frame_of(panel, 0, revision=1))
    panel["close"][0] += 1.0
    assert grid.apply(frame_of(panel, 0, revision=0)).ignored == 4
    assert grid.apply(frame_of(panel, 0, revision=2)).revised == 4
    np.testing.assert_array_equal(grid.last("close"), panel["close"][0])


def test_several_words_on_one_bar_in_one_frame_end_with_the_highest_revision() -> None:
    grid = BarGrid.empty(["A", "B"], 5)
    panel = random_panel(1, 4)
    frame = replace(frame_of(panel, 0), symbols=("A", "A", "B", "A"), revision=np.array([0, 2, 0, 1]))
    assert grid.apply(frame) == Applied(rows=1, new=2, revised=1, ignored=1)
    assert grid.last("close")[0] == panel["close"][0, 1]


def test_revision_of_an_old_bar_refolds_what_came_after() -> None:
    panel = random_panel(60, 4)
    grid = ring_after(60)
    indicators(grid, NAMES)
    panel["close"][45] = (panel["high"][45] + panel["low"][45]) / 2.0
    grid.apply(frame_of(panel, 45, revision=1))
    endless = indicators(grid_of(panel), NAMES)
    for name, values in indicators(grid, NAMES).items():
        np.testing.assert_array_equal(values, endless[name], name)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(12)))
def test_bars_out_of_order_end_up_in_order(order: list[int]) -> None:
    panel = random_panel(12, 4, gaps=0.2)
    grid, straight = BarGrid.empty(symbols_of(4), 12, track=NAMES), grid_of(panel)
    for row in order:
        grid.apply(frame_of(panel, row))
        indicators(grid, NAMES)
    np.testing.assert_array_equal(grid.event_ns, straight.event_ns)
    for name, values in indicators(grid, NAMES, "all").items():
        np.testing.assert_array_equal(values, indicators(straight, [name], "all")[name])


def test_bar_older_than_a_full_ring_is_late_and_changes_nothing() -> None:
    grid = ring_after(60)
    before = grid.snapshot()
    assert grid.apply(frame_of(random_panel(60, 4), 3)).late == 4
    assert grid.snapshot() == before


def test_unknown_symbols_are_counted_and_left_out() -> None:
    grid = BarGrid.empty(["S0", "S2"], 5)
    assert grid.apply(frame_of(random_panel(1, 4), 0)) == Applied(rows=1, new=2, unknown=2)


def test_bar_with_one_price_missing_has_not_traded() -> None:
    panel = random_panel(5, 4)
    panel["low"][2, 1] = np.nan
    panel["high"][3, 2] = np.inf
    for grid in (grid_of(panel), _applied(panel, 5)):
        for name in BAR_FIELDS:
            assert np.isnan(grid.field(name)[2, 1])
            assert np.isnan(grid.field(name)[3, 2])


def _applied(panel: dict[str, np.ndarray], rows: int) -> BarGrid:
    grid = BarGrid.empty(symbols_of(4), rows)
    for row in range(rows):
        grid.apply(frame_of(panel, row))
    return grid


def test_growing_and_shrinking_keeps_the_past_of_living_symbols() -> None:
    panel = random_panel(90, 4, gaps=0.1)
    grid = ring_after(90, gaps=0.1)
    other = grid.with_symbols(["NEW", "S3", "S1"])
    kept, moved = indicators(grid, NAMES), indicators(other, NAMES)
    for name in NAMES:
        np.testing.assert_array_equal(moved[name][1:], kept[name][[3, 1]])
        assert np.isnan(moved[name][0])
    np.testing.assert_array_equal(other.last("close"), [np.nan, *panel["close"][-1, [3, 1]]])


def test_new_symbol_in_a_wrapped_ring_warms_up_as_from_its_first_bar() -> None:
    panel = random_panel(120, 4)
    grid = ring_after(60).with_symbols([*symbols_of(4), "NEW"])
    for row in range(60, 120):
        frame = frame_of(panel, row)
        extra = frame.take(np.array([0, 1, 2, 3, 0]))
        grid.apply(replace(extra, symbols=(*symbols_of(4), "NEW")))
    alone = grid_of({name: field[60:] for name, field in panel.items()})
    for name in NAMES:
        assert indicators(grid, [name])[name][4] == indicators(alone, [name])[name][0], name


def test_indicator_first_asked_for_after_the_ring_wrapped_is_nan_until_settled() -> None:
    panel = random_panel(700, 4)
    grid, endless = BarGrid.empty(symbols_of(4), 30), grid_of(panel)
    truth = indicators(endless, ["rsi_14"], "all")["rsi_14"]
    values = []
    for row in range(700):
        grid.apply(frame_of(panel, row))
        if row >= 100:
            values.append(indicators(grid, ["rsi_14", "sma_5"]))
    first = next(i for i, found in enumerate(values) if np.isfinite(found["rsi_14"]).all())
    assert 200 < first < 320
    assert all(np.isnan(found["rsi_14"]).all() for found in values[:first])
    assert all(np.isfinite(found["sma_5"]).all() for found in values)
    for i in range(first, 600):
        np.testing.assert_allclose(values[i]["rsi_14"], truth[100 + i], rtol=1e-6)


def test_split_adjusts_prices_and_volume_before_it() -> None:
    panel = random_panel(50, 4)
    grid, halved = grid_of(panel), {name: field.copy() for name, field in panel.items()}
    for name in ("open", "high", "low", "close", "vwap"):
        halved[name][:20, 2] *= 0.5
    halved["volume"][:20, 2] /= 0.5
    indicators(grid, NAMES)
    assert grid.adjust("S2", int(panel["event_ns"][20]), 0.5) == 20
    for name, values in indicators(grid, NAMES).items():
        np.testing.assert_array_equal(values, indicators(grid_of(halved), [name])[name], name)


EVERY = [name for name in indicator_names() if "200" not in name and "252" not in name and "100" not in name]


@pytest.mark.parametrize("ratio", [0.5, 4.0 / 3.0])
def test_split_in_a_wrapped_ring_gives_the_values_of_the_endless_adjusted_stream(ratio: float) -> None:
    panel = random_panel(300, 4, gaps=0.1)
    grid, ex_row = BarGrid.empty(symbols_of(4), 80, track=EVERY), 260
    for row in range(300):
        grid.apply(frame_of(panel, row))
    grid.adjust("S1", int(panel["event_ns"][ex_row]), ratio)
    for name in ("open", "high", "low", "close", "vwap"):
        panel[name][:ex_row, 1] *= ratio
    panel["volume"][:ex_row, 1] /= ratio
    endless = indicators(grid_of(panel), EVERY)
    for name, values in indicators(grid, EVERY).items():
        if ratio == 0.5:
            np.testing.assert_array_equal(values, endless[name], name)
        else:
            np.testing.assert_allclose(values, endless[name], rtol=1e-9, atol=1e-9, err_msg=name)


def test_split_before_the_oldest_bar_of_a_ring_forgets_the_past_of_its_symbol_only() -> None:
    grid = ring_after(60)
    before = indicators(grid, ["ema_12", "sma_5"])
    grid.adjust("S1", int(grid.event_ns[0]) - 1, 0.5)
    after = indicators(grid, ["ema_12", "sma_5"])
    assert np.isnan(after["ema_12"][1])
    np.testing.assert_array_equal(np.delete(after["ema_12"], 1), np.delete(before["ema_12"], 1))
    np.testing.assert_array_equal(after["sma_5"], before["sma_5"])


@pytest.mark.parametrize("how", ["first asked late", "forgotten"])
def test_session_vwap_without_its_past_is_nan_until_the_next_session(how: str) -> None:
    panel = random_panel(60, 3, step_ns=DAY_NS // 20)  # 20 bars a session
    grid, endless = (
        BarGrid.empty(symbols_of(3), 12),
        indicators(grid_of(panel), ["vwap_session"], "all")["vwap_session"],
    )
    if how == "forgotten":
        grid.track(["vwap_session"])
    session = session_number(panel["event_ns"])
    for row in range(60):
        grid.apply(frame_of(panel, row))
        if row == 25 and how == "forgotten":
            for symbol in grid.symbols:
                grid.adjust(symbol, int(grid.event_ns[0]) - 1, 1.0)
        if row >= 25:
            found = indicators(grid, ["vwap_session"], "all")["vwap_session"]
            known = session[max(row - 11, 0) : row + 1] > session[14]
            assert np.isnan(found[~known]).all()
            np.testing.assert_array_equal(found[known], endless[max(row - 11, 0) : row + 1][known])


def test_session_of_an_indian_bar_is_not_cut_in_the_middle() -> None:
    panel = random_panel(375, 2, step_ns=60 * NS_PER_S)
    panel["event_ns"] += (3 * 3600 + 45 * 60 - 10 * 3600) * NS_PER_S  # from 09:15 in Mumbai
    shares, priced = panel["volume"], panel["vwap"]
    price = np.where(np.isnan(priced), (panel["high"] + panel["low"] + panel["close"]) / 3.0, priced)
    truth = (price * shares).sum(axis=0) / shares.sum(axis=0)
    mumbai = grid_of(panel, timeframe_s=60, day_begins_s=66_600 - 86_400)
    np.testing.assert_allclose(indicators(mumbai, ["vwap_session"])["vwap_session"], truth)
    again = BarGrid.restore(mumbai.snapshot())
    np.testing.assert_allclose(indicators(again, ["vwap_session"])["vwap_session"], truth)
    new_york = indicators(grid_of(panel, timeframe_s=60), ["vwap_session"])["vwap_session"]
    assert (new_york != truth).all()


def test_snapshot_restores_bars_and_anchors() -> None:
    grid = ring_after(95, gaps=0.1)
    twin = BarGrid.restore(grid.snapshot())
    assert twin.snapshot() == grid.snapshot()
    panel = random_panel(100, 4, gaps=0.1)
    for row in range(95, 100):
        assert grid.apply(frame_of(panel, row)) == twin.apply(frame_of(panel, row))
    for name, values in indicators(grid, NAMES).items():
        np.testing.assert_array_equal(values, indicators(twin, [name])[name], name)


def test_bytes_that_are_no_snapshot_are_refused() -> None:
    with pytest.raises(BadMessage):
        BarGrid.restore(b"nonsense")
    with pytest.raises(BadMessage):
        BarGrid.restore(ring_after(5).snapshot()[:-9])


def test_wrong_requests_are_refused_with_a_sentence() -> None:
    grid = ring_after(5)
    frame: BarFrame = frame_of(random_panel(1, 4), 0, timeframe_s=60)
    one = np.ones((2, 1))
    for wrong in (
        lambda: grid.apply(frame),
        lambda: grid.field("price"),
        lambda: grid.column("XYZ"),
        lambda: grid.adjust("S0", 0, 0.0),
        lambda: BarGrid.empty(["A", "A"], 5),
        lambda: BarGrid.empty(["A"], 1),
        lambda: BarGrid.from_arrays(["A"], [2, 1], open=one, high=one, low=one, close=one, volume=one),
        lambda: BarGrid.from_arrays(["A"], [1, 2, 3], open=one, high=one, low=one, close=one, volume=one),
    ):
        with pytest.raises(BadInput):
            wrong()
    for name in ("rsi", "rsi_1", "rsi_2.5", "nothing_3", "bbands_20_0_upper"):
        with pytest.raises(UnknownIndicator):
            indicators(grid, [name])


def test_empty_grid_answers_nan() -> None:
    grid = BarGrid.empty(["A", "B"], 5)
    assert np.isnan(indicators(grid, ["rsi_14"])["rsi_14"]).all()
    assert indicators(grid, ["rsi_14"], "all")["rsi_14"].shape == (0, 2)
    assert np.isnan(grid.last("close")).all()


def test_a_whole_row_in_order_is_taken_in_like_the_same_row_shuffled() -> None:
    rng = np.random.default_rng(3)
    symbols = ("A", "B", "C", "D")
    in_order, shuffled = (BarGrid.empty(symbols, 3) for _ in range(2))
    for day in range(6):
        close = rng.uniform(1.0, 2.0, 4)
        low = np.where([False, day == 2, False, False], np.nan, close - 0.5)  # one is no bar
        start_ns, revision = day * DAY_S * NS_PER_S, np.full(4, day % 2)
        numbers = (close, close + 0.5, low, close, close, close, close)  # open, high, low, close, volume, vwap, trades
        frame = BarFrame(DAY_S, "sip", Label.REAL, start_ns, symbols, np.full(4, start_ns), *numbers, revision)
        assert in_order.apply(frame) == shuffled.apply(frame.take(np.array([2, 0, 3, 1])))
        assert in_order.apply(frame) == shuffled.apply(frame)  # once more changes nothing
    for name in BAR_FIELDS:
        np.testing.assert_array_equal(in_order.field(name), shuffled.field(name))
    np.testing.assert_array_equal(in_order.revisions(0, 3), shuffled.revisions(0, 3))
