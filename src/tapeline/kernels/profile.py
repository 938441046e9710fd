"""Volume profile of ticks: how many shares traded at which price. Ticks in, shares a price bucket out.

Refuses ticks whose price or volume is no finite number: they are left out, and counted in nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class VolumeProfile:
    """Shares by price.

    ``edges`` is float64 (buckets + 1,) in dollars, ``volume`` float64 (buckets,) in shares. ``control`` is the middle
    of the bucket with the most shares (the lowest of several), NaN when nothing traded. ``low`` and ``high`` bound the
    value area: the buckets around ``control`` that hold ``share`` of all volume.
    """

    edges: F64
    volume: F64
    control: float
    low: float
    high: float


def volume_profile(price: F64, volume: F64, tick_size: float, *, share: float = 0.7) -> VolumeProfile:
    """Return the volume profile of ticks.

    Parameters
    ----------
    price, volume : float64 (n,)
        Dollars and shares of each tick, in any order. Not modified.
    tick_size
        Width of a bucket in dollars; a price on an edge belongs to the bucket above it.
    share
        Part of all volume inside the value area, in (0, 1].
    """
    if not tick_size > 0.0 or not 0.0 < share <= 1.0:
        raise ValueError(f"tick_size {tick_size} must be positive and share {share} in (0, 1]")
    known = np.isfinite(price) & np.isfinite(volume) & (volume > 0.0)
    if not known.any():
        nothing = np.zeros(0)
        return VolumeProfile(nothing, nothing, np.nan, np.nan, np.nan)
    bucket = np.floor(price[known] / tick_size + 1e-9).astype(np.int64)
    first = int(bucket.min())
    shares = np.bincount(bucket - first, weights=volume[known]).astype(np.float64)
    edges = (first + np.arange(len(shares) + 1, dtype=np.float64)) * tick_size
    top = int(shares.argmax())
    low, high, held = top, top + 1, float(shares[top])
    while held < share * shares.sum() * (1.0 - 1e-12):
        below = shares[low - 1] if low > 0 else -1.0
        above = shares[high] if high < len(shares) else -1.0
        if above >= below:
            held, high = held + float(above), high + 1
        else:
            held, low = held + float(below), low - 1
    return VolumeProfile(edges, shares, float(edges[top] + tick_size / 2.0), float(edges[low]), float(edges[high]))
