"""What ``bench kernels`` measures in processes of their own: compiling, the cold start, and memory.

In: names of indicators and the size of a panel.  Out: seconds, and peak memory over the panel's.
Refuses to guess memory where the system has no ``/proc``: the figure is None there.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tapeline.bench.kernel_peers import seconds

_COMPILE = "from time import time; from tapeline.kernels import warm; a = time(); warm(); print(time() - a)"

_COLD = """
import numpy as np
import tapeline
close = np.linspace(10.0, 20.0, 60)[:, None]
grid = tapeline.BarGrid.from_arrays(["A"], np.arange(60), open=close, high=close, low=close, close=close, volume=close)
assert tapeline.indicators(grid, ["rsi_14"])["rsi_14"][0] == 100.0
"""

_MEMORY = """
import json, sys
from pathlib import Path
import numpy as np
from tapeline.grid import BarGrid, indicators
names, n_bars, n_symbols = json.loads(sys.argv[1])
def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(key))
def grid_of(n):
    rng = np.random.default_rng(1)
    fields = {name: 50.0 + rng.random((n_bars, n)) for name in ("open", "high", "low", "close", "volume")}
    grid = BarGrid.from_arrays(map(str, range(n)), np.arange(n_bars), **fields, track=names)
    indicators(grid, names)
    return sum(field.nbytes for field in fields.values())
grid_of(1)
before = status("VmRSS")
panel = grid_of(n_symbols)
print(json.dumps([panel, status("VmHWM") - before, status("VmHWM")]))
"""


def _fresh(code: str, *arguments: str, **environment: str) -> str:
    """Run code in a fresh interpreter that finds what this one finds, and return what it prints."""
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


def compile_s() -> float:
    """Return the seconds a fresh process needs to compile every kernel into an empty cache."""
    with tempfile.TemporaryDirectory() as folder:
        return float(_fresh(_COMPILE, NUMBA_CACHE_DIR=folder))


def cold_start_s(repeats: int) -> float:
    """Return the median seconds of a whole process that imports the library and computes one RSI, the cache warm."""
    return statistics.median(seconds(lambda: _fresh(_COLD)) for _ in range(repeats))


def peak_memory(names: Sequence[str], n_bars: int, n_symbols: int) -> tuple[float | None, float | None]:
    """Return the peak memory of panel, grid and indicators over the panel's own, and the process's peak in MB.

    The panel is the five fields that are given to the grid; it counts, as whoever calls holds it meanwhile.
    """
    if not Path("/proc/self/status").exists():
        return None, None
    panel, grown, peak = json.loads(_fresh(_MEMORY, json.dumps([list(names), n_bars, n_symbols])))
    return grown / panel, peak / 1e6
