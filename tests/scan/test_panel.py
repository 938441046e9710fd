"""Panel: the past only, gaps closed, sound bars told from others, the time of day."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scan.markets import MINUTE_NS, day_grid, make_bars, minute_grid, names, open_ns, session_of

from tapeline.core.calendar import Session
from tapeline.core.types import NS_PER_S
from tapeline.scan.panel import VOLUME_BY_HALF_HOUR, build_panel, day_frac, last_bar_end_ns


def test_rows_after_the_moment_are_not_in_the_panel() -> None:
    bars = make_bars(30, 2)
    panel = build_panel(day_grid(bars), None, open_ns(20), max_bars=170, n_rows=10)
    assert np.array_equal(panel.close, bars["close"][11:21])
    panel = build_panel(day_grid(bars), None, open_ns(20) - 1, max_bars=5, n_rows=3)
    assert np.array_equal(panel.close, bars["close"][17:20])


def test_gaps_are_closed_and_counted_and_leading_absence_stays_nan() -> None:
    bars = make_bars(8, 3)
    for column in bars.values():
        column[[2, 5], 1] = np.nan
        column[:3, 2] = np.nan
    panel = build_panel(day_grid(bars), None, open_ns(7), max_bars=170, n_rows=8)
    assert panel.n_traded.tolist() == [8, 6, 5]
    assert np.array_equal(panel.close[2:, 1], np.delete(bars["close"][:, 1], [2, 5]))
    assert np.isnan(panel.close[:2, 1]).all()
    assert np.array_equal(panel.volume[:, 2], bars["volume"][:, 2], equal_nan=True)
    assert panel.is_current.all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 14))
def test_newest_traded_bars_are_found_however_far_back_they_lie(seed: int, n_rows: int, max_bars: int) -> None:
    bars = make_bars(12, 5, seed)
    gone = np.random.default_rng(seed).random((12, 5)) < 0.5
    for column in bars.values():
        column[gone] = np.nan
    panel = build_panel(day_grid(bars), None, open_ns(11), max_bars=max_bars, n_rows=n_rows)
    for col in range(5):
        known = bars["close"][-max_bars:, col]
        known = known[~np.isnan(known)][-n_rows:]
        expected = np.concatenate([np.full(n_rows - len(known), np.nan), known])
        assert np.array_equal(panel.close[:, col], expected, equal_nan=True)


def test_symbol_without_the_newest_session_is_not_current() -> None:
    bars = make_bars(6, 2)
    for column in bars.values():
        column[-1, 1] = np.nan
    panel = build_panel(day_grid(bars), None, open_ns(5), max_bars=170, n_rows=6)
    assert panel.is_current.tolist() == [True, False]


def test_nobody_is_current_when_the_newest_row_is_of_an_earlier_session() -> None:
    bars = make_bars(6, 2)
    today = session_of(6)
    panel = build_panel(day_grid(bars), today, today.open_ns + MINUTE_NS, max_bars=170, n_rows=6)
    assert not panel.is_current.any()


@pytest.mark.parametrize("before_open_h", [0.0, 9.5, 14.5])
def test_daily_bar_may_be_stamped_with_open_or_either_midnight(before_open_h: float) -> None:
    bars = make_bars(6, 2)
    today = session_of(5)
    shifted = Session(today.day, today.open_ns + round(before_open_h * 3600) * NS_PER_S, today.close_ns + 10**14)
    panel = build_panel(day_grid(bars), shifted, shifted.open_ns + MINUTE_NS, max_bars=170, n_rows=6)
    assert panel.is_current.all()


@pytest.mark.parametrize(("field", "value"), [("close", 0.0), ("low", -1.0), ("volume", -1.0), ("volume", np.inf)])
def test_bar_that_cannot_be_is_unsound_for_its_symbol_only(field: str, value: float) -> None:
    bars = make_bars(6, 2)
    bars[field][3, 1] = value
    panel = build_panel(day_grid(bars), None, open_ns(5), max_bars=170, n_rows=6)
    assert panel.is_sound.tolist() == [True, False]


def test_grid_is_not_modified() -> None:
    bars = make_bars(8, 2)
    for column in bars.values():
        column[4, 1] = np.nan
    grid = day_grid(bars)
    build_panel(grid, None, open_ns(7), max_bars=170, n_rows=8)
    assert np.array_equal(grid.field("close"), bars["close"], equal_nan=True)


def test_empty_grid_has_rows_of_nan_for_every_window() -> None:
    bars = {name: column[:0] for name, column in make_bars(2, 3).items()}
    panel = build_panel(day_grid(bars), None, open_ns(0), max_bars=170, n_rows=5)
    assert panel.close.shape == (5, 3)
    assert not panel.n_traded.any()


def test_day_runs_from_nothing_at_the_open_to_all_at_the_close() -> None:
    session = session_of(0)
    assert sum(VOLUME_BY_HALF_HOUR) == pytest.approx(1.0)
    assert day_frac(session, session.open_ns) == 0.0
    assert day_frac(session, session.open_ns + 30 * MINUTE_NS) == pytest.approx(VOLUME_BY_HALF_HOUR[0])
    assert day_frac(session, session.close_ns) == day_frac(None, session.open_ns) == 1.0


@given(st.integers(0, 389), st.integers(1, 60))
def test_day_share_never_falls(minute: int, later: int) -> None:
    session = session_of(0)
    shares = [day_frac(session, session.open_ns + m * MINUTE_NS) for m in (minute, minute + later)]
    assert 0.0 <= shares[0] <= shares[1] <= 1.0


def test_half_day_has_the_same_shape_in_less_time() -> None:
    half = Session(dt.date(2009, 11, 27), open_ns(0), open_ns(0) + 210 * MINUTE_NS)
    full = session_of(0)
    assert day_frac(half, half.open_ns + 105 * MINUTE_NS) == pytest.approx(
        day_frac(full, full.open_ns + 195 * MINUTE_NS)
    )


def test_last_minute_counts_only_when_closed_and_columns_may_differ() -> None:
    closes = np.array([[1.0, np.nan, 3.0], [1.0, np.nan, np.nan], [1.0, 2.0, np.nan]])
    grid = minute_grid(closes, open_ns(0), ["A", "B", "C"])
    ends = last_bar_end_ns(grid, ("C", "X", "B", "A"), open_ns(0) + 3 * MINUTE_NS - 1)
    minutes = (ends - open_ns(0)) / MINUTE_NS
    assert minutes.tolist() == pytest.approx([1.0, np.nan, np.nan, 2.0], nan_ok=True)
    ends = last_bar_end_ns(grid, ("C", "X", "B", "A"), open_ns(0) + 3 * MINUTE_NS)
    assert ((ends - open_ns(0)) / MINUTE_NS).tolist() == pytest.approx([1.0, np.nan, 3.0, 3.0], nan_ok=True)


def test_no_minute_yet_is_unknown_for_all() -> None:
    grid = minute_grid(np.ones((1, 2)), open_ns(0))
    assert np.isnan(last_bar_end_ns(grid, tuple(names(2)), open_ns(0) + MINUTE_NS - 1)).all()
