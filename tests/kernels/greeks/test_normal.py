"""Mills' ratio, the distribution function and its inverse, against arithmetic with 60 digits."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from tests.kernels.greeks.naive import exact_cdf

from tapeline.kernels.greeks.american import joint_cumulative
from tapeline.kernels.greeks.black import black_wing
from tapeline.kernels.greeks.elementary import exponential, log_ratio
from tapeline.kernels.greeks.normal import cumulative, log_cumulative, mills, wing_quantile


@pytest.mark.parametrize("z", [0.0, 1e-9, 0.1, 0.7, 1.3, 2.9, 5.0, 8.8, 12.0, 20.0, 37.0])
def test_mills_ratio_and_slope_keep_all_digits_everywhere(z: float) -> None:
    with localcontext() as context:
        context.prec = 60
        exact_z = Decimal(z)
        two_pi = Decimal("6.283185307179586476925286766559005768394338798750211641949889")
        ratio = exact_cdf(-exact_z) / ((-exact_z * exact_z / 2).exp() / two_pi.sqrt())
        slope = 1 - exact_z * ratio
    got = mills(z)
    assert got[0] == pytest.approx(float(ratio), rel=4e-16)
    assert got[1] == pytest.approx(float(slope), rel=1e-15)


def test_mills_ratio_of_a_huge_argument_is_finite() -> None:
    assert mills(math.inf)[0] == pytest.approx(1e-8)
    assert mills(1e300)[1] == pytest.approx(1e-16)


def test_cumulative_adds_up_to_one() -> None:
    for z in np.linspace(-8.0, 8.0, 33):
        assert cumulative(z) + cumulative(-z) == pytest.approx(1.0, abs=3e-16)
    assert log_cumulative(-60.0) == pytest.approx(-1805.0135606805675, rel=1e-14)
    assert log_cumulative(0.7) == pytest.approx(math.log(cumulative(0.7)))
    assert cumulative(-30.0) == pytest.approx(4.906713927148187e-198, rel=1e-13)


def test_wing_quantile_inverts_the_wing() -> None:
    for z in (0.01, 0.5, 1.0, 2.0, 5.0, 8.0, 20.0, 35.0):
        assert wing_quantile(math.log(cumulative(-z))) == pytest.approx(z, abs=1e-6)


def test_log_ratio_keeps_relative_precision_next_to_one() -> None:
    assert log_ratio(100.0 + 1e-10, 100.0) == pytest.approx(((100.0 + 1e-10) - 100.0) / 100.0, rel=1e-11)
    assert log_ratio(300.0, 100.0) == pytest.approx(math.log(3.0), rel=3e-16)
    assert log_ratio(100.0, 100.0) == 0.0


def test_exponential_is_the_librarys_within_two_ulps() -> None:
    for x in np.concatenate([np.linspace(-707.9, 708.9, 4_001), np.linspace(-1.0, 1.0, 2_001)]):
        assert exponential(x) == pytest.approx(math.exp(x), rel=4.5e-16)
    assert (exponential(0.0), exponential(-1e3), exponential(1e3)) == (1.0, 0.0, math.inf)


def test_log_ratio_is_the_librarys_over_all_magnitudes() -> None:
    for k in range(-250, 250):
        a, b = 1.37**k, 0.91 ** (k % 7)
        assert log_ratio(a, b) == pytest.approx(math.log(a) - math.log(b), rel=1e-14, abs=1e-15)


def test_series_and_difference_agree_where_they_meet() -> None:
    for x in (0.0, 0.01, 0.3, 1.0, 2.0):
        top = math.exp(-0.5 * x)
        below, above = black_wing(x, 0.4 - 1e-12, top), black_wing(x, 0.4, top)
        rounding = 4e-15 * (1.0 + (x / 0.4) ** 2) * above[0]
        assert above[0] - below[0] == pytest.approx(1e-12 * above[2], abs=rounding)


def test_value_and_its_complement_add_up_to_the_bound() -> None:
    for s in (0.05, 0.5, 2.0, 9.0):
        value, rest, _ = black_wing(0.4, s, math.exp(-0.2))
        assert value + rest == pytest.approx(math.exp(-0.2), rel=1e-15)


def test_joint_cumulative_of_the_origin_and_of_independence() -> None:
    for rho in (-0.786, -0.3, 0.5, 0.786):
        assert joint_cumulative(0.0, 0.0, rho) == pytest.approx(0.25 + math.asin(rho) / (2.0 * math.pi), abs=1e-15)
    assert joint_cumulative(0.3, -1.2, 0.0) == pytest.approx(cumulative(0.3) * cumulative(-1.2), abs=1e-16)
    assert joint_cumulative(8.5, 0.4, 0.786) == pytest.approx(cumulative(0.4), abs=1e-14)
