"""Volatility and Greeks of quotes in one call: to the bit what the public functions say one after the other."""

from __future__ import annotations

import numpy as np
import pytest

from tapeline.kernels.greeks import QUOTED, greeks, greeks_76, implied_vol, implied_vol_76, quoted_greeks


@pytest.mark.parametrize("futures", [False, True])
@pytest.mark.parametrize("n", [1, 7, 700])
def test_quoted_greeks_are_those_of_the_implied_volatility_to_the_bit(n: int, *, futures: bool) -> None:
    rng = np.random.default_rng(n)
    right = rng.choice(np.array([-1, 1], np.int8), n)
    spot, strike = rng.uniform(90.0, 110.0, n), np.full(n, 100.0)
    years = rng.uniform(-0.1, 1.0, n)  # some have expired
    price = rng.uniform(0.0, 25.0, n)  # some lie outside their bounds
    spot[rng.random(n) < 0.1] = np.nan
    table, status = quoted_greeks(right, price, spot, strike, years, 0.04, futures=futures)
    vol, why = (implied_vol_76 if futures else implied_vol)(right, price, spot, strike, years, 0.04)
    found = (greeks_76 if futures else greeks)(right, spot, strike, years, 0.04, vol)
    np.testing.assert_array_equal(status, why)
    np.testing.assert_array_equal(table[0], vol)
    for row, name in zip(table[1:], QUOTED[1:], strict=True):
        np.testing.assert_array_equal(row, found[name], err_msg=name)
