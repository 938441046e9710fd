"""exp and log ratios made of additions and multiplications alone, so that a loop over options becomes vector code.

In: plain floats.  Out: values within 2 ulp. A call into the C library keeps the compiler from using vector registers;
these cost under a nanosecond an option where the library's cost five.
"""

from __future__ import annotations

import math

import numpy as np

from tapeline.kernels.greeks.columns import inlined

_LOG2_E = 1.4426950408889634
_LN2 = 0.6931471805599453
_LN2_HIGH, _LN2_LOW = 0.6931471803691238, 1.9082149292705877e-10
"""ln 2 in two parts: the first has 32 trailing zero bits, so that a small integer times it is exact."""

_ROUND = 6755399441055744.0
"""1.5 x 2^52: adding it leaves the nearest integer in the low bits of the sum."""
_ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
_BIAS = 1023
_TWO_52_BITS, _TWO_52 = 0x4330000000000000, 4503599627370496.0

_LEAST, _MOST = -708.0, 709.0


@inlined
def exponential(x):  # type: ignore[no-untyped-def]
    """Return exp(x): 0 below -708, infinity above 709; 2^k times the series of the rest, |rest| <= ln(2) / 2."""
    y = min(max(x, _LEAST), _MOST)
    shifted = y * _LOG2_E + _ROUND
    k = shifted - _ROUND
    r = (y - k * _LN2_HIGH) - k * _LN2_LOW
    w = r * r
    even = ((((w / 479001600.0 + 1.0 / 3628800.0) * w + 1.0 / 40320.0) * w + 1.0 / 720.0) * w + 1.0 / 24.0) * w + 0.5
    odd = (((((w / 6227020800.0 + 1.0 / 39916800.0) * w + 1.0 / 362880.0) * w + 1.0 / 5040.0) * w + 1.0 / 120.0) * w
           + 1.0 / 6.0)  # fmt: skip
    power = (np.float64(shifted).view(np.int64) + _BIAS) << 52
    value = (1.0 + (r + (even + odd * r) * w)) * np.int64(power).view(np.float64)
    value = 0.0 if x < _LEAST else value
    return math.inf if x > _MOST else value


@inlined
def log_ratio(a, b):  # type: ignore[no-untyped-def]
    """Return ln(a / b) for normal a, b > 0, with full relative precision also where a is next to b.

    With a / b = 2^k m, m in [sqrt(1/2), sqrt(2)): k ln 2 + 2 artanh((m - 1) / (m + 1)), the difference taken before
    the division, where it is exact.
    """
    bits = np.float64(a / b).view(np.int64)
    biased = (bits - _ROOT_HALF_BITS + (_BIAS << 52)) >> 52
    k = np.int64(biased | _TWO_52_BITS).view(np.float64) - (_TWO_52 + _BIAS)
    near = a * np.int64((2 * _BIAS - biased) << 52).view(np.float64)
    u = (near - b) / (near + b)
    w = u * u
    tail = (((((w / 23.0 + 1.0 / 21.0) * w + 1.0 / 19.0) * w + 1.0 / 17.0) * w + 1.0 / 15.0) * w + 1.0 / 13.0) * w
    tail = (((((tail + 1.0 / 11.0) * w + 1.0 / 9.0) * w + 1.0 / 7.0) * w + 1.0 / 5.0) * w + 1.0 / 3.0) * w
    return k * _LN2 + 2.0 * (u + u * tail)
