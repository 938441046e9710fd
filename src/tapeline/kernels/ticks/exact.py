"""How loops over ticks are compiled: cached on disk, the GIL released, and no fast math at all.

A product that is fused into a sum rounds once instead of twice; a bar would then differ from numpy's to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

from tapeline.kernels.engine import compile_cached


def _strict(*, fastmath: object, **options: Any) -> Any:
    del fastmath
    return njit(**options)


def loop(body: Callable[..., Any]) -> Any:
    """Compile a loop."""
    return compile_cached(_strict, body, nogil=True)
