"""``bench kernels``: 50 indicators of a whole market, beside TA-Lib and others on the same input in the same run.

In: ``benchmarks/kernels.toml``.  Out: medians in milliseconds, the largest distance from TA-Lib, the bandwidth floor,
growth to ten times the symbols, and what compiling, starting and memory cost. Peers that are not measured are named,
never guessed.
"""

from __future__ import annotations

import importlib.util
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tapeline.bench.kernel_costs import cold_start_s, compile_s, peak_memory
from tapeline.bench.kernel_peers import Symbols, pandas_ta_s, polars_talib_s, talib_loop, talipp_step_s
from tapeline.core.errors import BadInput
from tapeline.core.types import BAR_FIELDS, DAY_S, F64, NS_PER_S, BarFrame, Label
from tapeline.grid import BarGrid, indicators

SPEC = Path(__file__).resolve().parents[3] / "benchmarks" / "kernels.toml"
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


def symbols_of(panel: Panel, n_bars: int) -> tuple[Symbols, list[int]]:
    """Return the fields of each symbol that traded last, contiguous and without gaps, and their columns."""
    columns = np.flatnonzero(~np.isnan(panel["close"][n_bars - 1])).tolist()
    symbols: Symbols = []
    for column in columns:
        traded = ~np.isnan(panel["close"][:n_bars, column])
        symbols.append({name[0]: np.ascontiguousarray(panel[name][:n_bars, column][traded]) for name in _OHLCV})
    return symbols, columns


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


def refold_ms(grid: BarGrid, names: list[str], repeats: int) -> float:
    """Return the time of all outputs from the bars alone, as if never asked before."""

    def refold() -> None:
        grid.anchors.forget_heads()
        indicators(grid, names)

    refold()
    return median_ms(refold, repeats)


def growth(panel: Panel, n_bars: int, names: list[str], hot_ms: float) -> float:
    """Return the time for ten times the symbols over the time for the panel's: 10 is linear."""
    wide = {name: np.tile(panel[name][:n_bars], (1, 10)) for name in _OHLCV}
    return refold_ms(grid_of(wide, n_bars, names), names, 3) / hot_ms


def other_peers(symbols: Symbols, names: list[str], sample: int) -> Iterator[tuple[str, str, str, float | None]]:
    """Yield each further peer: its name, what was done, the name of its figure and the figure in milliseconds."""
    few = symbols[:: max(len(symbols) // sample, 1)][:sample]
    scale = len(symbols) / len(few)
    scaled = f"measured on {len(few)} of the symbols, scaled to all"
    talipp = f"one new bar, 47 of the 50 outputs, {scaled}"
    peers: list[tuple[str, str, str, str, Callable[[], float]]] = [
        ("polars-talib", "polars_talib", "measured", "polars_talib_ms", lambda: polars_talib_s(symbols, names)),
        ("pandas-ta-classic", "pandas_ta_classic", scaled, "pandas_ta_ms", lambda: pandas_ta_s(few) * scale),
        ("talipp", "talipp", talipp, "talipp_step_ms", lambda: talipp_step_s(few) * scale),
    ]
    for peer, module, how, figure, measure in peers:
        if importlib.util.find_spec(module) is None:
            yield peer, "not installed", figure, None
        else:
            measure()
            yield peer, how, figure, 1e3 * measure()


def step_ms(panel: Panel, grid: BarGrid, n_bars: int, names: list[str], repeats: int) -> float:
    """Return the time to take one new bar of every symbol in and to have all outputs of it."""
    frames = iter([frame_of(panel, row, grid.symbols) for row in range(n_bars, n_bars + repeats + 1)])

    def step() -> None:
        grid.apply(next(frames))
        indicators(grid, names)

    step()
    return median_ms(step, repeats)


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
    n_bars, repeats = int(shape["bars"]), 7 if quick else 25
    panel = made_panel(shape, n_bars + repeats + 1)
    grid = grid_of(panel, n_bars, names)
    ours = indicators(grid, names)
    hot = refold_ms(grid, names, repeats)
    symbols, columns = symbols_of(panel, n_bars)
    theirs = talib_loop(symbols, names)
    loop = median_ms(lambda: talib_loop(symbols, names), 3)
    step = step_ms(panel, grid, n_bars, names, repeats)
    peers = list(other_peers(symbols, names, 5 if quick else 20))
    figures = {figure: value for _, _, figure, value in peers if value is not None}
    peak_x_panel, peak_mb = peak_memory(names, n_bars, shape["symbols"])
    results = {
        "outputs": len(names),
        "symbols": shape["symbols"],
        "bars": n_bars,
        "hot_ms": hot,
        "step_ms": step,
        "talib_loop_ms": loop,
        "ratio_talib": loop / hot,
        "max_err_talib": largest_error({name: ours[name][columns] for name in names}, theirs),
        **figures,
        "ratio_talipp_step": figures["talipp_step_ms"] / step if "talipp_step_ms" in figures else None,
        "floor_ms": floor_ms(panel, n_bars, repeats),
        f"scale_{10 * shape['symbols']}": growth(panel, n_bars, names, hot),
        "panel_mb": sum(panel[name][:n_bars].nbytes for name in _OHLCV) / 1e6,
        "peak_x_panel": peak_x_panel,
        "peak_mb": peak_mb,
        "cold_start_s": cold_start_s(1 if quick else 3),
        "compile_s": compile_s(),
    }
    talib = "measured: one call per function, arrays made contiguous and gaps taken out before, untimed"
    return {"results": results, "peers": {"talib": talib} | {peer: how for peer, how, _, _ in peers}}
