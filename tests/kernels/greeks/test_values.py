"""Prices and Greeks: against QuantLib, vollib, plain twins and 60 digits, and the laws that hold for every option."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - its own documentation abbreviates it so
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.kernels.greeks import naive
from vollib.black import black as vollib_black
from vollib.black.greeks import analytical as vollib_76
from vollib.black_scholes_merton import black_scholes_merton as vollib_price
from vollib.black_scholes_merton.greeks import analytical as vollib

from tapeline.kernels.greeks import OptionStatus, greeks, greeks_76

RAW_UNITS = {"vega": 100.0, "theta": 365.0, "rho": 100.0, "vanna": 100.0, "charm": 365.0, "vomma": 1e4}
FIRST = ("price", "delta", "gamma", "vega", "theta", "rho")


def scales(case: dict[str, Any]) -> dict[str, NDArray[np.float64]]:
    """How large each raw value can be for the option: the yardstick of its errors."""
    S, K, T, r, q = (case[name] for name in ("spot", "strike", "years", "rate", "div_yield"))
    money = S * np.exp(-q * T) + K * np.exp(-r * T)
    s = case["vol"] * np.sqrt(T)
    return {
        "price": money,
        "delta": money / S,
        "gamma": money / (S * S * s),
        "vega": money * np.sqrt(T),
        "theta": money * (case["vol"] / np.sqrt(T) + np.abs(r) + np.abs(q)),
        "rho": money * T,
    }


def test_all_greeks_equal_quantlib_on_50000_options() -> None:
    case = naive.cases(50_000, seed=1)
    got, scale = greeks(**case, raw=True), scales(case)
    assert np.all(got["status"] == OptionStatus.OK)
    want = np.empty((6, 50_000))
    sides = {1.0: ql.Option.Call, -1.0: ql.Option.Put}
    for i, (w, S, K, T, r, vol, q) in enumerate(zip(*(column.tolist() for column in case.values()), strict=True)):
        forward, discount = S * np.exp((r - q) * T), float(np.exp(-r * T))
        payoff = ql.PlainVanillaPayoff(sides[w], K)
        black = ql.BlackCalculator(payoff, float(forward), vol * T**0.5, discount)
        want[:, i] = (black.value(), black.delta(S), black.gamma(S), black.vega(T), black.theta(S, T), black.rho(T))
    # QuantLib builds the forward first; minutes before expiry its rounding is divided by a small vol x sqrt(years).
    tolerance = 1e-14 + 2e-16 / (case["vol"] * np.sqrt(case["years"]))
    for name, row in zip(FIRST, want, strict=True):
        error = np.abs(got[name] - row) / scale[name] / tolerance
        assert error.max() < 30.0, name


def test_prices_equal_vollib_on_50000_options() -> None:
    case = naive.cases(50_000, seed=2)
    got, scale = greeks(**case), scales(case)
    rows = zip(*(column.tolist() for column in case.values()), strict=True)
    want = [vollib_price("c" if w > 0 else "p", S, K, T, r, vol, q) for w, S, K, T, r, vol, q in rows]
    assert np.max(np.abs(got["price"] - want) / scale["price"]) < 1e-12


def test_greeks_equal_vollib_in_its_units() -> None:
    case = naive.cases(3_000, seed=3)
    got, scale = greeks(**case), scales(case)
    for i, (w, *rest) in enumerate(zip(*(column.tolist() for column in case.values()), strict=True)):
        side = "c" if w > 0 else "p"
        for name in FIRST[1:]:
            want = getattr(vollib, name)(side, *rest)
            allowed = 1e-10 * scale[name][i] / RAW_UNITS.get(name, 1.0)
            assert abs(float(got[name][i]) - want) <= allowed, (name, i)


def test_black_76_equals_vollib() -> None:
    case = naive.cases(1_000, seed=4)
    got = greeks_76(*(case[name] for name in ("right", "spot", "strike", "years", "rate", "vol")))
    for i in range(1_000):
        side = "c" if case["right"][i] > 0 else "p"
        F, K, T, r, vol = (float(case[name][i]) for name in ("spot", "strike", "years", "rate", "vol"))
        size = (F + K) * np.exp(-r * T)
        assert got["price"][i] == pytest.approx(vollib_black(side, F, K, T, r, vol), abs=1e-12 * size)
        for name, scale in (("delta", size / F), ("vega", size * T**0.5), ("theta", size * vol / T**0.5)):
            want = getattr(vollib_76, name)(side, F, K, T, r, vol)
            assert got[name][i] == pytest.approx(want, abs=1e-11 * scale), name
        assert got["rho"][i] == pytest.approx(-T * got["price"][i] / 100.0)


def test_all_greeks_equal_the_naive_twin() -> None:
    case = naive.cases(2_000, seed=5)
    got = greeks(**case, second_order=True, raw=True)
    for i, (w, S, K, T, r, vol, q) in enumerate(zip(*(column.tolist() for column in case.values()), strict=True)):
        want = naive.bsm(int(w), S, K, T, r, vol, q)
        money = S + K
        for name, value in want.items():
            size = {"vanna": money / (S * vol), "charm": money / (S * T), "vomma": money * T**0.5 / vol}.get(name)
            size = float(scales(case)[name][i]) if size is None else size * 10.0
            assert float(got[name][i]) == pytest.approx(value, abs=1e-10 * size), (name, i)


def test_time_value_keeps_its_digits_in_the_deepest_wings() -> None:
    case = naive.cases(400, seed=6)
    forward = case["spot"] * np.exp((case["rate"] - case["div_yield"]) * case["years"])
    case["right"] = np.where(case["strike"] > forward, 1.0, -1.0)
    got = greeks(**case)["price"]
    z = np.abs(np.log(forward / case["strike"])) / (case["vol"] * np.sqrt(case["years"]))
    for i, (w, *rest) in enumerate(zip(*(column.tolist() for column in case.values()), strict=True)):
        want = float(naive.exact_price(int(w), *rest))
        # The exponent -z^2/2 multiplies the rounding of z: no double holds more digits than this.
        assert got[i] == pytest.approx(want, rel=1e-14 * (2.0 + z[i] ** 2), abs=1e-300)


def test_textbook_row_of_hull() -> None:
    hull = greeks("C", 49.0, 50.0, 0.3846, 0.05, 0.20, raw=True)
    want = {"price": 2.40, "delta": 0.522, "gamma": 0.066, "vega": 12.1, "theta": -4.31, "rho": 8.91}
    for name, value in want.items():
        assert float(hull[name]) == pytest.approx(value, rel=1e-2), name


def test_units_are_days_and_percentage_points() -> None:
    case = naive.cases(50, seed=7)
    raw, traded = greeks(**case, second_order=True, raw=True), greeks(**case, second_order=True)
    for name, factor in RAW_UNITS.items():
        np.testing.assert_allclose(traded[name] * factor, raw[name], rtol=1e-14)
    np.testing.assert_array_equal(traded["gamma"], raw["gamma"])


options = st.fixed_dictionaries(
    {
        "right": st.sampled_from([1, -1]),
        "spot": st.floats(0.01, 1e5),
        "strike": st.floats(0.01, 1e5),
        "years": st.floats(1e-6, 30.0),
        "rate": st.floats(-0.1, 0.3),
        "vol": st.floats(0.005, 4.0),
        "div_yield": st.floats(-0.1, 0.3),
    }
)


@given(options)
def test_put_call_parity_holds(option: dict[str, Any]) -> None:
    call, put = greeks(**{**option, "right": 1}), greeks(**{**option, "right": -1})
    asset = option["spot"] * np.exp(-option["div_yield"] * option["years"])
    cash = option["strike"] * np.exp(-option["rate"] * option["years"])
    assert float(call["price"] - put["price"]) == pytest.approx(asset - cash, abs=2e-15 * (asset + cash))
    assert float(call["delta"] - put["delta"]) == pytest.approx(asset / option["spot"], rel=1e-13)
    assert float(call["gamma"]) == float(put["gamma"])
    assert float(call["vega"]) == float(put["vega"])


@given(options, st.floats(1.001, 1.5))
def test_price_rises_with_volatility_and_a_calls_with_spot(option: dict[str, Any], factor: float) -> None:
    now = greeks(**option)
    slack = 1e-14 * (option["spot"] * np.exp(-option["div_yield"] * option["years"]) + float(now["price"]))
    wilder = greeks(**{**option, "vol": option["vol"] * factor})
    assert wilder["price"] >= now["price"] - slack
    higher = greeks(**{**option, "spot": option["spot"] * factor})
    assert option["right"] * (higher["price"] - now["price"]) >= -2.0 * slack * factor


@given(options, st.integers(-8, 8))
def test_scaling_spot_and_strike_scales_the_price_and_leaves_delta(option: dict[str, Any], power: int) -> None:
    factor = 2.0**power
    small = greeks(**option)
    large = greeks(**{**option, "spot": option["spot"] * factor, "strike": option["strike"] * factor})
    assert float(large["price"]) == float(small["price"]) * factor
    assert float(large["delta"]) == float(small["delta"])
    assert float(large["vega"]) == float(small["vega"]) * factor


anything = st.floats(allow_nan=True, allow_infinity=True)


@given(st.integers(-3, 3), anything, anything, anything, anything, anything, anything)
def test_every_input_gets_a_status_and_numbers_stand_only_beside_ok(
    right: int, spot: float, strike: float, years: float, rate: float, vol: float, div_yield: float
) -> None:
    got = greeks(right, spot, strike, years, rate, vol, div_yield)
    status = OptionStatus(int(got["status"]))
    assert status in (OptionStatus.OK, OptionStatus.EXPIRED, OptionStatus.BAD_INPUT)
    for name in FIRST:
        assert np.isfinite(got[name]) == (status is OptionStatus.OK)


def test_shuffled_options_get_shuffled_results_and_inputs_stay_as_they_were() -> None:
    case = naive.cases(3_000, seed=8)
    before = {name: column.tobytes() for name, column in case.items()}
    order = np.random.default_rng(9).permutation(3_000)
    plain = greeks(**case, second_order=True)
    shuffled = greeks(**{name: column[order] for name, column in case.items()}, second_order=True)
    for name, column in plain.items():
        np.testing.assert_array_equal(column[order], shuffled[name])
    assert before == {name: column.tobytes() for name, column in case.items()}


def test_bad_options_are_nan_with_a_reason_and_do_not_touch_their_neighbours() -> None:
    spot = [100.0, -1.0, 100.0, 100.0, np.nan, 100.0, 100.0]
    years = [1.0, 1.0, 0.0, -1.0, 1.0, 1.0, 1.0]
    vol = [0.2, 0.2, 0.2, 0.2, 0.2, 0.0, 0.2]
    got = greeks(["C", "C", "C", "P", "P", "C", "X"], spot, 100.0, years, 0.01, vol)
    assert got["status"].tolist() == [0, 4, 3, 3, 4, 4, 4]
    assert np.isfinite(got["price"]).tolist() == [True] + [False] * 6


def test_rights_are_understood_in_every_spelling() -> None:
    one = greeks("C", 100.0, 95.0, 0.5, 0.02, 0.3)["price"]
    for call in ("c", "call", "CE", True, 1, 1.0, b"C", np.int8(1)):
        assert greeks(call, 100.0, 95.0, 0.5, 0.02, 0.3)["price"] == one, call
    other = greeks("P", 100.0, 95.0, 0.5, 0.02, 0.3)["price"]
    for put in ("p", "PUT", "PE", False, -1, -1.0, b"p"):
        assert greeks(put, 100.0, 95.0, 0.5, 0.02, 0.3)["price"] == other, put
    for neither in ("", "callable", 0, 2, np.nan, "\x03"):
        assert greeks(neither, 100.0, 95.0, 0.5, 0.02, 0.3)["status"] == OptionStatus.BAD_INPUT, neither


def test_inputs_broadcast_and_results_take_their_shape() -> None:
    got = greeks(
        np.array(["C", "P"])[:, None, None], 100.0, np.array([90.0, 100.0, 110.0])[:, None], [0.1, 0.5], 0.0, 0.2
    )
    assert got["price"].shape == (2, 3, 2)
    assert got["price"][1, 2, 0] == greeks("P", 100.0, 110.0, 0.1, 0.0, 0.2)["price"]
    assert greeks("C", np.zeros((0, 3)), 1.0, 1.0, 0.0, 0.2)["price"].shape == (0, 3)
    with pytest.raises(ValueError, match="shape"):
        greeks("C", [1.0, 2.0], [1.0, 2.0, 3.0], 1.0, 0.0, 0.2)


def test_read_only_reversed_and_single_precision_columns_are_taken() -> None:
    spot = np.linspace(80.0, 120.0, 5)
    spot.setflags(write=False)
    want = greeks("C", spot.copy(), 100.0, 1.0, 0.0, 0.2)["price"]
    np.testing.assert_array_equal(greeks("C", spot, 100.0, 1.0, 0.0, 0.2)["price"], want)
    np.testing.assert_array_equal(greeks("C", spot[::-1], 100.0, 1.0, 0.0, 0.2)["price"], want[::-1])
    np.testing.assert_allclose(greeks("C", spot.astype(np.float32), 100.0, 1.0, 0.0, 0.2)["price"], want)


def test_callers_on_several_threads_get_the_same_bytes() -> None:
    case = naive.cases(20_000, seed=10)
    want = greeks(**case)["price"].tobytes()
    results: list[bytes] = []
    threads = [threading.Thread(target=lambda: results.append(greeks(**case)["price"].tobytes())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [want] * 4
