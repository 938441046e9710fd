"""Compute threads: ranges of tiles in, finished ranges out.

Kernels release the GIL, so plain threads share the work. numba's own threading layers are not used at all: they need
libgomp or tbb, and their fallback aborts the process when two callers meet. Here any number of callers may meet.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None

_CHUNKS_PER_THREAD = 3
"""More than one range per thread, so that a thread that was held up does not hold up the end."""

WORTH_A_THREAD = 200_000
"""Steps for which another thread is woken, which can cost a millisecond: the lock of the interpreter changes hands."""


def compute_threads() -> int:
    """Return how many threads share a computation: the processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _helpers() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(compute_threads() - 1, 1), thread_name_prefix="tapeline-compute")
        return _pool


def _forget_after_fork() -> None:
    """A forked child has none of its parent's threads."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def share(work: Callable[[int, int], None], n_tiles: int, steps_per_tile: int = WORTH_A_THREAD) -> None:
    """Call ``work(low, high)`` on ranges that together cover ``n_tiles`` tiles, on the compute threads it is worth.

    The caller works too. The first error of any range is raised after all ranges have ended.

    Parameters
    ----------
    work
        Called with ranges of tiles, by several threads at once.
    n_tiles
        Tiles in all.
    steps_per_tile
        About how many elementary steps a tile takes, of a nanosecond or so; what is not said is worth a thread.
    """
    worth = -(-n_tiles * steps_per_tile // WORTH_A_THREAD)
    threads = min(compute_threads(), n_tiles, worth)
    if threads <= 1:
        work(0, n_tiles)
        return
    chunks = min(threads * _CHUNKS_PER_THREAD, n_tiles)
    edges = [n_tiles * i // chunks for i in range(chunks + 1)]
    ranges = iter(list(pairwise(edges)))
    take = threading.Lock()

    def drain() -> None:
        while True:
            with take:
                bounds = next(ranges, None)
            if bounds is None:
                return
            work(*bounds)

    helpers = [_helpers().submit(drain) for _ in range(threads - 1)]
    try:
        drain()
    finally:
        errors = [helper.exception() for helper in helpers]
    for error in errors:
        if error is not None:
            raise error
