"""American options: between the European price and QuantLib's exact engine, and close to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - its own documentation abbreviates it so
from hypothesis import given
from hypothesis import strategies as st

from tapeline.kernels.greeks import OptionStatus, american_price, greeks
from tapeline.kernels.greeks.american import phi, psi

ROUNDING = 2e-13
"""Vector and scalar code of one formula round differently in the last place; prices here are of order 100."""


def exact(right: int, K: float, days: int, r: float, vol: float, q: float) -> float:
    """QuantLib's QD+ engine with its fixed point iterated, spot 100."""
    today = ql.Date(21, 11, 2026)
    ql.Settings.instance().evaluationDate = today
    count = ql.Actual365Fixed()
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(100.0)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, q, count)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, r, count)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), vol, count)),
    )
    side = ql.Option.Call if right > 0 else ql.Option.Put
    option = ql.VanillaOption(ql.PlainVanillaPayoff(side, K), ql.AmericanExercise(today, today + days))
    option.setPricingEngine(ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.accurateScheme()))
    return float(option.NPV())


def listed(n: int, seed: int) -> dict[str, Any]:
    """Options as they are listed: up to a year, strikes within two standard deviations."""
    rng = np.random.default_rng(seed)
    vol, days = rng.uniform(0.1, 0.6, n), rng.integers(5, 366, n)
    return {
        "right": rng.choice([1.0, -1.0], n),
        "strike": 100.0 * np.exp(rng.uniform(-2.0, 2.0, n) * vol * np.sqrt(days / 365.0)),
        "days": days.astype(np.float64),
        "rate": rng.uniform(0.0, 0.08, n),
        "vol": vol,
        "div_yield": rng.uniform(0.0, 0.08, n),
    }


def test_listed_options_lie_between_european_and_exact_price_and_near_the_exact_one() -> None:
    case = listed(1_000, seed=31)
    days = case.pop("days")
    got, status = american_price(spot=100.0, years=days / 365.0, **case)
    european = greeks(spot=100.0, years=days / 365.0, **case)["price"]
    assert np.all(status == OptionStatus.OK)
    columns = (case["right"], case["strike"], days, case["rate"], case["vol"], case["div_yield"])
    want = np.array(
        [exact(int(w), K, int(d), r, v, q) for w, K, d, r, v, q in zip(*(c.tolist() for c in columns), strict=True)]
    )
    assert np.all(got >= european - ROUNDING)
    assert np.all(got >= case["right"] * (100.0 - case["strike"]))
    assert np.all(got <= want + 2e-6), "a strategy one could follow is never worth more than the best one"
    assert np.max(want - got) < 1.3, "deep in the money, where the flat boundary exercises too early"
    assert np.median(want - got) < 0.002
    assert np.mean(want - got) < 0.03
    assert np.sum(want - got) < 0.12 * np.sum(want - european), "most of the early-exercise premium is caught"


@pytest.mark.parametrize(("spot", "want"), [(80.0, 0.03), (90.0, 0.58), (100.0, 3.51), (110.0, 10.34), (120.0, 20.0)])
def test_row_of_the_futures_table(spot: float, want: float) -> None:
    price, _ = american_price("C", spot, 100.0, 0.25, 0.08, 0.2, 0.12)
    assert round(float(price), 2) == want


def test_two_equal_boundaries_are_one_period() -> None:
    S, K, T, r, b, variance, X = 100.0, 100.0, 0.25, 0.08, -0.04, 0.04, 115.0
    for gamma, H in ((4.0, X), (1.0, X), (0.0, X), (1.0, K), (0.0, K)):
        for t in (0.1, 0.15):
            two = psi(S, T, gamma, H, X, X, t, r, b, variance)
            assert two == pytest.approx(phi(S, T, gamma, H, X, r, b, variance), rel=1e-12)


def test_call_without_yield_and_put_without_rate_are_european() -> None:
    call, _ = american_price("C", 100.0, [80.0, 100.0, 130.0], 0.5, 0.05, 0.3, 0.0)
    european = greeks("C", 100.0, [80.0, 100.0, 130.0], 0.5, 0.05, 0.3)["price"]
    np.testing.assert_allclose(call, european, atol=ROUNDING)
    put, _ = american_price("P", 100.0, [80.0, 100.0, 130.0], 0.5, 0.0, 0.3, 0.02)
    european = greeks("P", 100.0, [80.0, 100.0, 130.0], 0.5, 0.0, 0.3, 0.02)["price"]
    np.testing.assert_allclose(put, european, atol=ROUNDING)


def test_rates_with_two_boundaries_are_outside_the_domain() -> None:
    price, status = american_price(["C", "P", "P"], 100.0, 100.0, 1.0, [-0.02, -0.01, -0.01], 0.2, [-0.01, -0.02, 0.01])
    assert status.tolist() == [OptionStatus.OUTSIDE_DOMAIN, OptionStatus.OUTSIDE_DOMAIN, OptionStatus.OK]
    assert np.isfinite(price).tolist() == [False, False, True]


def test_deep_in_the_money_put_is_exercised_now() -> None:
    price, status = american_price("P", 20.0, 100.0, 1.0, 0.08, 0.2, 0.0)
    assert status == OptionStatus.OK
    assert float(price) == 80.0


anything = st.floats(allow_nan=True, allow_infinity=True)


@given(st.integers(-2, 2), anything, anything, anything, anything, anything, anything)
def test_every_input_gets_a_status_and_a_price_only_beside_ok(
    right: int, spot: float, strike: float, years: float, rate: float, vol: float, div_yield: float
) -> None:
    price, status = american_price(right, spot, strike, years, rate, vol, div_yield)
    assert (OptionStatus(int(status)) is OptionStatus.OK) == bool(np.isfinite(price))


@given(
    st.sampled_from([1, -1]),
    st.floats(20.0, 500.0),
    st.floats(0.003, 5.0),
    st.floats(0.0, 0.2),
    st.floats(0.02, 1.5),
    st.floats(0.0, 0.2),
)
def test_never_below_european_nor_exercise_nor_above_the_bound(
    right: int, strike: float, years: float, rate: float, vol: float, div_yield: float
) -> None:
    price, status = american_price(right, 100.0, strike, years, rate, vol, div_yield)
    assert status == OptionStatus.OK
    european = greeks(right, 100.0, strike, years, rate, vol, div_yield)["price"]
    assert price >= max(float(european) - ROUNDING, right * (100.0 - strike), 0.0)
    assert price <= (100.0 if right > 0 else strike) * (1.0 + 1e-9)
