"""Digests of columns: panels in, 128 bits a column out that tell whether anything in it is another number.

Two mixes of 64 bits, word after word: each step can be undone, so a single changed word always changes both, and two
different columns agree by chance once in 2**128. Refuses to be a seal: who wants a collision can make one.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc, import-untyped"

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numba
import numpy as np
from llvmlite import binding
from numba import njit
from numpy.typing import NDArray

from tapeline.kernels.engine import compile_cached, sources_digest
from tapeline.kernels.threads import share

F64 = NDArray[np.float64]
U64 = NDArray[np.uint64]

TILE = 1024
"""Columns in a tile: see ``traded``."""
FIRST, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
"""Odd, so that multiplying by them can be undone."""
LEFT, RIGHT = np.uint64(29), np.uint64(64 - 29)


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Return a digest of everything beside the bars that kernels' bits follow from: sources, compiler, processor."""
    parts = (sources_digest(), numba.__version__, np.__version__, binding.get_host_cpu_name())
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def column_digests(panels: Sequence[F64], seed: int) -> U64:
    """Return 128 bits for each column of some panels.

    Parameters
    ----------
    panels : float64 (any rows, n_symbols) each
        Read bit by bit, NaN included; a row more or less is another digest. Not modified.
    seed : int
        What else must be the same, e.g. the moment of the newest bar.

    Returns
    -------
    uint64 (n_symbols, 2)

    Notes
    -----
    A column has the same digest wherever it stands. Cost: one pass; tiles of columns in parallel.
    """
    n_symbols = panels[0].shape[1]
    mixed = np.full((2, n_symbols), np.uint64(seed % 2**64))
    for panel in panels:
        words = np.ascontiguousarray(panel, np.float64).view(np.uint64)
        words.flags.writeable = False
        _mix_all(words, mixed, n_symbols)
    return np.ascontiguousarray(mixed.T)


def _mix_all(words: U64, mixed: U64, n_symbols: int) -> None:
    share(lambda low, high: _mix(words, low, high, mixed), -(-n_symbols // TILE))


def _mix_body(words, low, high, mixed) -> None:
    """Take the words of the tiles ``low`` to ``high`` in, and after them how many they were."""
    n_rows, n_symbols = words.shape
    rows = np.uint64(n_rows)
    for tile in range(low, high):
        first, end = tile * TILE, min((tile + 1) * TILE, n_symbols)
        one, other = mixed[0, first:end], mixed[1, first:end]
        for row in range(n_rows):
            given = words[row, first:end]
            for j in range(end - first):
                one[j] = (((one[j] << LEFT) | (one[j] >> RIGHT)) ^ given[j]) * FIRST
                other[j] = (((other[j] << RIGHT) | (other[j] >> LEFT)) + given[j]) * SECOND
        for j in range(end - first):
            one[j] = (one[j] ^ rows) * FIRST
            other[j] = (other[j] ^ rows) * SECOND


_mix = compile_cached(njit, _mix_body, nogil=True)
