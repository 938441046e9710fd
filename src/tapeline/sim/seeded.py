"""Random numbers that are the same on every machine, in every process and in every order of asking.

In: what a number is for (a seed, a symbol, a day).  Out: words and uniforms, whole arrays at once.
Refuses to keep a state: there is no generator to pass around, so nothing depends on who drew first.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from tapeline.core.types import F64

U64 = NDArray[np.uint64]


def key(*parts: object) -> int:
    """Return 64 bits that stand for ``parts``, by their text; Python's own hash differs between processes."""
    text = "|".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def words(keys: U64, count: int) -> U64:
    """Return ``count`` random words for each key, uint64 (n_keys, count): SplitMix64, started at the key.

    References
    ----------
    G. L. Steele, D. Lea, C. H. Flood, Fast Splittable Pseudorandom Number Generators (2014), figure 14.
    """
    state = keys[:, None] + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(state ^ (state >> np.uint64(31)), np.uint64)


def unit(random_words: U64) -> F64:
    """Return words as uniform numbers in [0, 1)."""
    return np.asarray((random_words >> np.uint64(11)).astype(np.float64) / 2.0**53, np.float64)


def normal(random_words: U64) -> F64:
    """Return words as numbers of mean 0 and variance 1: four 16-bit uniforms summed, all but normal, and exact."""
    parts = np.ascontiguousarray(random_words).view(np.uint16).reshape(*random_words.shape, 4)
    return np.asarray((parts.sum(axis=-1, dtype=np.int64) - 2 * 0xFFFF) * (np.sqrt(3.0) / 2.0**16), np.float64)
