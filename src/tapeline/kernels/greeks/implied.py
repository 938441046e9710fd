"""Implied volatility by Jaeckel's "Let's be rational": a rational guess in four regions, then two Householder steps.

In: prices of European options.  Out: (vol, status), vol NaN unless the status is OK.
Refuses to guess: a price outside its bounds, or whose time value is rounding, has a status and no volatility.

Reference: P. Jaeckel, Let's Be Rational, Wilmott (January 2015) 40-53. Section and region names are the paper's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from tapeline.kernels.greeks.black import black_wing
from tapeline.kernels.greeks.columns import F64, I8, Columns, columns_of, loop, scalar
from tapeline.kernels.greeks.elementary import exponential, log_ratio
from tapeline.kernels.greeks.normal import INV_SQRT_2PI, SQRT_HALF_PI, cumulative, density, mills, wing_quantile
from tapeline.kernels.greeks.status import ABOVE_BOUND, BAD_INPUT, BELOW_INTRINSIC, EXPIRED, INDETERMINATE, OK

TIME_VALUE_FLOOR = 1e-12
"""Time value in units of spot up to which a price says nothing of volatility."""

_SQRT3 = math.sqrt(3.0)
_LOWER_SCALE = 2.0 * math.pi / math.sqrt(27.0)
_R_MIN = -1.0 + 1e-8
_R_MAX = 1e15
_TINY = 1e-300


@scalar
def rational_cubic(x, x0, x1, y0, y1, d0, d1, curve, curve_at_left):  # type: ignore[no-untyped-def]
    """Interpolate between (x0, y0) and (x1, y1) with slopes d0, d1 and one given second derivative.

    Delbourgo and Gregory's rational cubic. Its parameter r is what the second derivative ``curve`` at one end asks
    for, raised where monotone and convex data would otherwise get a wiggle (paper, section 4).
    """
    h = x1 - x0
    if h <= 0.0:
        return 0.5 * (y0 + y1)
    chord = (y1 - y0) / h
    rise_left, rise_right = chord - d0, d1 - chord
    wanted = 0.5 * h * curve + (d1 - d0)
    given = rise_left if curve_at_left else rise_right
    r = wanted / given if abs(given) > _TINY else _R_MAX
    least = _R_MIN
    if d0 * chord > 0.0 and d1 * chord > 0.0:
        least = max(least, (d0 + d1) / chord)
    if rise_left * rise_right > 0.0:
        least = max(least, (d1 - d0) / rise_left, (d1 - d0) / rise_right)
    r = min(max(r, least), _R_MAX)
    t = (x - x0) / h
    u = 1.0 - t
    top = y1 * t * t * t + (r * y1 - h * d1) * t * t * u + (r * y0 + h * d0) * t * u * u + y0 * u * u * u
    return top / (1.0 + (r - 3.0) * t * u)


@scalar
def guess_low(beta, x, s, b):  # type: ignore[no-untyped-def]
    """Region I, below b(s_l): interpolate 2 pi x / sqrt(27) N(-z)^3, z = x / (sqrt(3) s), and invert it."""
    z = x / (_SQRT3 * s)
    ratio = mills(z)[0]
    tail = ratio * density(z)
    y, w = z * z, s * s
    grow = math.exp(y + 0.125 * w)
    f = _LOWER_SCALE * x * tail * tail * tail
    f1 = 2.0 * math.pi * y * tail * tail * grow
    mix = 8.0 * _SQRT3 * s * x + (3.0 * w * (w - 8.0) - 8.0 * x * x) * ratio
    f2 = math.pi / 6.0 * y / (w * s) * tail * mix * grow * grow
    target = rational_cubic(beta, 0.0, b, 0.0, f, 1.0, f1, f2, False)
    log_tail = math.log(max(target, _TINY) / (_LOWER_SCALE * x)) / 3.0
    return x / (_SQRT3 * wing_quantile(log_tail)) if log_tail < -0.6931471805599453 else s


@scalar
def guess_high(rest, x, s, b, top):  # type: ignore[no-untyped-def]
    """Region IV, above b(s_u): interpolate N(-s / 2) down to 0 where the value is ``top``, and invert it."""
    w = (x / s) * (x / s)
    f = cumulative(-0.5 * s)
    f1 = -0.5 * math.exp(0.5 * w)
    f2 = SQRT_HALF_PI * math.exp(w + 0.125 * s * s) * w / s
    target = rational_cubic(top - rest, b, top, f, 0.0, f1, -0.5, f2, True)
    return 2.0 * wing_quantile(math.log(target)) if 0.0 < target < 0.5 else s


@scalar
def first_guess(beta, rest, x, top):  # type: ignore[no-untyped-def]
    """Return (s, region): the paper's initial guess, and 0, 1, 2 for the objective that suits it."""
    sc = math.sqrt(2.0 * x)  # where the value has its inflection in s
    vc = INV_SQRT_2PI * top
    bc = vc * (SQRT_HALF_PI - mills(sc)[0])
    if beta < bc:
        sl = max(sc - bc / vc, _TINY)
        bl, _, vl = black_wing(x, sl, top)
        if beta < bl:
            return guess_low(beta, x, sl, bl), 0
        return rational_cubic(beta, bl, bc, sl, sc, 1.0 / max(vl, _TINY), 1.0 / vc, 0.0, False), 1
    su = sc + (top - bc) / vc
    bu, rest_at_su, vu = black_wing(x, su, top)
    region = 2 if rest < min(rest_at_su, 0.5 * top) else 1
    if beta <= bu:
        return rational_cubic(beta, bc, bu, sc, su, 1.0 / vc, 1.0 / max(vu, _TINY), 0.0, True), region
    return guess_high(rest, x, su, bu, top), region


