"""Compute threads: all tiles once, errors raised, callers that meet and forks that follow."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from tapeline.kernels import threads

MEET = """
import threading
import numpy as np
from tapeline.grid import BarGrid, indicators
import numba
numba.config.THREADING_LAYER = "workqueue"
close = 50.0 + np.random.default_rng(1).random((60, 6_000))
fields = dict.fromkeys(("open", "high", "low", "close", "volume"), close)
grids = [BarGrid.from_arrays(map(str, range(6_000)), np.arange(60), **fields) for _ in range(4)]
names = ["ema_12", "rsi_14", "sma_20"]
found = [None] * 4
def work(i):
    for _ in range(10):
        grids[i].anchors.forget_heads()
        found[i] = indicators(grids[i], names)
callers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
[caller.start() for caller in callers]
[caller.join() for caller in callers]
assert all(np.array_equal(found[0][n], f[n], equal_nan=True) for f in found for n in names)
import os
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        indicators(grids[0], names)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
from numba.np.ufunc import parallel
assert not parallel._is_initialized, "one of numba's threading layers was started"
print("alive")
"""


def test_ranges_cover_every_tile_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "compute_threads", lambda: 4)
    for n_tiles in (0, 1, 2, 7, 100):
        ranges: list[tuple[int, int]] = []
        threads.share(lambda *bounds: ranges.append(bounds), n_tiles)  # noqa: B023 - all ranges end before share does
        assert sorted(tile for low, high in ranges for tile in range(low, high)) == list(range(n_tiles))


def test_error_of_a_range_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "compute_threads", lambda: 3)

    def work(low: int, high: int) -> None:
        if low <= 5 < high:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        threads.share(work, 20)


def test_errors_of_helpers_reach_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "compute_threads", lambda: 2)
    caller = threading.current_thread()
    helper_failed = threading.Event()

    def work(low: int, high: int) -> None:
        if threading.current_thread() is not caller:
            helper_failed.set()
            raise ZeroDivisionError
        assert helper_failed.wait(10.0)

    with pytest.raises(ZeroDivisionError):
        threads.share(work, 20)


@pytest.mark.process
def test_callers_that_meet_and_a_fork_leave_the_process_alive() -> None:
    """With numba's workqueue, two callers would abort the process; none of its layers is started, libgomp or not."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", MEET],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.stdout.strip() == "alive", run.stderr


def test_work_too_small_for_another_thread_stays_with_the_caller_and_large_work_is_shared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "compute_threads", lambda: 2)
    callers: list[set[int]] = []
    for steps in (threads.WORTH_A_THREAD // 20, threads.WORTH_A_THREAD):
        met = threading.Barrier(2)
        found: set[int] = set()

        def work(low: int, high: int, met: threading.Barrier = met, found: set[int] = found) -> None:
            found.add(threading.get_ident())
            if high - low < 8 and not met.broken:
                met.wait(10.0)

        threads.share(work, 8 if steps < threads.WORTH_A_THREAD else 2, steps)
        callers.append(found)
    assert callers[0] == {threading.get_ident()}
    assert len(callers[1]) == 2
