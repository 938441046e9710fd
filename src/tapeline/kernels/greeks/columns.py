"""Columns: whatever the caller holds (scalars, lists, arrays of any shape) to flat columns a kernel can walk.

In: the right of each option and its numbers.  Out: ``Columns``, one flat float64 array per number with the step that
walks it (0 for a scalar, which is never copied n times). Refuses shapes that do not broadcast; values it never refuses.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from tapeline.core.errors import BadArgument
from tapeline.kernels.engine import NAN_SAFE, compile_cached
from tapeline.kernels.threads import share

F64 = NDArray[np.float64]
I8 = NDArray[np.int8]
I64 = NDArray[np.int64]

TILE = 512
"""Options that a compute thread takes at least: about 20 microseconds of work."""

_CALLS = ("C", "CALL", "CE")
_PUTS = ("P", "PUT", "PE")

scalar = njit(fastmath=NAN_SAFE, error_model="numpy")
"""Compiles the mathematics of one option."""

inlined = njit(fastmath=NAN_SAFE, error_model="numpy", forceinline=True)
"""The same for what stands inside a loop that should become vector instructions: a call left over would prevent it."""


@lru_cache
def _digest() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def loop(body: Callable[..., None]) -> Any:
    """Compile a loop over options, with the GIL released and the machine code kept on disk.

    The name in the cache carries a digest of all sources here, as numba itself looks at the loop's own file only.
    """
    body.__qualname__ += f"_{_digest()}"
    return compile_cached(njit, body, nogil=True)


@dataclass(frozen=True, slots=True)
class Columns:
    """Flat columns of options.

    Attributes
    ----------
    shape
        What the inputs broadcast to; results take this shape.
    right
        int8 (n,) or (1,): +1 call, -1 put, 0 neither.
    numbers
        float64 (n,) or (1,) each, in the order given.
    steps
        int64: by how much to advance per option, for ``right`` and then for each number.
    """

    shape: tuple[int, ...]
    right: I8
    numbers: tuple[F64, ...]
    steps: I64

    @property
    def size(self) -> int:
        """Options in all."""
        return math.prod(self.shape)

    def walk(self, work: Callable[[int, int], None]) -> None:
        """Call ``work(low, high)`` on ranges of options that cover all, on all compute threads."""
        n = self.size
        share(lambda low, high: work(low * TILE, min(high * TILE, n)), -(-n // TILE))


def columns_of(right: ArrayLike, *numbers: ArrayLike) -> Columns:
    """Bring the inputs of n options into columns that broadcast; inputs are not modified.

    Raises BadArgument for what is no number, and for columns that do not fit each other.
    """
    sides = side_codes(right)
    try:
        arrays = [np.asarray(number, dtype=np.float64) for number in numbers]
        shape = np.broadcast_shapes(sides.shape, *(array.shape for array in arrays))
    except (TypeError, ValueError) as error:
        raise BadArgument(f"options come as columns of numbers that fit each other: {error}") from None
    side, flat = _flat(sides, shape), tuple(_flat(array, shape) for array in arrays)
    steps = np.array([0 if column.size == 1 else 1 for column in (side, *flat)], dtype=np.int64)
    return Columns(shape, side, flat, steps)


def _flat(array: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """One dimension, contiguous, aligned and writeable: one type for the compiler, so it compiles once."""
    if array.size != 1 and array.shape != shape:
        array = np.broadcast_to(array, shape)
    return np.require(array.reshape(-1), requirements=["C", "A", "W"])


def side_codes(right: ArrayLike) -> I8:
    """Return +1 for calls, -1 for puts and 0 for anything else, as int8 of the same shape.

    Calls are ``C``, ``call``, ``CE`` in any case, True, or +1; puts are ``P``, ``put``, ``PE``, False, or -1.
    """
    given = np.asarray(right)
    if given.dtype == np.bool_:
        return np.where(given, np.int8(1), np.int8(-1))
    if given.dtype.kind in "iuf":
        return _codes(given == 1, given == -1)
    text = given.astype(np.str_) if given.dtype.kind != "U" else given
    if text.dtype.itemsize == 4:  # one letter each: compare code points, several times faster than strings
        letter = np.ascontiguousarray(text).view(np.uint32) & ~np.uint32(0x20)
        letter = letter.reshape(text.shape)
        return _codes(letter == ord("C"), letter == ord("P"))
    upper = np.strings.upper(text)
    return _codes(np.isin(upper, _CALLS), np.isin(upper, _PUTS))


def _codes(is_call: NDArray[np.bool_], is_put: NDArray[np.bool_]) -> I8:
    return np.asarray(np.subtract(is_call, is_put, dtype=np.int8))
