"""What a scan needs compiled beside the indicators: ``tapeline warm`` calls it once, so that no scan waits.

Out: machine code on disk.  Refuses nothing; each loop is run on next to nothing, so its types are those of a real scan.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tapeline.kernels.columns import column_digests, newest_traded
from tapeline.kernels.engine import fold
from tapeline.kernels.forest import Forest, predict_forest


def is_compiled() -> bool:
    """Return whether an earlier process left the driver of the indicators compiled, and so most likely all of them."""
    folder = fold.stats.cache_path
    return folder is not None and any(Path(folder).glob(f"*{fold.py_func.__qualname__}*.nbi"))


def warm(progress: Callable[[int, int], None] | None = None) -> int:
    """Compile every loop, tell ``progress`` (done, in all) after each, and return how many they are."""
    bars = np.ones((2, 1))
    cuts, places = np.zeros((1, 256), np.float32), np.zeros((1, 1), np.uint8)
    leaf = np.zeros((1, 2), np.float32)
    forest = Forest(1, 1, 1, cuts, np.ones(1, np.int64), np.zeros((1, 1), np.int64), places, leaf)
    loops: tuple[Callable[[], object], ...] = (
        lambda: newest_traded([bars] * 5, 1),
        lambda: column_digests([bars], 0),
        lambda: predict_forest(forest, np.zeros((1, 1), np.float32), 0.0),
    )
    for done, loop in enumerate(loops, 1):
        loop()
        if progress is not None:
            progress(done, len(loops))
    return len(loops)