@scalar
def householder(s, beta, rest, x, top, region):  # type: ignore[no-untyped-def]
    """Return the step in s of the third-order Householder iteration (convergence of order four)."""
    b, left, slope = black_wing(x, s, top)
    if not (b > 0.0 and left > 0.0 and slope > 0.0):
        return math.nan
    w = (x / s) * (x / s)
    h2 = w / s - 0.25 * s
    h3 = h2 * h2 - 3.0 * w / (s * s) - 0.25
    if region == 0:  # g = 1 / ln b(s) - 1 / ln beta
        log_b, log_beta, g = math.log(b), math.log(beta), slope / b
        newton = (log_beta - log_b) * log_b / (log_beta * g)
        a = g * (1.0 + 2.0 / log_b)
        h3 += 2.0 * g * g * (1.0 + 3.0 / log_b * (1.0 + 1.0 / log_b)) - 3.0 * h2 * a
        h2 -= a
    elif region == 2:  # g = ln((top - beta) / (top - b(s)))
        g = slope / left
        newton = math.log(left / rest) / g
        h3 += g * (2.0 * g + 3.0 * h2)
        h2 += g
    else:
        newton = (beta - b) / slope
    factor = (1.0 + 0.5 * h2 * newton) / (1.0 + newton * (h2 + h3 * newton / 6.0))
    return newton * max(factor, 0.0)


@scalar
def implied_total(beta, rest, x):  # type: ignore[no-untyped-def]
    """Return s = vol sqrt(years) at which the normalised value is ``beta``; ``rest`` is its distance to the bound."""
    top = exponential(-0.5 * x)
    s, region = first_guess(beta, rest, x, top)
    s += householder(s, beta, rest, x, top, region)
    return s + householder(s, beta, rest, x, top, region)


