"""Price and Greeks of European options: Black-Scholes-Merton (a spot that pays a yield) and Black-76 (a forward).

In: broadcasting columns of options.  Out: a dict of arrays of their common shape, and a status for each option.
Refuses nothing but shapes: an option that cannot be valued is NaN in every column and says why in ``status``.

Domain: finite inputs, spot > 0, strike > 0, years > 0, vol > 0; rate and yield of either sign, continuously compounded.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapeline.kernels.greeks.black import SMALL_T, ratio_spread
from tapeline.kernels.greeks.columns import F64, I8, Columns, columns_of, inlined, loop
from tapeline.kernels.greeks.elementary import exponential, log_ratio
from tapeline.kernels.greeks.normal import density, mills
from tapeline.kernels.greeks.status import BAD_INPUT, EXPIRED, OK

DAYS_PER_YEAR = 365.0

FIRST_ORDER = ("price", "delta", "gamma", "vega", "theta", "rho")
SECOND_ORDER = ("vanna", "charm", "vomma")

BLOCK = 128
"""Options that are valued together; their 7 inputs and 10 results take 17 KiB, half of a first-level cache."""
_INPUTS, _STATUS = 7, 16

_PER_POINT = 0.01
_PER_DAY = 1.0 / DAYS_PER_YEAR
TRADER_UNITS = (1.0, 1.0, 1.0, _PER_POINT, _PER_DAY, _PER_POINT, _PER_POINT, _PER_DAY, _PER_POINT * _PER_POINT)
"""Raw derivative x this = theta and charm per calendar day; vega, rho and vanna per point; vomma per point squared."""


@inlined
def option_status(right, spot, strike, years, rate, vol, div_yield):  # type: ignore[no-untyped-def]
    """Return OK when the option lies in the domain of the formulas, else the reason; without a branch."""
    finite = abs(spot + strike + years + rate + vol + div_yield) < math.inf
    sound = finite & (right != 0) & (spot > 0.0) & (strike > 0.0) & (vol > 0.0)
    alive = OK if years > 0.0 else EXPIRED
    return alive if sound else BAD_INPUT


@inlined
def legs(right, spot, strike, years, rate, vol, div_yield):  # type: ignore[no-untyped-def]
    """Return (price, asset leg, cash leg, phi, d1, d2) of one option in the domain.

    price = asset leg - cash leg, each signed as held: a call is long the asset and short the cash.
    ``phi`` = asset x n(d1) = cash x n(d2) is what vega, gamma and theta are made of.
    """
    s = vol * math.sqrt(years)
    x = log_ratio(spot, strike) + (rate - div_yield) * years
    asset = spot * exponential(-div_yield * years)
    cash = strike * exponential(-rate * years)
    d, t = x / s, 0.5 * s
    z = abs(d)
    # The out-of-the-money side receives the near leg and gives the far one: high and low are what they are worth.
    otm_side = -1.0 if x > 0.0 else 1.0
    near = cash if x > 0.0 else asset
    phi = near * density(t - z)
    low = phi * mills(t + z)[0]
    wing = phi * mills(abs(t - z))[0]
    high = wing if z >= t else near - wing
    series = phi * ratio_spread(z, t, mills(z)[1])
    otm = series if t < SMALL_T else high - low
    price = otm + max(right * (asset - cash), 0.0)
    held = right == otm_side  # else in the money, which is the other side and a forward
    asset_leg = otm_side * ((low if x > 0.0 else high) - (0.0 if held else asset))
    cash_leg = otm_side * ((high if x > 0.0 else low) - (0.0 if held else cash))
    return price, asset_leg, cash_leg, phi, d + t, d - t


@inlined
def _gather(right, numbers, steps, start, count, work):  # type: ignore[no-untyped-def]
    """Copy ``count`` options into the rows of ``work``, and fill the rest with ones, which do no harm."""
    for row in range(_INPUTS):
        work[row * BLOCK + count : (row + 1) * BLOCK] = 1.0
    for j in range(count):
        work[j] = right[(start + j) * steps[0]]
    for row in range(1, _INPUTS):
        column, place = numbers[row - 1], row * BLOCK
        if steps[row] == 0:
            work[place : place + count] = column[0]
        else:
            for j in range(count):
                work[place + j] = column[start + j]


@inlined
def _value_block(work, futures):  # type: ignore[no-untyped-def]
    """Write the raw Greeks and the status of a block into the rows after the inputs.

    No branch, a constant length, and one buffer with constant places: so the compiler makes vector instructions of it.
    """
    for j in range(BLOCK):
        w, S, K, T = work[j], work[BLOCK + j], work[2 * BLOCK + j], work[3 * BLOCK + j]
        r, vol, q = work[4 * BLOCK + j], work[5 * BLOCK + j], work[6 * BLOCK + j]
        code = option_status(w, S, K, T, r, vol, q)
        # What cannot be valued is valued as if all were one, and blanked below: cheaper than a branch.
        if code != OK:
            S, K, T, r, vol, q = 1.0, 1.0, 1.0, 0.0, 1.0, 0.0
        price, asset, cash, phi, d1, d2 = legs(w, S, K, T, r, vol, q)
        root, per_spot, per_vol = math.sqrt(T), 1.0 / S, 1.0 / vol
        per_root = 1.0 / root
        vega = phi * root
        gamma = phi * per_root * per_vol * per_spot * per_spot
        theta = q * asset - r * cash - 0.5 * phi * vol * per_root
        rho = -T * price if futures else T * cash
        drift = (r - q) * per_vol * per_root - 0.5 * d2 * per_root * per_root
        vanna, vomma = -phi * d2 * per_spot * per_vol, vega * d1 * d2 * per_vol
        charm = (q * asset - phi * drift) * per_spot
        total = price + asset * per_spot + gamma + vega + theta + rho + vanna + charm + vomma
        code = BAD_INPUT if (code == OK) & (not abs(total) < math.inf) else code
        blank = 0.0 if code == OK else math.nan
        work[7 * BLOCK + j] = price + blank
        work[8 * BLOCK + j] = asset * per_spot + blank
        work[9 * BLOCK + j] = gamma + blank
        work[10 * BLOCK + j] = vega + blank
        work[11 * BLOCK + j] = theta + blank
        work[12 * BLOCK + j] = rho + blank
        work[13 * BLOCK + j] = vanna + blank
        work[14 * BLOCK + j] = charm + blank
        work[15 * BLOCK + j] = vomma + blank
        work[_STATUS * BLOCK + j] = code


@loop
def _fill(right, numbers, steps, futures, scale, out, status, low, high):  # type: ignore[no-untyped-def]
    """Write the rows of ``out`` (6 or 9, n) for the options ``low`` to ``high``, block by block."""
    work = np.empty((_STATUS + 1) * BLOCK)
    for start in range(low, high, BLOCK):
        count = min(BLOCK, high - start)
        _gather(right, numbers, steps, start, count, work)
        _value_block(work, futures)
        for j in range(count):
            status[start + j] = work[_STATUS * BLOCK + j]
        for row in range(out.shape[0]):
            for j in range(count):
                out[row, start + j] = work[(_INPUTS + row) * BLOCK + j] * scale[row]


def value_columns(columns: Columns, n_names: int, *, futures: bool, raw: bool = False) -> tuple[F64, I8]:
    """Return the first ``n_names`` of prices and Greeks, float64 (n_names, n), and the status of each option.

    The numbers of ``columns`` are spot or forward, strike, years, rate, vol and yield, which is the rate for a forward.
    """
    scale = np.ones(len(TRADER_UNITS)) if raw else np.array(TRADER_UNITS)
    out, status = np.empty((n_names, columns.size)), np.empty(columns.size, np.int8)
    columns.walk(
        lambda low, high: _fill(columns.right, columns.numbers, columns.steps, futures, scale, out, status, low, high)
    )
    return out, status


def _evaluate(columns: Columns, *, futures: bool, second_order: bool, raw: bool) -> dict[str, NDArray[Any]]:
    names = FIRST_ORDER + SECOND_ORDER if second_order else FIRST_ORDER
    out, status = value_columns(columns, len(names), futures=futures, raw=raw)
    values: dict[str, NDArray[Any]] = {name: out[j].reshape(columns.shape) for j, name in enumerate(names)}
    values["status"] = status.reshape(columns.shape)
    return values


def greeks(
    right: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    vol: ArrayLike,
    div_yield: ArrayLike = 0.0,
    *,
    second_order: bool = False,
    raw: bool = False,
) -> dict[str, NDArray[Any]]:
    """Return the Black-Scholes-Merton price and Greeks of European options.

    Parameters
    ----------
    right : any shape
        ``"C"``/``"P"`` (also call/put, CE/PE, any case), True/False, or +1/-1. Inputs broadcast against each other.
    spot, strike : float64
        Price of the underlying, and strike, in the same money.
    years : float64
        Time to expiry over 365 days; see ``years_to``.
    rate, div_yield : float64
        Continuously compounded, as fractions a year (0.05 = 5 %). Of either sign.
    vol : float64
        Volatility as a fraction a year (0.2 = 20 %).
    second_order
        Add ``vanna``, ``charm`` and ``vomma``.
    raw
        Plain derivatives, per unit and per year, instead of the units below.

    Returns
    -------
    dict of float64 arrays, and ``status`` (int8, ``OptionStatus``)
        ``price``; ``delta``; ``gamma`` (delta per 1 of spot); ``vega`` (per percentage point of vol); ``theta`` (per
        calendar day that passes); ``rho`` (per percentage point of rate); ``vanna`` (delta per point of vol); ``charm``
        (delta per calendar day that passes); ``vomma`` (vega per point of vol).

    Notes
    -----
    Unit: theta and charm per calendar day; vega, rho and vanna per 1 percentage point; vomma per point squared.
    Domain: years <= 0 -> NaN and ``EXPIRED``; vol <= 0, spot <= 0, strike <= 0, a right that is neither, anything not
    finite or overflowing -> NaN and ``BAD_INPUT``.
    Precision: the time value of an out-of-the-money option keeps its relative precision however small it is.
    Cost: O(n) on all compute threads. Inputs are not modified; scalars are not copied n times.

    References
    ----------
    R. C. Merton, Theory of Rational Option Pricing (1973). J. C. Hull, Options, Futures, and Other Derivatives, ch. 19.

    Examples
    --------
    >>> hull = greeks("C", 49.0, 50.0, 0.3846, 0.05, 0.20)
    >>> {name: round(float(value), 4) for name, value in hull.items()}
    {'price': 2.4005, 'delta': 0.5216, 'gamma': 0.0655, 'vega': 0.1211, 'theta': -0.0118, 'rho': 0.0891, 'status': 0.0}
    """
    columns = columns_of(right, spot, strike, years, rate, vol, div_yield)
    return _evaluate(columns, futures=False, second_order=second_order, raw=raw)


def greeks_76(
    right: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    vol: ArrayLike,
    *,
    second_order: bool = False,
    raw: bool = False,
) -> dict[str, NDArray[Any]]:
    """Return the Black-76 price and Greeks of European options on a forward or a future.

    As ``greeks``, with the forward in the place of the spot: delta, gamma, vanna and charm are per 1 of forward, and
    rho holds the forward still, so that it is -years x price.
    """
    columns = columns_of(right, forward, strike, years, rate, vol, rate)
    return _evaluate(columns, futures=True, second_order=second_order, raw=raw)
