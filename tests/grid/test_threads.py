"""Threads that share one grid: the values of one thread, whatever else the others ask or apply."""

from __future__ import annotations

import subprocess
import sys

import pytest

SHARE = """
import threading
import numpy as np
from tapeline.core.types import BarFrame
from tapeline.grid import BarGrid, indicators

rng = np.random.default_rng(0)
width, rows = 1500, 70
names = ["ema_5", "ema_10", "rsi_14", "atr_14", "adx_14", "kama_10", "sar_0.02_0.2", "obv"]
close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, (rows, width)), axis=0))
symbols = tuple(map(str, range(width)))


def grid_of(n, **options):
    c = close[:n]
    return BarGrid.from_arrays(symbols, np.arange(n) * 60, open=c, high=c + 1, low=c - 1, close=c, volume=c, **options)


def together(*works):
    threads = [threading.Thread(target=work) for work in works]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]


def frame(row):
    c, none = close[row], np.full(width, np.nan)
    events = np.full(width, row * 60)
    return BarFrame(86400, "made", "live", row * 60, symbols, events, c, c + 1, c - 1, c, c, none, none)


wrong = []


def check(truth, found):
    wrong.extend(name for name in found if not np.array_equal(found[name], truth[name], equal_nan=True))


truth = indicators(grid_of(60), names)
for _ in range(4):  # new names on a fresh grid
    grid = grid_of(60)
    together(*(lambda n=n: check(truth, indicators(grid, [n])) for n in names))
alone, shared = grid_of(60, track=names, n_bars=62), grid_of(60, track=names, n_bars=62)
for row in range(60, rows):  # several readers of one new bar
    alone.apply(frame(row))
    shared.apply(frame(row))
    truth = indicators(alone, names)
    together(*[lambda t=truth: check(t, indicators(shared, names))] * 3)
assert alone.snapshot() == shared.snapshot()
print(wrong or "alike")
"""


@pytest.mark.process
def test_threads_on_one_grid_get_the_values_of_one_thread() -> None:
    """Before the grid had a lock: a corrupt heap with new names, wrong values that stayed with several readers."""
    run = subprocess.run([sys.executable, "-c", SHARE], capture_output=True, text=True, check=False, timeout=60)
    assert run.stdout.strip() == "alike", (run.returncode, run.stdout, run.stderr)