@scalar
def implied_point(right, price, spot, strike, years, rate, div_yield):  # type: ignore[no-untyped-def]
    """Return (vol, status) of one option."""
    if not math.isfinite(price + spot + strike + years + rate + div_yield):
        return math.nan, BAD_INPUT
    if right == 0 or spot <= 0.0 or strike <= 0.0:
        return math.nan, BAD_INPUT
    if years <= 0.0:
        return math.nan, EXPIRED
    asset = spot * exponential(-div_yield * years)
    cash = strike * exponential(-rate * years)
    scale = math.sqrt(asset) * math.sqrt(cash)
    if not (math.isfinite(scale) and scale > 0.0):
        return math.nan, BAD_INPUT
    time_value = price - max(right * (asset - cash), 0.0)
    floor = TIME_VALUE_FLOOR * spot
    if price < 0.0 or time_value < -floor:
        return math.nan, BELOW_INTRINSIC
    bound = asset if right > 0 else cash
    if price >= bound:
        return math.nan, ABOVE_BOUND
    if time_value <= floor:
        return math.nan, INDETERMINATE
    x = abs(log_ratio(spot, strike) + (rate - div_yield) * years)
    vol = implied_total(time_value / scale, (bound - price) / scale, x) / math.sqrt(years)
    return (vol, OK) if 0.0 < vol < math.inf else (math.nan, INDETERMINATE)


@loop
def _fill(right, numbers, steps, vol, status, low, high):  # type: ignore[no-untyped-def]
    """Write vol and status of the options ``low`` to ``high``."""
    prices, spots, strikes, terms, rates, yields = numbers
    for i in range(low, high):
        vol[i], status[i] = implied_point(
            right[i * steps[0]],
            prices[i * steps[1]],
            spots[i * steps[2]],
            strikes[i * steps[3]],
            terms[i * steps[4]],
            rates[i * steps[5]],
            yields[i * steps[6]],
        )


def solve_columns(columns: Columns) -> tuple[F64, I8]:
    """Return vol and status; the numbers of ``columns`` are price, spot, strike, years, rate and yield."""
    vol = np.empty(columns.size)
    status = np.empty(columns.size, np.int8)
    columns.walk(lambda low, high: _fill(columns.right, columns.numbers, columns.steps, vol, status, low, high))
    return vol.reshape(columns.shape), status.reshape(columns.shape)


def implied_vol(
    right: ArrayLike,
    price: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    div_yield: ArrayLike = 0.0,
) -> tuple[F64, I8]:
    """Return the Black-Scholes-Merton volatility that explains each price, and a status for each.

    Parameters
    ----------
    right : any shape
        ``"C"``/``"P"`` (also call/put, CE/PE, any case), True/False, or +1/-1. Inputs broadcast against each other.
    price : float64
        Price of the option, in the money of spot and strike.
    spot, strike, years, rate, div_yield : float64
        As in ``greeks``.

    Returns
    -------
    vol : float64
        A fraction a year; NaN unless the status is ``OK``.
    status : int8, ``OptionStatus``
        ``BAD_INPUT`` before ``EXPIRED`` before ``BELOW_INTRINSIC`` before ``ABOVE_BOUND`` before ``INDETERMINATE``.

    Notes
    -----
    Precision: pricing at ``vol`` gives ``price`` back within 1e-12 relative wherever the time value exceeds
    1e-12 x spot. Below that the price is ``INDETERMINATE``. How many digits of ``vol`` that settles depends on vega.
    Cost: O(n) on all compute threads, no iteration count that depends on the data. Inputs are not modified.

    References
    ----------
    P. Jaeckel, Let's Be Rational, Wilmott (January 2015) 40-53.

    Examples
    --------
    >>> vol, status = implied_vol(["C", "C", "P"], [2.4005, 0.0, 60.0], 49.0, 50.0, 0.3846, 0.05)
    >>> vol.round(4), status
    (array([0.2, nan, nan]), array([0, 5, 2], dtype=int8))
    """
    return solve_columns(columns_of(right, price, spot, strike, years, rate, div_yield))


def implied_vol_76(
    right: ArrayLike, price: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, rate: ArrayLike
) -> tuple[F64, I8]:
    """Return the Black-76 volatility that explains each price: ``implied_vol`` with the forward in the spot's place."""
    return solve_columns(columns_of(right, price, forward, strike, years, rate, rate))
