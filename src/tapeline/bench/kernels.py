"""``bench kernels``: 50 indicators of a whole market, beside TA-Lib and others on the same input in the same run.

In: ``benchmarks/kernels.toml``.  Out: medians in milliseconds, the largest distance from TA-Lib, the bandwidth floor
and what compiling costs. Peers that are not measured are named, never guessed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tapeline.core.errors import BadInput
from tapeline.core.types import BAR_FIELDS, DAY_S, F64, NS_PER_S, BarFrame, Label
from tapeline.grid import BarGrid, indicators

SPEC = Path(__file__).resolve().parents[3] / "benchmarks" / "kernels.toml"
_NUMBER = re.compile(r"(?<=_)\d+(?:\.\d+)?(?=_|$)")
_OHLCV = BAR_FIELDS[:5]
Panel = dict[str, F64]


def made_panel(spec: dict[str, Any], n_bars: int) -> Panel:
    """Return a seeded random market; a tenth of its symbols has bars missing."""
    rng = np.random.default_rng(spec["seed"])
    shape = (n_bars, spec["symbols"])
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, shape), axis=0))
    opened = close * np.exp(rng.normal(0.0, 0.005, shape))
    high = np.maximum(opened, close) * (1.0 + 0.01 * rng.random(shape))
    low = np.minimum(opened, close) * (1.0 - 0.01 * rng.random(shape))
    panel = {"open": opened, "high": high, "low": low, "close": close}
    panel["volume"] = rng.integers(1, 1_000_000, shape).astype(np.float64)
    gappy = rng.random(shape[1]) < spec["symbols_with_gaps_frac"]
    missing = (rng.random(shape) < spec["missing_frac"]) & gappy
    for field in panel.values():
        field[missing] = np.nan
    return panel


def median_ms(work: Callable[[], Any], repeats: int) -> float:
    """Return the median wall time of ``work`` in milliseconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1e3 * float(np.median(times))


def grid_of(panel: Panel, n_bars: int, names: list[str]) -> BarGrid:
    """Return a grid of the first ``n_bars`` bars that remembers the named indicators."""
    events = np.arange(n_bars) * DAY_S * NS_PER_S
    symbols = [f"S{i}" for i in range(panel["close"].shape[1])]
    fields = {name: panel[name][:n_bars] for name in _OHLCV}
    return BarGrid.from_arrays(
        symbols,
        events,
        open=fields["open"],
        high=fields["high"],
        low=fields["low"],
        close=fields["close"],
        volume=fields["volume"],
        track=names,
    )


def frame_of(panel: Panel, row: int, symbols: tuple[str, ...]) -> BarFrame:
    """Return one bar of the market as a frame."""
    n = len(symbols)
    none, events = np.full(n, np.nan), np.full(n, row * DAY_S * NS_PER_S)
    columns = {name: panel[name][row] for name in _OHLCV}
    return BarFrame(DAY_S, "made", Label.SIMULATED, int(events[0]), symbols, events, **columns, vwap=none, trades=none)


def talib_loop(panel: Panel, n_bars: int, names: list[str]) -> dict[str, F64]:
    """Return the last values from a Python loop over TA-Lib, a symbol's gaps taken out before."""
    from tapeline.bench.oracles import TALIB  # needs TA-Lib, which only development has

    calls = [(name, TALIB[_NUMBER.sub("#", name)], [float(x) for x in _NUMBER.findall(name)]) for name in names]
    n_symbols = panel["close"].shape[1]
    out = {name: np.full(n_symbols, np.nan) for name in names}
    for column in range(n_symbols):
        fields = [np.ascontiguousarray(panel[name][:n_bars, column]) for name in _OHLCV]
        traded = ~np.isnan(fields[3])
        if not traded[-1]:
            continue
        if not traded.all():
            fields = [field[traded] for field in fields]
        for name, call, numbers in calls:
            out[name][column] = call(*fields, *numbers)[-1]
    return out


def largest_error(ours: dict[str, F64], theirs: dict[str, F64]) -> float:
    """Return the largest |a - b| / max(|b|, the median size of b); infinite when only one side has a value."""
    worst = 0.0
    for name, right in theirs.items():
        left, known = ours[name], np.isfinite(right)
        if (np.isfinite(left) != known).any():
            return float("inf")
        scale = np.maximum(np.abs(right[known]), np.median(np.abs(right[known])))
        worst = max(worst, float((np.abs(left[known] - right[known]) / scale).max()))
    return worst


def floor_ms(panel: Panel, n_bars: int, repeats: int) -> float:
    """Return the time to read the fields that the outputs need once, on all compute threads."""
    from tapeline.kernels.threads import share

    fields = [panel[name][:n_bars] for name in ("high", "low", "close", "volume")]

    def read(low: int, high: int) -> None:
        for field in fields:
            field[low * n_bars // 16 : high * n_bars // 16].sum()

    return median_ms(lambda: share(read, 16), repeats)


def compile_s() -> float:
    """Return the seconds a fresh process needs to compile every kernel into an empty cache."""
    code = "from time import time; from tapeline.kernels import warm; a = time(); warm(); print(time() - a)"
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "NUMBA_CACHE_DIR": folder, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        )
    return float(run.stdout)


def run(*, quick: bool) -> dict[str, Any]:
    """Measure and return ``{"results": ..., "peers": ...}``.

    Parameters
    ----------
    quick
        A tenth of the symbols and fewer repeats; the same figures.
    """
    if importlib.util.find_spec("talib") is None:
        raise BadInput("bench kernels measures beside TA-Lib: install the development requirements")
    if not SPEC.exists():
        raise BadInput(f"{SPEC} is missing: run this benchmark from a checkout")
    spec = tomllib.loads(SPEC.read_text())
    names = [name for group in spec["outputs"].values() for name in group]
    shape = dict(spec["panel"])
    if quick:
        shape["symbols"] //= 10
    n_bars, repeats = int(shape["bars"]), 5 if quick else 15
    panel = made_panel(shape, n_bars + repeats + 1)
    grid = grid_of(panel, n_bars, names)
    ours = indicators(grid, names)

    def refold() -> None:
        grid.anchors.forget_heads()
        indicators(grid, names)

    hot = median_ms(refold, repeats)
    started = time.perf_counter()
    theirs = talib_loop(panel, n_bars, names)
    loop = 1e3 * (time.perf_counter() - started)
    frames = iter([frame_of(panel, row, grid.symbols) for row in range(n_bars, n_bars + repeats + 1)])

    def step() -> None:
        grid.apply(next(frames))
        indicators(grid, names)

    step()
    results = {
        "outputs": len(names),
        "symbols": shape["symbols"],
        "bars": n_bars,
        "hot_ms": hot,
        "step_ms": median_ms(step, repeats),
        "talib_loop_ms": loop,
        "ratio_talib": loop / hot,
        "max_err_talib": largest_error(ours, theirs),
        "floor_ms": floor_ms(panel, n_bars, repeats),
        "compile_s": compile_s(),
    }
    return {"results": results, "peers": {"talib": "measured", **other_peers()}}


def other_peers() -> dict[str, str]:
    """Return which further peers this environment has."""
    modules = {"polars-talib": "polars_talib", "pandas-ta-classic": "pandas_ta_classic", "talipp": "talipp"}
    there = {peer: importlib.util.find_spec(module) is not None for peer, module in modules.items()}
    return {peer: "installed, not measured" if found else "not installed" for peer, found in there.items()}
