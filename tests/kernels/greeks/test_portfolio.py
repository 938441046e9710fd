"""The risk of a book: sums of its Greeks, and the grid of gains against plain revaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tapeline.core.errors import BadArgument
from tapeline.kernels.greeks import WARM, OptionStatus, book_risk, greeks, warm
from tapeline.kernels.greeks.portfolio import MIN_VOL

BOOK: dict[str, Any] = {
    "right": np.array(["C", "P", "C", "P"]),
    "qty": np.array([10.0, -5.0, -3.0, 7.0]),
    "spot": np.array([100.0, 100.0, 50.0, 50.0]),
    "strike": np.array([105.0, 95.0, 50.0, 40.0]),
    "years": np.array([0.25, 0.25, 2.0 / 365.0, 1.0]),
    "rate": 0.03,
    "vol": np.array([0.2, 0.25, 0.5, 0.6]),
    "div_yield": np.array([0.01, 0.01, 0.0, 0.0]),
}


def pricing() -> dict[str, Any]:
    return {name: column for name, column in BOOK.items() if name != "qty"}


def test_totals_are_sums_over_positions_and_contracts() -> None:
    risk = book_risk(**BOOK)
    each = greeks(**pricing(), second_order=True)
    for name in ("delta", "gamma", "vega", "theta", "rho", "vanna", "charm", "vomma"):
        assert risk.totals[name] == pytest.approx(100.0 * float(np.sum(BOOK["qty"] * each[name])), rel=1e-13)
    assert risk.totals["value"] == pytest.approx(100.0 * float(np.sum(BOOK["qty"] * each["price"])))
    dollars = 100.0 * float(np.sum(BOOK["qty"] * each["delta"] * BOOK["spot"]))
    assert risk.totals["dollar_delta"] == pytest.approx(dollars)
    assert risk.unvalued.size == 0


def test_every_cell_of_the_grid_is_a_plain_revaluation() -> None:
    spots, vols, days = [-20.0, 0.0, 7.5], [-30.0, 0.0, 12.0], [0.0, 1.0, 30.0]
    risk = book_risk(**BOOK, multiplier=1.0, spot_moves_pct=spots, vol_moves_points=vols, days=days)
    assert risk.gains.shape == (3, 3, 3)
    now = greeks(**pricing())["price"]
    side = np.where(BOOK["right"] == "C", 1.0, -1.0)
    for i, j, k in np.ndindex(3, 3, 3):
        spot = BOOK["spot"] * (1.0 + spots[i] / 100.0)
        years = BOOK["years"] - days[k] / 365.0
        vol = np.maximum(BOOK["vol"] + vols[j] / 100.0, MIN_VOL)
        then = greeks(**{**pricing(), "spot": spot, "years": years, "vol": vol})["price"]
        then = np.where(years > 0.0, then, np.maximum(side * (spot - BOOK["strike"]), 0.0))
        want = float(np.sum(BOOK["qty"] * (then - now)))
        assert risk.gains[i, j, k] == pytest.approx(want, abs=1e-11)
    assert risk.gains[1, 1, 0] == 0.0


def test_small_moves_are_what_the_greeks_say() -> None:
    risk = book_risk(**BOOK, spot_moves_pct=[0.0], vol_moves_points=[0.01], days=[0.0])
    assert risk.gains[0, 0, 0] == pytest.approx(0.01 * risk.totals["vega"], rel=1e-3)
    later = book_risk(**BOOK, spot_moves_pct=[0.0], vol_moves_points=[0.0], days=[0.001])
    assert later.gains[0, 0, 0] == pytest.approx(0.001 * risk.totals["theta"], rel=1e-3)


def test_one_position_without_a_value_leaves_no_total_and_is_named() -> None:
    book = {**BOOK, "vol": np.array([0.2, np.nan, 0.5, 0.6])}
    risk = book_risk(**book)
    assert risk.unvalued.tolist() == [1]
    assert risk.positions["status"].tolist() == [0, OptionStatus.BAD_INPUT, 0, 0]
    assert np.isfinite(risk.positions["price"]).tolist() == [True, False, True, True]
    assert all(np.isnan(total) for total in risk.totals.values())
    assert np.all(np.isnan(risk.gains))
    without_size = book_risk(**{**BOOK, "qty": np.array([1.0, 1.0, np.nan, 1.0])})
    assert without_size.unvalued.tolist() == [2]


def test_order_of_positions_changes_rounding_only_and_an_empty_book_is_worth_nothing() -> None:
    flipped = {name: column[::-1] if isinstance(column, np.ndarray) else column for name, column in BOOK.items()}
    np.testing.assert_allclose(book_risk(**flipped).gains, book_risk(**BOOK).gains, atol=1e-9)
    empty = book_risk("C", np.zeros(0), 100.0, 100.0, 1.0, 0.0, 0.2)
    assert empty.totals["value"] == 0.0
    assert np.all(empty.gains == 0.0)


def test_scalar_position_is_a_book_of_one() -> None:
    risk = book_risk("P", 1.0, 100.0, 100.0, 0.5, 0.0, 0.2, multiplier=1.0)
    assert risk.totals["value"] == pytest.approx(float(greeks("P", 100.0, 100.0, 0.5, 0.0, 0.2)["price"]))


@pytest.mark.parametrize(
    "moves", [{"spot_moves_pct": [-100.0]}, {"vol_moves_points": [np.nan]}, {"days": [-1.0]}, {"qty": np.ones((2, 2))}]
)
def test_impossible_moves_and_shapes_are_refused(moves: dict[str, Any]) -> None:
    book: dict[str, Any] = {"right": "C", "qty": 1.0, "spot": 1.0, "strike": 1.0, "years": 1.0, "rate": 0.0, "vol": 0.2}
    with pytest.raises(ValueError, match=r"100 %|finite|one row"):
        book_risk(**{**book, **moves})


def test_warm_reports_every_loop() -> None:
    seen: list[tuple[int, int]] = []
    assert warm(lambda done, total: seen.append((done, total))) == len(WARM)
    assert seen == [(done, len(WARM)) for done in range(1, len(WARM) + 1)]


def test_text_where_numbers_belong_is_refused() -> None:
    with pytest.raises(BadArgument, match="qty"):
        book_risk("C", "many", 100.0, 100.0, 1.0, 0.0, 0.2)
    with pytest.raises(BadArgument, match="numbers"):
        book_risk("C", 1.0, "x", 100.0, 1.0, 0.0, 0.2)
