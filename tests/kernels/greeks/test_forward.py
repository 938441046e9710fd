"""Forwards from chains and curves, and time to expiry in seconds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tapeline.core.errors import BadArgument
from tapeline.kernels.greeks import (
    OptionStatus,
    RateCurve,
    forward_from_curve,
    forward_from_parity,
    greeks,
    years_to,
)

STRIKES = np.arange(80.0, 121.0, 2.5)


def chain(rate: float, div_yield: float, years: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    smile = 0.2 + 0.3 * np.log(STRIKES / 100.0) ** 2
    call = greeks("C", 100.0, STRIKES, years, rate, smile, div_yield)["price"]
    return call, greeks("P", 100.0, STRIKES, years, rate, smile, div_yield)["price"]


@given(st.floats(-0.05, 0.2), st.floats(-0.05, 0.2), st.floats(0.01, 5.0))
def test_clean_chain_gives_forward_and_rate_exactly(rate: float, div_yield: float, years: float) -> None:
    found = forward_from_parity(STRIKES, *chain(rate, div_yield, years), years)
    assert found.status is OptionStatus.OK
    assert found.forward == pytest.approx(100.0 * math.exp((rate - div_yield) * years), rel=1e-10)
    assert found.rate == pytest.approx(rate, abs=1e-9 / years)
    assert found.n_used == found.n_given == STRIKES.size


def test_wild_quotes_do_not_move_the_forward() -> None:
    call, put = chain(0.03, 0.01, 0.5)
    noise = np.random.default_rng(1).normal(0.0, 0.01, STRIKES.size)
    call = call + noise
    call[[2, 9]] += (30.0, -8.0)
    put[14] = 0.0
    found = forward_from_parity(STRIKES, call, put, 0.5, rate=0.03)
    assert found.forward == pytest.approx(100.0 * math.exp(0.01), abs=0.02)
    assert found.n_used <= STRIKES.size - 3
    assert 0.002 < found.spread < 0.03


def test_quotes_that_are_missing_are_left_out() -> None:
    call, put = chain(0.03, 0.01, 0.5)
    call[3] = np.nan
    found = forward_from_parity(STRIKES, call, put, 0.5)
    assert found.n_given == STRIKES.size - 1
    assert found.forward == pytest.approx(100.0 * math.exp(0.01))


def test_too_few_strikes_expiry_and_rising_parity_have_no_forward() -> None:
    call, put = chain(0.03, 0.01, 0.5)
    nan = float("nan")
    found = {
        OptionStatus.BAD_INPUT: forward_from_parity(STRIKES[:2], call[:2], put[:2], 0.5),
        OptionStatus.EXPIRED: forward_from_parity(STRIKES, call, put, 0.0),
        OptionStatus.INDETERMINATE: forward_from_parity(STRIKES, put, call, 0.5),
    }
    for status, answer in found.items():
        assert answer.status is status
        assert math.isnan(answer.forward)
    assert forward_from_parity(STRIKES, call, put, nan).status is OptionStatus.BAD_INPUT
    assert forward_from_parity(STRIKES, call - 200.0, put, 0.5, rate=0.0).status is OptionStatus.INDETERMINATE


def test_years_are_seconds_over_365_days_also_on_expiry_day() -> None:
    now_ns, hour_ns = 1_273_156_200_000_000_000, 3_600_000_000_000
    assert float(years_to(now_ns + 6 * hour_ns, now_ns)) == 6.0 / 24.0 / 365.0
    assert years_to([now_ns, now_ns - hour_ns], now_ns).tolist() == [0.0, -1.0 / 24.0 / 365.0]


def test_curve_interpolates_between_and_holds_beyond_its_nodes() -> None:
    curve = RateCurve(np.array([0.5, 1.0, 2.0]), np.array([0.01, 0.02, 0.04]))
    np.testing.assert_allclose(curve.rate([0.1, 0.5, 1.0, 2.0, 9.0]), [0.01, 0.01, 0.02, 0.04, 0.04])
    assert float(curve.rate(1.5)) == pytest.approx((0.02 + 0.08) / 2.0 / 1.5)
    assert float(curve.discount(2.0)) == pytest.approx(math.exp(-0.08))
    assert np.isnan(curve.rate(np.nan))


@pytest.mark.parametrize(
    ("years", "rates"), [([], []), ([1.0], [0.1, 0.2]), ([0.0], [0.1]), ([2.0, 1.0], [0.1, 0.1]), ([1.0], [np.nan])]
)
def test_impossible_curves_are_refused(years: list[float], rates: list[float]) -> None:
    with pytest.raises(ValueError, match="a rate curve needs"):
        RateCurve(np.array(years), np.array(rates))


def test_forward_pays_its_dividends_once_they_go_ex() -> None:
    curve = RateCurve(np.array([1.0]), np.array([0.05]))
    got = forward_from_curve(100.0, [0.25, 1.0], curve, dividend_years=[-0.1, 0.5, 1.5], dividends=[9.0, 2.0, 9.0])
    want = [100.0 * math.exp(0.0125), (100.0 - 2.0 * math.exp(-0.025)) * math.exp(0.05)]
    np.testing.assert_allclose(got, want, rtol=1e-14)
    assert float(forward_from_curve(100.0, 2.0, curve, div_yield=0.03)) == pytest.approx(100.0 * math.exp(0.04))


def test_forward_is_nan_in_the_past_and_when_dividends_eat_the_spot() -> None:
    curve = RateCurve(np.array([1.0]), np.array([0.05]))
    assert np.isnan(forward_from_curve(100.0, -0.1, curve))
    assert np.isnan(forward_from_curve(1.0, 1.0, curve, dividend_years=[0.5], dividends=[2.0]))
    with pytest.raises(ValueError, match="its time and its amount"):
        forward_from_curve(1.0, 1.0, curve, dividend_years=[0.5], dividends=[])


def test_times_of_any_unit_make_the_same_years_and_fractions_are_refused() -> None:
    day = np.datetime64("2025-11-21", "D")
    assert years_to(day + 365, day.astype("datetime64[m]")) == 1.0
    for wrong in (1.7e9, np.datetime64("NaT"), "2025-11-21"):
        with pytest.raises(BadArgument, match="now_ns"):
            years_to(0, wrong)


@pytest.mark.parametrize(
    ("strike", "years"), [([90.0, 100.0], 1.0), ([90.0, 100.0, 110.0], [1.0, 2.0]), (["x"] * 3, 1.0)]
)
def test_a_chain_that_does_not_fit_is_refused(strike: Any, years: Any) -> None:
    with pytest.raises(BadArgument, match="strike"):
        forward_from_parity(strike, [12.0, 6.0, 2.0], [2.0, 6.0, 12.0], years)
