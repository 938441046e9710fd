"""Black's formula in normalised form: the time value of one option, to the last digits, wherever it lies.

In: ``x`` = |ln(forward / strike)| and ``s`` = vol sqrt(years).  Out: the out-of-the-money option's value in units of
sqrt(forward x strike), undiscounted, with its complement and its slope in s.
With h = -x / s and t = s / 2 the value is phi (Y(h + t) - Y(h - t)), phi = n(sqrt(h^2 + t^2)), Y = N / n.
"""

from __future__ import annotations

from tapeline.kernels.greeks.columns import inlined, scalar
from tapeline.kernels.greeks.elementary import exponential
from tapeline.kernels.greeks.normal import INV_SQRT_2PI, mills

SMALL_T = 0.2
"""Below this the difference of the two ratios cancels, and its series in t has converged after seven terms."""


@inlined
def ratio_spread(z, t, slope):  # type: ignore[no-untyped-def]
    """Return Y(t - z) - Y(-t - z) for 0 <= t < 0.2 by its series in t; ``slope`` is ``mills(z)[1]``, Y'(-z).

    The odd derivatives J_k = Y^(2k+1)(-z) are integrals of u^(2k+1) exp(-z u - u^2 / 2), all positive, and obey
    J_{k+1} = (z^2 + 4k + 3) J_k - 2k (2k + 1) J_{k-1}.
    """
    z = min(z, 1e8)
    w = z * z
    j0 = slope
    j1 = (w + 3.0) * j0 - 1.0
    j2 = (w + 7.0) * j1 - 6.0 * j0
    j3 = (w + 11.0) * j2 - 20.0 * j1
    j4 = (w + 15.0) * j3 - 42.0 * j2
    j5 = (w + 19.0) * j4 - 72.0 * j3
    j6 = (w + 23.0) * j5 - 110.0 * j4
    u = t * t
    tail = u / 42.0 * (j3 + u / 72.0 * (j4 + u / 110.0 * (j5 + u / 156.0 * j6)))
    return 2.0 * t * (j0 + u / 6.0 * (j1 + u / 20.0 * (j2 + tail)))


@scalar
def black_wing(x, s, top):  # type: ignore[no-untyped-def]
    """Return (value, ``top`` - value, slope in s) of the normalised out-of-the-money option.

    ``x`` >= 0, ``s`` > 0; ``top`` = exp(-x / 2) is the value for infinite volatility.
    """
    z = x / s
    t = 0.5 * s
    phi = INV_SQRT_2PI * exponential(-0.5 * (z * z + t * t))
    if t < SMALL_T:
        value = phi * ratio_spread(z, t, mills(z)[1])
        return value, top - value, phi
    low = mills(z + t)[0]
    if z >= t:
        value = phi * (mills(z - t)[0] - low)
        return value, top - value, phi
    short = phi * (mills(t - z)[0] + low)
    return top - short, short, phi
