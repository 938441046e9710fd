"""A symbol among the others: ranks and robust distances over a whole cross-section.

In: float64 whose last axis is the universe, and for some the group (sector) of each symbol.  Out: the same shape.
NaN stays NaN and is no part of any cross-section. Nothing depends on the order of the symbols.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapeline.core.types import F64

MAD_TO_SIGMA = 1.4826
LIMIT_Z = 5.0
"""Beyond five robust deviations, more is not more."""
MIN_GROUP = 3
"""A group of fewer known members has no middle worth comparing with."""


def rank(values: F64) -> F64:
    """Return each value's place among the known ones, 0 (lowest) to 1; equal values share the mean of their places.

    A single known value stands at 0.5.
    """
    if values.ndim > 1:
        return np.stack([rank(row) for row in values]) if len(values) else values.copy()
    known = np.isfinite(values)
    out = np.full(values.shape, np.nan)
    sample = values if known.all() else values[known]
    n = sample.size
    if n == 0:
        return out
    order = np.argsort(sample)
    ordered = sample[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    places = np.empty(n)
    if starts.size == n:
        places[order] = np.arange(n, dtype=np.float64)
    else:
        ends = np.append(starts[1:], n)
        places[order] = np.repeat(0.5 * (starts + ends - 1), ends - starts)
    out[known] = places / (n - 1) if n > 1 else 0.5
    return out


def robust_z(values: F64) -> F64:
    """Return how many robust deviations each value lies from the median, within +-5; 0 when they do not differ."""
    if values.ndim > 1:
        return np.stack([robust_z(row) for row in values]) if len(values) else values.copy()
    sample = values[np.isfinite(values)]
    if sample.size == 0:
        return np.full(values.shape, np.nan)
    centre = np.median(sample)
    sigma = MAD_TO_SIGMA * np.median(np.abs(sample - centre))
    if sigma == 0.0:
        return np.where(np.isfinite(values), 0.0, np.nan)
    away: F64 = np.clip((values - centre) / sigma, -LIMIT_Z, LIMIT_Z)
    return away


def minus_group_median(values: F64, groups: NDArray[np.intp]) -> F64:
    """Return each value less the median of its group; NaN in groups below 0 (unknown) or of fewer than 3 members."""
    if values.ndim > 1:
        return np.stack([minus_group_median(row, groups) for row in values]) if len(values) else values.copy()
    out = np.full(values.shape, np.nan)
    for members in _members(values, groups):
        out[members] = values[members] - np.median(values[members])
    return out


def rank_in_group(values: F64, groups: NDArray[np.intp]) -> F64:
    """Return each value's place in its group, 0 to 1; NaN as in ``minus_group_median``."""
    if values.ndim > 1:
        return np.stack([rank_in_group(row, groups) for row in values]) if len(values) else values.copy()
    out = np.full(values.shape, np.nan)
    for members in _members(values, groups):
        out[members] = rank(values[members])
    return out


def group_codes(groups: tuple[str, ...]) -> NDArray[np.intp]:
    """Return a number for each symbol's group, by name; -1 where the group is unknown ("")."""
    place = {name: code for code, name in enumerate(sorted(set(groups) - {""}))}
    return np.fromiter((place.get(name, -1) for name in groups), np.intp, len(groups))


def _members(values: F64, groups: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return the positions of each known group's known values."""
    cols = np.flatnonzero(np.isfinite(values) & (groups >= 0))
    order = cols[np.argsort(groups[cols], kind="stable")]
    edges = np.flatnonzero(np.diff(groups[order])) + 1
    return [part for part in np.split(order, edges) if part.size >= MIN_GROUP]
