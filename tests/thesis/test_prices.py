"""Prices: nothing of the future, no gap counted, no benchmark made up."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.thesis.markets import DAY_NS, NOW_NS, TODAY_NS, grid_of, prices_of, walk

from tapeline.core.calendar import Session
from tapeline.core.outcome import Kind
from tapeline.core.types import NS_PER_S, Label
from tapeline.grid.index import Index
from tapeline.thesis.prices import YEAR_BARS, price_evidence, price_history

SESSION = Session(dt.date(2010, 5, 6), TODAY_NS + 13 * 3_600 * NS_PER_S, TODAY_NS + 20 * 3_600 * NS_PER_S)


def _index(n: int) -> Index:
    days = np.datetime64("2010-05-06") - np.arange(n - 1, -1, -1)
    return Index(days.astype("datetime64[D]"), np.arange(1.0, n + 1.0))


def _facts(close: np.ndarray, *, is_running: bool = False) -> dict[str, float]:
    return dict(price_evidence(prices_of(close, is_running=is_running)).unwrap().facts)


def test_bars_after_the_moment_of_asking_are_not_seen() -> None:
    grid = grid_of(np.array([[1.0], [2.0], [3.0]]), ("AAPL",))
    known = price_history(grid, "AAPL", TODAY_NS - 1, label=Label.REAL, index=None, session=None)
    assert known.close.tolist() == [1.0, 2.0]


def test_sessions_without_a_trade_are_left_out_and_a_year_is_kept() -> None:
    close = walk(400)[:, None].copy()
    close[395] = np.nan
    known = price_history(grid_of(close, ("AAPL",)), "AAPL", NOW_NS, label=Label.REAL, index=None, session=None)
    assert len(known) == YEAR_BARS + 1
    assert not np.isnan(known.close).any()
    assert known.close[-1] == close[-1, 0]


def test_a_symbol_outside_the_book_has_no_bars_and_says_so() -> None:
    known = price_history(
        grid_of(np.ones((3, 1)), ("AAPL",)), "MSFT", NOW_NS, label=Label.REAL, index=_index(3), session=None
    )
    outcome = price_evidence(known)
    assert len(known) == 0
    assert (outcome.kind, outcome.reason) == (Kind.NO_DATA, "no daily bar in the book")


@pytest.mark.parametrize(
    ("as_of_ns", "session", "is_running", "index_today"),
    [
        (NOW_NS, SESSION, True, math.nan),
        (SESSION.close_ns, SESSION, False, 3.0),
        (NOW_NS, None, True, math.nan),
        (TODAY_NS + DAY_NS, None, False, 3.0),
    ],
)
def test_a_day_that_runs_has_no_index_close_yet(
    as_of_ns: int, session: Session | None, is_running: bool, index_today: float
) -> None:
    grid = grid_of(np.array([[1.0], [2.0], [3.0]]), ("AAPL",))
    known = price_history(grid, "AAPL", as_of_ns, label=Label.REAL, index=_index(3), session=session)
    assert known.is_running is is_running
    np.testing.assert_equal(known.index_close, [1.0, 2.0, index_today])
    assert len(known.finished()) == (2 if is_running else 3)


def test_days_that_the_index_does_not_know_are_nan() -> None:
    index = Index(np.array(["2010-05-04"], "datetime64[D]"), np.array([7.0]))
    grid = grid_of(np.array([[1.0], [2.0], [3.0]]), ("AAPL",))
    known = price_history(grid, "AAPL", NOW_NS, label=Label.REAL, index=index, session=SESSION)
    np.testing.assert_equal(known.index_close, [7.0, np.nan, np.nan])


def test_the_facts_are_those_of_a_slow_count() -> None:
    close = walk(130)
    facts = _facts(close)
    assert facts["bars_count"] == 130
    assert facts["close_usd"] == close[-1]
    assert facts["change_21d_pct"] == pytest.approx(100 * (close[-1] - close[-22]) / close[-22])
    assert facts["price_rank_pct"] == pytest.approx(100 * sum(c < close[-1] for c in close[:-1]) / 129)
    assert facts["volume_rank_pct"] == 100.0
    assert facts["high_252d_usd"] == close.max() * 1.01
    assert facts["last_bar_age_days"] == pytest.approx((NOW_NS - TODAY_NS) / DAY_NS)


def test_the_volume_of_a_running_day_is_not_compared_with_whole_days() -> None:
    history = prices_of(walk(30), is_running=True)
    history.volume[-1] = 1.0
    assert dict(price_evidence(history).unwrap().facts)["volume_rank_pct"] == 100.0


def test_too_few_bars_are_nan_and_not_zero() -> None:
    facts = _facts(np.array([10.0]))
    missing = {name for name, value in facts.items() if math.isnan(value)}
    assert missing == {f"change_{n}d_pct" for n in (1, 5, 21, 63, 126)} | {
        "price_rank_pct",
        "volume_rank_pct",
        "dollar_volume_20d_usd",
    }


@given(factor=st.floats(0.01, 100.0))
def test_changes_and_ranks_do_not_depend_on_the_unit_of_the_price(factor: float) -> None:
    one, other = _facts(walk(40)), _facts(walk(40) * factor)
    for name in ("change_1d_pct", "change_21d_pct", "price_rank_pct"):
        assert other[name] == pytest.approx(one[name], rel=1e-9, abs=1e-9)
