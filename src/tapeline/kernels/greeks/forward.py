"""Where the forward and the time to expiry come from: quotes of a chain, a curve of rates, a clock.

In: strikes with call and put prices, or rates and dividends; moments in UTC nanoseconds.  Out: forwards and years.
Refuses to return a forward that fewer than ``MIN_STRIKES`` strikes support: it is NaN and says why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapeline.core.errors import BadArgument
from tapeline.kernels.greeks.status import OptionStatus

F64 = NDArray[np.float64]

YEAR_NS = 365 * 86_400 * 1_000_000_000
MIN_STRIKES = 3
"""Two points always lie on a line; the third is the first that can contradict."""

_OUTLIER_MADS = 5.0
"""Strikes further from the line than this many robust standard deviations have no say in the forward."""


def years_to(expiry_close_ns: ArrayLike, now_ns: ArrayLike) -> F64:
    """Return the years from now to the exchange's close on expiry day: seconds over 365 days, also on the day itself.

    Parameters
    ----------
    expiry_close_ns, now_ns : int64 or datetime64 of any unit
        UTC nanoseconds, or UTC times; they broadcast.

    Returns
    -------
    float64
        Zero or negative after the close, which ``greeks`` and ``implied_vol`` answer with ``EXPIRED``.
    """
    left_ns = _moments("expiry_close_ns", expiry_close_ns) - _moments("now_ns", now_ns)
    return np.asarray(left_ns / YEAR_NS, np.float64)


def _moments(name: str, given: ArrayLike) -> NDArray[np.int64]:
    """Return moments as nanoseconds; refuse fractions, which would be seconds, and times that are none."""
    moments = np.asarray(given)
    if moments.dtype.kind == "M" and not np.isnat(moments).any():
        return moments.astype("datetime64[ns]").astype(np.int64)
    if moments.dtype.kind not in "iu":
        raise BadArgument(f"{name} is {moments.dtype}: give whole UTC nanoseconds, or UTC times as datetime64")
    return moments.astype(np.int64)


@dataclass(frozen=True, slots=True)
class ParityForward:
    """The forward that a chain of calls and puts agrees on.

    Attributes
    ----------
    forward, discount : float
        NaN unless the status is OK. ``discount`` is the value now of 1 paid at expiry.
    rate : float
        The rate that the discount means, continuously compounded.
    spread : float
        Robust standard deviation of the strikes' own forwards around ``forward``, in money.
    n_used, n_given : int
        Strikes that had a say, and strikes with both prices.
    status : OptionStatus
        ``OK``; ``EXPIRED``; ``BAD_INPUT`` (fewer than three usable strikes); ``INDETERMINATE`` (the prices do not fall
        with the strike as parity demands).
    """

    forward: float
    discount: float
    rate: float
    spread: float
    n_used: int
    n_given: int
    status: OptionStatus


def forward_from_parity(
    strike: ArrayLike, call: ArrayLike, put: ArrayLike, years: float, *, rate: float | None = None
) -> ParityForward:
    """Return the forward of one expiry from put-call parity, call - put = discount x (forward - strike).

    Parameters
    ----------
    strike, call, put : float64 (n,)
        Strikes and mid prices of European options of one expiry. Rows with a NaN are left out.
    years : float
        Time to expiry, as from ``years_to``.
    rate : float, optional
        Continuously compounded. Without it the discount is the chain's own: minus the slope of call - put.

    Notes
    -----
    Robust: the slope is the median of all pairwise slopes (Theil-Sen), the forward the median of the strikes' own
    forwards after those beyond five robust deviations were left out; up to 29 % wild quotes cannot move it far.
    American quotes break parity by the early-exercise premium: use strikes near the spot.
    """
    try:
        k, c, p = (np.asarray(column, np.float64).reshape(-1) for column in (strike, call, put))
        years, rate = float(years), None if rate is None else float(rate)
    except (TypeError, ValueError) as error:
        raise BadArgument(f"strikes, calls, puts are numbers, and one expiry has one time: {error}") from None
    if not k.shape == c.shape == p.shape:
        raise BadArgument(f"each strike has a call and a put: not {k.size} strikes, {c.size} calls, {p.size} puts")
    usable = np.isfinite(k) & np.isfinite(c) & np.isfinite(p) & (k > 0.0)
    k, gap = k[usable], (c - p)[usable]

    def none(status: OptionStatus) -> ParityForward:
        return ParityForward(math.nan, math.nan, math.nan, math.nan, 0, k.size, status)

    if not math.isfinite(years) or (rate is not None and not math.isfinite(rate)):
        return none(OptionStatus.BAD_INPUT)
    if years <= 0.0:
        return none(OptionStatus.EXPIRED)
    if np.unique(k).size < MIN_STRIKES:
        return none(OptionStatus.BAD_INPUT)
    discount = math.exp(-rate * years) if rate is not None else -_median_slope(k, gap)
    if discount <= 0.0:
        return none(OptionStatus.INDETERMINATE)
    own = k + gap / discount
    kept = own[_near_median(own)]
    deviation = 1.4826 * float(np.median(np.abs(kept - np.median(kept))))
    forward = float(np.median(kept))
    if forward <= 0.0:
        return none(OptionStatus.INDETERMINATE)
    return ParityForward(forward, discount, -math.log(discount) / years, deviation, kept.size, k.size, OptionStatus.OK)


def _median_slope(x: F64, y: F64) -> float:
    """Return the median of the slopes between all pairs of points with different x."""
    i, j = np.triu_indices(x.size, 1)
    dx = x[j] - x[i]
    apart = dx != 0.0
    return float(np.median((y[j] - y[i])[apart] / dx[apart]))


def _near_median(values: F64) -> NDArray[np.bool_]:
    """Return which values lie within five robust standard deviations of the median."""
    off = np.abs(values - np.median(values))
    reach = _OUTLIER_MADS * 1.4826 * float(np.median(off))
    return off <= max(reach, 1e-9 * abs(float(np.median(values))))


@dataclass(frozen=True, slots=True)
class RateCurve:
    """Zero rates by time. Between two nodes the forward rate is constant; beyond the ends the zero rate is.

    Attributes
    ----------
    years, rates : float64 (n,)
        Increasing times above zero, and continuously compounded zero rates, as fractions a year.
    """

    years: F64
    rates: F64

    def __post_init__(self) -> None:
        years, rates = np.asarray(self.years, np.float64), np.asarray(self.rates, np.float64)
        if years.ndim != 1 or years.shape != rates.shape or years.size == 0:
            raise BadArgument("a rate curve needs as many rates as times, and at least one")
        if not (np.all(np.isfinite(rates)) and np.all(np.diff(years, prepend=0.0) > 0.0)):
            raise BadArgument("a rate curve needs finite rates at increasing times above zero")
        object.__setattr__(self, "years", years)
        object.__setattr__(self, "rates", rates)

    def rate(self, years: ArrayLike) -> F64:
        """Return the zero rate for each time; NaN for NaN."""
        t = np.asarray(years, np.float64)
        inside = np.clip(t, self.years[0], self.years[-1])
        return np.asarray(np.interp(inside, self.years, self.years * self.rates) / inside, np.float64)

    def discount(self, years: ArrayLike) -> F64:
        """Return the value now of 1 paid at each time."""
        t = np.asarray(years, np.float64)
        return np.asarray(np.exp(-self.rate(t) * t), np.float64)


def forward_from_curve(
    spot: ArrayLike,
    years: ArrayLike,
    curve: RateCurve,
    *,
    div_yield: ArrayLike = 0.0,
    dividend_years: ArrayLike = (),
    dividends: ArrayLike = (),
) -> F64:
    """Return the forward from a rate curve, a continuous yield and cash dividends.

    Parameters
    ----------
    spot, years, div_yield : float64
        They broadcast.
    dividend_years, dividends : float64 (m,)
        When each dividend goes ex, in years from now, and what it pays. Those in (0, years] count.

    Returns
    -------
    float64
        (spot - present value of the dividends) x exp(-div_yield years) / discount(years). NaN for years < 0, and where
        the dividends are worth more than the spot.
    """
    s, t = np.asarray(spot, np.float64), np.asarray(years, np.float64)
    ex, cash = np.asarray(dividend_years, np.float64), np.asarray(dividends, np.float64)
    if ex.ndim != 1 or ex.shape != cash.shape:
        raise BadArgument("every dividend needs its time and its amount")
    counts = (ex > 0.0) & (ex <= t[..., None])
    paid = np.sum(np.where(counts, cash * curve.discount(ex), 0.0), axis=-1)
    left = s - paid
    grown = left * np.exp(-np.asarray(div_yield, np.float64) * t) / curve.discount(t)
    return np.asarray(np.where((t >= 0.0) & (left > 0.0), grown, math.nan), np.float64)
