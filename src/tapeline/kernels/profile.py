"""Volume profile of ticks: how many shares traded at which price. Ticks in, shares a price bucket out.

Leaves out ticks whose price or volume is no finite number, and counts them in nothing. Refuses a stray price that
would stretch the profile over more than ``MAX_BUCKETS`` buckets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapeline.core.errors import BadArgument

F64 = NDArray[np.float64]

MAX_BUCKETS = 1_000_000
"""Ten thousand dollars in cents: more is one wrong price, or a tick size of another market."""


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


def volume_profile(price: ArrayLike, volume: ArrayLike, tick_size: float, *, share: float = 0.7) -> VolumeProfile:
    """Return the volume profile of ticks.

    Parameters
    ----------
    price, volume : float64 (n,)
        Dollars and shares of each tick, in any order. Not modified.
    tick_size
        Width of a bucket in dollars; a price on an edge belongs to the bucket above it.
    share
        Part of all volume inside the value area, in (0, 1].

    Raises
    ------
    BadArgument
        For a tick size or a share out of bounds, for columns that do not fit, and for more than ``MAX_BUCKETS``.
    """
    if not tick_size > 0.0 or not 0.0 < share <= 1.0:
        raise BadArgument(f"tick_size {tick_size} must be positive and share {share} in (0, 1]")
    prices, shares = _ticks(price, volume)
    if not prices.size:
        nothing = np.zeros(0)
        return VolumeProfile(nothing, nothing, np.nan, np.nan, np.nan)
    buckets = np.floor(prices / tick_size + 1e-9)
    first, span = float(buckets.min()), float(buckets.max() - buckets.min()) + 1.0
    if not span <= MAX_BUCKETS:
        raise BadArgument(
            f"prices from {prices.min():g} to {prices.max():g} are {span:.3g} buckets of {tick_size:g}, more than "
            f"{MAX_BUCKETS}: leave out the stray price, or take wider buckets"
        )
    held = np.bincount((buckets - first).astype(np.int64), weights=shares).astype(np.float64)
    edges = (first + np.arange(len(held) + 1, dtype=np.float64)) * tick_size
    low, high = _value_area(held, share)
    top = int(held.argmax())
    return VolumeProfile(edges, held, float(edges[top] + tick_size / 2.0), float(edges[low]), float(edges[high]))


def _ticks(price: ArrayLike, volume: ArrayLike) -> tuple[F64, F64]:
    """Return prices and shares of the ticks that count, float64 (n,) each."""
    prices, shares = np.asarray(price, np.float64), np.asarray(volume, np.float64)
    if prices.ndim != 1 or prices.shape != shares.shape:
        raise BadArgument(f"each tick has a price and a volume: not {prices.shape} prices and {shares.shape} volumes")
    known = np.isfinite(prices) & np.isfinite(shares) & (shares > 0.0)
    return prices[known], shares[known]


def _value_area(held: F64, share: float) -> tuple[int, int]:
    """Return the edges of the buckets around the fullest that hold ``share`` of all.

    It grows by the fuller neighbour, the upper of two alike; empty buckets are stepped over at once.
    """
    filled = np.flatnonzero(held)
    top = int(held.argmax())
    below = above = int(np.searchsorted(filled, top))  # the outermost filled buckets inside, counted in ``filled``
    low, high, inside, wanted = top, top + 1, float(held[top]), share * float(held.sum()) * (1.0 - 1e-12)
    while inside < wanted:
        under = held[low - 1] if low > 0 else -1.0
        over = held[high] if high < len(held) else -1.0
        if over >= under:
            above += 1
            high = int(filled[above]) + 1
            inside += float(held[high - 1])
        else:
            below -= 1
            low = int(filled[below])
            inside += float(held[low])
    return low, high
