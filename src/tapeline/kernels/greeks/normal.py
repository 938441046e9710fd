"""The normal distribution, in the forms that option mathematics needs: ratios that keep their digits in the wings.

In: plain floats.  Out: Mills' ratio and its slope, the distribution function, a quick quantile.
The coefficients were fitted for this module (rational interpolation in 120-digit arithmetic, nodes spread over
[0, infinity) by z = 4 (1 + u) / (1 - u), u Chebyshev); all are positive, so that no evaluation cancels.
"""

from __future__ import annotations

import math

from tapeline.kernels.greeks.columns import inlined, scalar
from tapeline.kernels.greeks.elementary import exponential

INV_SQRT_2PI = 0.3989422804014327
SQRT_HALF_PI = 1.2533141373155003

_FAR = 1e8
"""Beyond this, Mills' ratio is 1/z to the last bit, and the twelfth powers below would come near overflow."""


@inlined
def mills(z):  # type: ignore[no-untyped-def]
    """Return (N(-z) / n(z), 1 - z N(-z) / n(z)) for z >= 0: Mills' ratio and minus its slope.

    Relative errors 5e-18 and 8e-17 before rounding. Both stay exact in the far wing, where each plain form cancels.
    """
    z = min(z, _FAR)
    w = z * z
    q = ((((((w + 494.5737291637236) * w + 37592.81687858589) * w + 882530.3451445968) * w
           + 7055010.206821005) * w + 16187689.592855204) * w + 4771474.204927805) + z * (
        ((((31.353748179619352 * w + 5088.881349909549) * w + 208320.7124057822) * w + 2866162.9707923005) * w
          + 12795442.589144748) * w + 12797137.391468875)  # fmt: skip
    p = (((((31.353748179619352 * w + 5057.527601729929) * w + 203325.89230042673) * w + 2672638.5963383187) * w
          + 10481200.864167523) * w + 5980156.076872255) + z * (
        ((((w + 493.5737291637236) * w + 37101.243149422095) * w + 846406.2494517185) * w
          + 6277944.700636767) * w + 11267359.004968943)  # fmt: skip
    a = (((((w + 491.5737291637901) * w + 36124.09569287821) * w + 777065.5061842384) * w
          + 4920330.587886261) * w + 4771474.204927805) + z * (
        (((31.35374817961924 * w + 4994.820105355467) * w + 193524.37445398173) * w + 2314241.7249772255) * w
         + 6816981.314596621)  # fmt: skip
    inverse = 1.0 / q
    return p * inverse, a * inverse


@inlined
def density(z):  # type: ignore[no-untyped-def]
    """Return n(z) = exp(-z^2 / 2) / sqrt(2 pi)."""
    return INV_SQRT_2PI * exponential(-0.5 * z * z)


@scalar
def cumulative(z):  # type: ignore[no-untyped-def]
    """Return N(z), with full relative precision for z <= 0."""
    tail = density(z) * mills(abs(z))[0]
    return tail if z <= 0.0 else 1.0 - tail


@scalar
def log_cumulative(z):  # type: ignore[no-untyped-def]
    """Return ln N(z), also where N(z) itself is below the smallest double."""
    if z > 0.0:
        return math.log(cumulative(z))
    return math.log(INV_SQRT_2PI * mills(-z)[0]) - 0.5 * z * z


@scalar
def wing_quantile(log_p):  # type: ignore[no-untyped-def]
    """Return z >= 0 with ln N(-z) = ``log_p`` <= ln(1/2), to 2e-7 for z <= 39: where an iteration starts."""
    r = math.sqrt(-2.0 * log_p)
    p = (((((1.0000312467753734 * r + 38.60859637050083) * r + 289.154996777748) * r + 421.90370791145506) * r
          - 359.5374883730216) * r - 613.0750668538813) * r - 114.10912478324751  # fmt: skip
    q = ((((r + 38.61861953831342) * r + 294.7658011483654) * r + 564.5029377138535) * r
         + 311.14848713386993) * r + 33.284061706917676  # fmt: skip
    return p / q
