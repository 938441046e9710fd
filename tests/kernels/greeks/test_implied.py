"""Implied volatility: there and back, against QuantLib and vollib, and a status for every price."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - its own documentation abbreviates it so
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.kernels.greeks import naive
from vollib.black_scholes_merton.implied_volatility import implied_volatility as vollib_implied

from tapeline.kernels.greeks import OptionStatus, greeks, greeks_76, implied_vol, implied_vol_76

NO_GUESS = ql.nullDouble()

Case = dict[str, Any]


def priced(n: int, seed: int) -> tuple[Case, NDArray[np.float64], NDArray[np.float64]]:
    """Return options without their vol, the vol, and the price."""
    case = naive.cases(n, seed)
    price = greeks(**case)["price"]
    return case, case.pop("vol"), price


def time_value(case: Case, price: NDArray[np.float64]) -> NDArray[np.float64]:
    asset = case["spot"] * np.exp(-case["div_yield"] * case["years"])
    cash = case["strike"] * np.exp(-case["rate"] * case["years"])
    return np.asarray(price - np.maximum(case["right"] * (asset - cash), 0.0))


def test_prices_come_back_within_1e12_wherever_there_is_time_value() -> None:
    case, _, price = priced(200_000, seed=21)
    vol, status = implied_vol(price=price, **case)
    clear = time_value(case, price) > 1.0000001e-12 * case["spot"]
    assert clear.sum() > 100_000
    assert np.all(status[clear] == OptionStatus.OK)
    again = greeks(vol=vol, **case)["price"]
    assert np.max(np.abs(again - price)[clear] / price[clear]) < 1e-13
    unclear = time_value(case, price) < 0.9999999e-12 * case["spot"]
    assert set(status[unclear].tolist()) == {int(OptionStatus.INDETERMINATE)}
    np.testing.assert_array_equal(np.isfinite(vol), status == OptionStatus.OK)


def test_out_of_the_money_volatility_comes_back_to_machine_precision() -> None:
    case, vol, _ = priced(100_000, seed=22)
    forward = case["spot"] * np.exp((case["rate"] - case["div_yield"]) * case["years"])
    case["right"] = np.where(case["strike"] > forward, 1.0, -1.0)
    price = greeks(vol=vol, **case)["price"]
    got, status = implied_vol(price=price, **case)
    ok = (status == OptionStatus.OK) & (vol * np.sqrt(case["years"]) < 3.0)
    assert np.max(np.abs(got / vol - 1.0)[ok]) < 2e-14


@pytest.mark.parametrize("total", [1e-4, 1e-3, 0.02, 0.3, 1.0, 3.0, 7.0, 11.0])
@pytest.mark.parametrize("x", [0.0, 1e-12, 1e-5, 0.01, 0.5, 2.0, 6.0])
def test_every_region_of_the_guess_gives_the_price_back(x: float, total: float) -> None:
    strike = 100.0 * np.exp(x)
    price = greeks("C", 100.0, strike, 1.0, 0.0, total)["price"]
    vol, status = implied_vol("C", price, 100.0, strike, 1.0, 0.0)
    if price > 1.0000001e-10 and price < 100.0:
        assert status == OptionStatus.OK
        assert greeks("C", 100.0, strike, 1.0, 0.0, vol)["price"] == pytest.approx(float(price), rel=1e-14)
    else:
        assert status in (OptionStatus.INDETERMINATE, OptionStatus.ABOVE_BOUND)
        assert np.isnan(vol)


def agree_where_vega_settles_it(
    case: Case, price: NDArray[np.float64], ours: NDArray[np.float64], theirs: NDArray[np.float64]
) -> int:
    """Vols may differ by what the rounding of the price leaves open; return how many were compared."""
    values = greeks(vol=ours, raw=True, **case)
    money = case["spot"] * np.exp(-case["div_yield"] * case["years"]) + price
    compared = np.isfinite(ours) & np.isfinite(theirs) & (values["vega"] > 1e-8 * case["spot"])
    s = ours * np.sqrt(case["years"])
    open_vol = 4e-15 * money / values["vega"] * (1.0 + 1.0 / s) + 1e-12 * ours
    error = np.abs(ours - theirs) / open_vol
    assert np.max(error[compared]) < 30.0
    return int(compared.sum())


def test_volatility_equals_vollib_on_50000_options() -> None:
    case, _, price = priced(50_000, seed=23)
    ours, status = implied_vol(price=price, **case)
    theirs = np.full(50_000, np.nan)
    columns = [case[name].tolist() for name in ("spot", "strike", "years", "rate", "div_yield", "right")]
    for i, (S, K, T, r, q, w) in enumerate(zip(*columns, strict=True)):
        if status[i] == OptionStatus.OK:
            theirs[i] = vollib_implied(float(price[i]), S, K, T, r, q, "c" if w > 0 else "p")
    assert agree_where_vega_settles_it(case, price, ours, theirs) > 20_000


def test_volatility_equals_quantlib() -> None:
    case, _, price = priced(20_000, seed=24)
    ours, status = implied_vol(price=price, **case)
    theirs = np.full(20_000, np.nan)
    columns = [case[name].tolist() for name in ("right", "spot", "strike", "years", "rate", "div_yield")]
    for i, (w, S, K, T, r, q) in enumerate(zip(*columns, strict=True)):
        if status[i] == OptionStatus.OK:
            side = ql.Option.Call if w > 0 else ql.Option.Put
            forward, discount = float(S * np.exp((r - q) * T)), float(np.exp(-r * T))
            numbers = (K, forward, float(price[i]), discount, 0.0, NO_GUESS, 1.0, 1e-14, 200)
            with contextlib.suppress(RuntimeError):  # it gives up where the price barely moves
                theirs[i] = ql.blackFormulaImpliedStdDevLiRS(side, *numbers) / T**0.5
    assert agree_where_vega_settles_it(case, price, ours, theirs) > 8_000


def test_volatility_equals_bisection_on_the_naive_price() -> None:
    for right, K, T, vol in ((1, 90.0, 0.5, 0.3), (-1, 90.0, 0.5, 0.3), (1, 130.0, 2.0, 0.15), (-1, 100.0, 1e-4, 0.8)):
        price = naive.bsm(right, 100.0, K, T, -0.01, vol, 0.02)["price"]
        want = naive.implied_by_bisection(right, price, 100.0, K, T, -0.01, 0.02)
        got, _ = implied_vol(right, price, 100.0, K, T, -0.01, 0.02)
        assert float(got) == pytest.approx(want, rel=1e-9)


def test_impossible_prices_get_their_reason_and_no_volatility() -> None:
    rows: list[tuple[Any, float, float, float, float, OptionStatus]] = [
        ("C", 9.9, 110.0, 100.0, 1.0, OptionStatus.BELOW_INTRINSIC),
        ("C", -0.01, 100.0, 200.0, 1.0, OptionStatus.BELOW_INTRINSIC),
        ("C", 110.0, 110.0, 100.0, 1.0, OptionStatus.ABOVE_BOUND),
        ("P", 100.5, 90.0, 100.0, 1.0, OptionStatus.ABOVE_BOUND),
        ("C", 10.0, 110.0, 100.0, 1.0, OptionStatus.INDETERMINATE),
        ("C", 0.0, 100.0, 150.0, 1.0, OptionStatus.INDETERMINATE),
        ("C", 12.0, 110.0, 100.0, 0.0, OptionStatus.EXPIRED),
        ("P", 12.0, 110.0, 100.0, -0.1, OptionStatus.EXPIRED),
        ("C", float("nan"), 110.0, 100.0, 1.0, OptionStatus.BAD_INPUT),
        ("C", 12.0, 0.0, 100.0, 1.0, OptionStatus.BAD_INPUT),
        ("C", 12.0, 110.0, -1.0, 1.0, OptionStatus.BAD_INPUT),
        ("?", 12.0, 110.0, 100.0, 1.0, OptionStatus.BAD_INPUT),
        ("C", 12.0, 110.0, 100.0, float("inf"), OptionStatus.BAD_INPUT),
        ("C", 12.0, 110.0, 100.0, 1.0, OptionStatus.OK),
    ]
    right, price, spot, strike, years, want = zip(*rows, strict=True)
    vol, status = implied_vol(right, price, spot, strike, years, 0.0)
    assert [OptionStatus(code) for code in status.tolist()] == list(want)
    assert np.isfinite(vol).tolist() == [code is OptionStatus.OK for code in want]


anything = st.floats(allow_nan=True, allow_infinity=True)


@given(st.integers(-2, 2), anything, anything, anything, anything, anything, anything)
def test_every_price_gets_a_status_and_a_volatility_only_beside_ok(
    right: int, price: float, spot: float, strike: float, years: float, rate: float, div_yield: float
) -> None:
    vol, status = implied_vol(right, price, spot, strike, years, rate, div_yield)
    assert (OptionStatus(int(status)) is OptionStatus.OK) == bool(np.isfinite(vol) and vol > 0.0)


@given(
    st.sampled_from([1, -1]),
    st.floats(0.0, 2.0),
    st.floats(0.05, 20.0),
    st.floats(1e-5, 20.0),
    st.floats(-0.05, 0.1),
    st.floats(-0.05, 0.1),
)
def test_any_price_between_its_bounds_is_met_by_its_volatility(
    right: int, part: float, moneyness: float, years: float, rate: float, div_yield: float
) -> None:
    asset, cash = 100.0 * np.exp(-div_yield * years), 100.0 * moneyness * np.exp(-rate * years)
    low, high = max(right * (asset - cash), 0.0), asset if right > 0 else cash
    price = low + (high - low) * min(part / 2.0, 1.0 - 1e-9)
    vol, status = implied_vol(right, price, 100.0, 100.0 * moneyness, years, rate, div_yield)
    if status == OptionStatus.OK:
        again = greeks(right, 100.0, 100.0 * moneyness, years, rate, vol, div_yield)["price"]
        assert float(again) == pytest.approx(price, rel=1e-12)
    else:
        assert price - low <= 1.1e-10


@given(st.floats(0.01, 3.0), st.integers(-4, 4))
def test_scaling_all_money_leaves_the_volatility(vol: float, power: int) -> None:
    price = greeks("P", 100.0, 80.0, 0.7, 0.03, vol)["price"]
    factor = 4.0**power
    small, _ = implied_vol("P", price, 100.0, 80.0, 0.7, 0.03)
    large, _ = implied_vol("P", price * factor, 100.0 * factor, 80.0 * factor, 0.7, 0.03)
    np.testing.assert_array_equal(small, large)


def test_higher_prices_mean_higher_volatility() -> None:
    for strike in (70.0, 100.0, 140.0):
        bottom = max(100.0 - strike, 0.0)
        prices = bottom + (100.0 - bottom) * np.linspace(1e-6, 1.0 - 1e-6, 4_001)
        vol, status = implied_vol("C", prices, 100.0, strike, 1.0, 0.0)
        assert np.all(status == OptionStatus.OK)
        assert np.all(np.diff(vol) > 0.0)


def test_shuffled_prices_get_shuffled_volatilities_and_inputs_stay_as_they_were() -> None:
    case, _, price = priced(5_000, seed=25)
    before = price.tobytes()
    order = np.random.default_rng(26).permutation(5_000)
    vol, status = implied_vol(price=price, **case)
    vol_2, status_2 = implied_vol(price=price[order], **{name: column[order] for name, column in case.items()})
    np.testing.assert_array_equal(vol[order], vol_2)
    np.testing.assert_array_equal(status[order], status_2)
    assert price.tobytes() == before


def test_black_76_volatility_comes_back() -> None:
    strikes = np.linspace(60.0, 160.0, 41)
    price = greeks_76("P", 100.0, strikes, 0.4, 0.07, 0.35)["price"]
    vol, status = implied_vol_76("P", price, 100.0, strikes, 0.4, 0.07)
    assert np.all(status == OptionStatus.OK)
    np.testing.assert_allclose(vol, 0.35, rtol=1e-12)
