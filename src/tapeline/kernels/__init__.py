"""Kernels: every indicator as one compiled step over tiles of symbols. numpy and numba only.

``warm`` compiles all of them ahead of time; without it each is compiled (or loaded from the cache) at its first use.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tapeline.kernels import averages, momentum, oscillators, statistics, trend, volatility, volume
from tapeline.kernels.catalogue import UnknownIndicator, all_kernels, indicator_names
from tapeline.kernels.engine import TRADES, address_of
from tapeline.kernels.plan import Bars, Program, evaluate, no_states

FAMILIES = (averages, momentum, oscillators, trend, volatility, volume, statistics)
"""The modules whose kernels are registered."""


def warm(progress: Callable[[int, int], None] | None = None) -> int:
    """Compile every kernel and the driver, and keep the machine code on disk.

    Parameters
    ----------
    progress
        Called with (kernels done, kernels in all) after each.

    Returns
    -------
    int
        How many kernels there are.
    """
    kernels = all_kernels()
    for done, kernel in enumerate(kernels, 1):
        address_of(kernel.body)
        if progress is not None:
            progress(done, len(kernels))
    program = Program()
    program.add(["sma_5"])
    empty = no_states(1)
    evaluate(program, list(program.places), Bars(np.ones((TRADES + 1, 2, 1)), np.zeros(2), 0, 2), 0, empty, empty, 1)
    return len(kernels)


__all__ = ["FAMILIES", "UnknownIndicator", "all_kernels", "indicator_names", "warm"]
