"""From raw factors to points that add up.

In: factor columns, models' values and who is ranked.  Out: points per factor and symbol, and their exact sums.
Refuses to let one wild value rule a cross-section, or rounding decide a tie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tapeline.core.types import F64

LIMIT_Z = 3.0
"""Beyond three robust deviations, more is not more."""
POINT = 2.0**-30
"""Points are whole multiples of this (about 1e-9), so their sums are exact in any order and on any machine."""
MIN_GROUP = 5
"""Ranked members without which a group has no middle of its own."""
MAD_TO_SIGMA = 1.4826
MEAN_TO_SIGMA = 1.2533
"""Factors that make the median and the mean absolute deviation of a normal sample its standard deviation."""


def robust_z(values: F64, ranked: NDArray[np.bool_]) -> F64:
    """Return how many robust deviations each value lies above the median of the ranked ones, within +-3.

    Parameters
    ----------
    values
        float64 (n,). NaN stays NaN.
    ranked
        bool (n,): the cross-section that median and deviation are taken of. Others are measured against it.

    Returns
    -------
    float64 (n,). All zeros where the ranked values do not differ: a factor that tells nobody apart says nothing. When
    more than half of them are equal, so that the median deviation is 0, the mean deviation is taken instead.
    """
    sample = values[ranked]
    if sample.size == 0:
        return np.where(np.isnan(values), np.nan, 0.0)
    centre = float(np.median(sample))
    distance = np.abs(sample - centre)
    sigma = MAD_TO_SIGMA * float(np.median(distance))
    if sigma == 0.0:
        sigma = MEAN_TO_SIGMA * math.fsum(distance) / sample.size
    if sigma == 0.0:
        return np.where(np.isnan(values), np.nan, 0.0)
    with np.errstate(over="ignore"):  # a deviation next to nothing makes infinities, which the bound cuts
        return np.clip((values - centre) / sigma, -LIMIT_Z, LIMIT_Z)


def robust_z_within(values: F64, ranked: NDArray[np.bool_], groups: NDArray[np.intp]) -> F64:
    """Return ``robust_z`` with each symbol's group as its cross-section, so that sectors stand level.

    Symbols of an unknown group (below 0), or of one with fewer than ``MIN_GROUP`` ranked members, are measured against
    the whole market.
    """
    out = robust_z(values, ranked)
    for group in np.unique(groups[groups >= 0]):
        members = groups == group
        if (members & ranked & np.isfinite(values)).sum() >= MIN_GROUP:
            out[members] = robust_z(values[members], ranked[members])
    return out


def points(
    factors: Mapping[str, F64],
    weights: Mapping[str, float],
    ranked: NDArray[np.bool_],
    groups: NDArray[np.intp] | None = None,
) -> dict[str, F64]:
    """Return weight times robust z of each weighted factor, in whole multiples of ``POINT``.

    ``ranked`` may hold symbols whose value is NaN: they are no part of that factor's cross-section. ``groups`` asks for
    ``robust_z_within``.
    """
    found = {}
    for name, weight in weights.items():
        if weight == 0.0:
            continue
        sample = ranked & np.isfinite(factors[name])
        z = robust_z(factors[name], sample) if groups is None else robust_z_within(factors[name], sample, groups)
        found[name] = np.rint(weight * z / POINT) * POINT + 0.0
    return found


def total(parts: Mapping[str, F64], n: int) -> F64:
    """Return the sum of the points of each of ``n`` symbols; exact, as ``POINT`` says."""
    return np.sum(list(parts.values()), axis=0) if parts else np.full(n, np.nan)


def add_opinions(scores: F64, opinions: Mapping[str, F64]) -> F64:
    """Return scores with the models' points added; a model that abstains on a symbol (NaN) adds nothing to it."""
    for column in opinions.values():
        scores = scores + np.where(np.isnan(column), 0.0, column)
    return scores
