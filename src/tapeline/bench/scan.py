"""``bench scan``: a whole market scanned with features and models, beside the document's way, in one run.

In: nothing but the size.  Out: medians in milliseconds of the full scan, its explanation and a step; a cold process and
its memory; ratios to the peers; growth to ten times the symbols; what laziness loses; features from Valkey, and Ray.
The models are grown on noise to full depth, so their size is the document's and their opinion is worth nothing.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import numpy as np

from tapeline.bench.kernel_peers import seconds
from tapeline.bench.kernels import SPEC, frame_of, grid_of, made_panel, median_ms, symbols_of
from tapeline.bench.scan_peers import ask_library, document_s, pandas_s, talib_s
from tapeline.core.config import MlConfig, ScanConfig
from tapeline.core.errors import BadInput
from tapeline.core.types import BAR_FIELDS, F64, Label
from tapeline.grid import BarGrid
from tapeline.grid.history import About
from tapeline.kernels.threads import compute_threads
from tapeline.ml.boost import Recipe, grow
from tapeline.ml.features import CONTRACT, F32, feature_matrix, read_columns
from tapeline.ml.fold_file import FoldFile, Models, TargetTrees, to_models
from tapeline.ml.forecast import Predict, predict_here
from tapeline.ml.train import TARGETS
from tapeline.scan.cache import FeatureCache
from tapeline.scan.engines import open_engine
from tapeline.scan.explain import explain
from tapeline.scan.incremental import Scanner
from tapeline.scan.lazy import recall, scan_lazily
from tapeline.scan.market import Scanned, run_scan
from tapeline.scan.reading import GoingColumns, LocalColumns
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.shelf import ValkeyShelf
from tapeline.streams.valkey import connect

N_BARS, TREES, DEPTH, TOP, SECTORS = 252, 300, 6, 50, 11
TRAINING_ROWS = 20_000
CHANGED = 0.2
RECALL_DAYS, RECALL_EVERY = 8, 11
SCAN = ScanConfig(min_price=0.01, min_dollar_volume=1.0, top=TOP, history_sessions=N_BARS)
ML = MlConfig(max_out_of_range=len(CONTRACT.definitions))

_COLD = """
import json, resource, sys
from tapeline.cli import main
try:
    main()
except SystemExit as leaving:
    code = leaving.code
print(json.dumps([code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0]), file=sys.stderr)
"""


def noise_models(features: F32, seed: int) -> Models:
    """Return three models of 300 trees of depth 6, grown on labels without meaning."""
    rng = np.random.default_rng(seed)
    rows = features[rng.integers(0, len(features), TRAINING_ROWS)]
    targets = {}
    for target in TARGETS:
        label = (rng.random(TRAINING_ROWS) < 0.5).astype(np.float64)
        objective = "binary:logistic" if target.is_chance else "reg:squarederror"
        recipe = Recipe(objective, TREES, 0, DEPTH, 0.05, seed)
        trees, rounds = grow(recipe, (rows, label), (rows[:64], label[:64]), CONTRACT.names)
        calibration = (1.0, 0.0) if target.is_chance else None
        targets[target.name] = TargetTrees(horizon=target.horizon, rounds=rounds, calibration=calibration, trees=trees)
    wide = (np.inf,) * len(CONTRACT.definitions)
    return to_models(
        FoldFile(
            definitions=CONTRACT.definitions,
            version=CONTRACT.version,
            digest=CONTRACT.digest,
            label=Label.SIMULATED,
            origin="noise",
            seed=seed,
            trained_from=dt.date(1969, 1, 1),
            trained_until=dt.date(1969, 12, 1),
            sessions=1,
            symbols=len(features),
            low=tuple(-value for value in wide),
            high=wide,
            targets=targets,
        )
    )


def about_of(n_symbols: int) -> About:
    """Return made-up sectors."""
    return About(("",) * n_symbols, tuple(f"sector {i % SECTORS}" for i in range(n_symbols)), ("stock",) * n_symbols)


def sectors_of(n_symbols: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return their codes."""
    return np.arange(n_symbols, dtype=np.intp) % SECTORS


def full_scan(grid: BarGrid, models: Models, about: About) -> Scanned:
    """Scan as if the grid had never been asked: every indicator is folded anew."""
    grid.anchors.forget_heads()
    return run_scan(grid, SCAN, ML, models=models, about=about)


def same(one: Scanned, other: Scanned) -> bool:
    """Return whether two scans agree to the bit: candidates, scores, exclusions, opinions."""
    a, b = one.result, other.result
    return (
        a.candidates == b.candidates
        and a.exclusions == b.exclusions
        and np.array_equal(a.scores, b.scores, equal_nan=True)
        and all(np.array_equal(a.values[name], b.values[name], equal_nan=True) for name in a.values)
    )


def step(
    going: GoingColumns,
    panel: dict[str, F64],
    models: Models,
    about: About,
    repeats: int,
    predict: Predict = predict_here,
) -> tuple[float, bool]:
    """Return the median time of a step in which a fifth of the symbols moved, and whether it equals a full scan."""
    scanner, grid = Scanner(going, SCAN, ML, models, about=about, predict=predict), going.grid
    scanner.scan()
    cols = np.arange(0, len(grid.symbols), round(1 / CHANGED))
    frame = frame_of(panel, N_BARS - 1, grid.symbols).take(cols)
    frame = frame.take(np.isfinite(frame.close))
    revision = iter(range(1, repeats + 2))

    def work() -> None:
        number = next(revision)
        moved = {name: getattr(frame, name) * (1.0 + 1e-3 * number) for name in BAR_FIELDS[:4]}
        scanner.apply(replace(frame, **moved, revision=np.full(len(frame), number)))
        scanner.scan()

    took = median_ms(work, repeats)
    return took, same(scanner.scan(), full_scan(grid, models, about))


def lazy_recall(panel: dict[str, F64], models: Models, about: About) -> float:
    """Return the mean share of a full scan's candidates that a lazy one finds, over several days."""
    found = []
    for rows in range(N_BARS, N_BARS - RECALL_EVERY * RECALL_DAYS, -RECALL_EVERY):
        grid = grid_of(panel, rows, list(CONTRACT.indicators))
        full = run_scan(grid, SCAN, ML, models=models, about=about)
        lazy = scan_lazily(grid, SCAN, ML, models=models, about=about)
        found.append(recall(lazy.result, full.result))
    return float(np.mean(found))


def cold(symbols: int) -> tuple[float, float]:
    """Return the seconds and the peak memory (MB) of ``tapeline scan`` as a process that reads its data from disk."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryDirectory() as folder:
        path, environ["TAPELINE_HOME"] = f"{folder}/universe.parquet", folder
        sample = [sys.executable, "-m", "tapeline.cli", "sample", "--symbols", str(symbols), "--out", path]
        subprocess.run(sample, check=True, capture_output=True, env=environ)
        runs = []
        for _ in range(3):
            argv = [sys.executable, "-c", _COLD, "scan", "--universe", path, "--top", str(TOP), "--json"]
            left: list[str] = []
            took = seconds(lambda argv=argv, left=left: left.append(_stderr(argv, environ)))  # type: ignore[misc]
            code, rss_mb = json.loads(left[0].splitlines()[-1])
            if code:
                raise BadInput(f"a cold scan ended with code {code}: {left[0]}")
            runs.append((took, rss_mb))
    return float(np.median([took for took, _ in runs])), max(rss for _, rss in runs)


def _stderr(argv: list[str], environ: dict[str, str]) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=environ).stderr


def ray_figures(panel: dict[str, F64], models: Models, about: About) -> dict[str, Any]:
    """Return whether two Ray actors give the same bits as we do, and what they cost; None where Ray is absent."""
    if importlib.util.find_spec("ray") is None:
        return {"ray_equal": None}
    grid = grid_of(panel, N_BARS, list(CONTRACT.indicators))
    features = feature_matrix(grid, sectors_of(len(grid.symbols)), N_BARS)

    def predict_all(predict: Predict) -> list[F64]:
        return [predict(models, target, features) for target in models.targets]

    with open_engine("ray", workers=2) as engine:
        equal = all(map(np.array_equal, predict_all(predict_here), predict_all(engine.predict)))
        predict_ms = median_ms(lambda: predict_all(engine.predict), 3)
        going = engine.columns(grid)
        hold_ms = 1e3 * seconds(going.columns)
        step_ms, step_equal = step(going, panel, models, about, 3, engine.predict)
        report = engine.report()
    return {
        "ray_equal": equal and step_equal,
        "ray_start_s": report["ray_start_s"],
        "ray_hold_ms": hold_ms,
        "ray_step_ms": step_ms,
        "ray_predict_ms": predict_ms,
        "local_predict_ms": median_ms(lambda: predict_all(predict_here), 3),
        "ray_worker_busy_pct": report["ray_worker_busy_pct"],
    }


def cache_figures(grid: BarGrid) -> dict[str, Any]:
    """Return what it costs to find all features in Valkey, to keep them there, and to compute them instead."""
    found: list[dict[str, F64]] = []

    async def lives(address: str) -> list[list[float]]:
        """Load, read and save as node after node would that starts again; return the moments in between."""
        moments = []
        async with connect(address) as store:
            for _ in range(4):
                cache, at = FeatureCache(ValkeyShelf(store), 60.0), [time.perf_counter()]
                await cache.load()
                at.append(time.perf_counter())
                found.append(cache.columns(grid, CONTRACT.columns, grid.n_bars))
                at.append(time.perf_counter())
                await cache.save()
                moments.append([*at, time.perf_counter()])
        return moments

    async def measure(folder: str) -> list[list[float]]:
        async with embedded_valkey(Path(folder)) as server:
            return await lives(str(server.socket_path))

    def anew() -> dict[str, F64]:
        grid.anchors.forget_heads()
        return read_columns(grid, CONTRACT.columns, grid.n_bars)

    with tempfile.TemporaryDirectory(prefix="tl-") as folder:
        took_ms = 1e3 * np.diff(anyio.run(measure, folder), axis=1)
    whole = anew()
    return {
        "cache_load_ms": float(np.median(took_ms[1:, 0])),
        "cache_read_ms": float(np.median(took_ms[1:, 1])),
        "cache_save_ms": float(took_ms[0, 2]),
        "cache_compute_ms": median_ms(anew, 3),
        "cache_equal": all(np.array_equal(each[name], whole[name], equal_nan=True) for each in found for name in whole),
    }


def growth(panel: dict[str, F64], models: Models, full_ms: float) -> float:
    """Return the time for ten times the symbols over the time for these: 10 is linear."""
    wide = {name: np.tile(panel[name][:N_BARS], (1, 10)) for name in BAR_FIELDS[:5]}
    grid = grid_of(wide, N_BARS, list(CONTRACT.indicators))
    about = about_of(len(grid.symbols))
    full_scan(grid, models, about)
    return median_ms(lambda: full_scan(grid, models, about), 3) / full_ms


def run(*, quick: bool) -> dict[str, Any]:
    """Measure and return ``{"results": ..., "peers": ...}``; ``quick`` takes a tenth of the symbols."""
    for peer in ("talib", "pandas_ta_classic"):
        if importlib.util.find_spec(peer) is None:
            raise BadInput(f"bench scan measures beside {peer}: install the development requirements")
    spec = tomllib.loads(SPEC.read_text())
    names = [name for group in spec["outputs"].values() for name in group]
    shape = dict(spec["panel"])
    shape["symbols"] //= 10 if quick else 1
    repeats = 5 if quick else 15
    panel = made_panel(shape, N_BARS)
    n = shape["symbols"]
    grid, about = grid_of(panel, N_BARS, list(CONTRACT.indicators)), about_of(n)
    features = feature_matrix(grid, sectors_of(n), N_BARS)
    models = noise_models(features, spec["panel"]["seed"])
    scanned = full_scan(grid, models, about)
    full_ms = median_ms(lambda: full_scan(grid, models, about), repeats)
    best = [candidate.symbol for candidate in scanned.result.candidates]
    forecast = scanned.forecast
    assert forecast is not None
    explain_ms = median_ms(lambda: explain(forecast, best), 3)
    lazy_ms = median_ms(lambda: scan_lazily(grid, SCAN, ML, models=models, about=about), 3)
    incremental_ms, incremental_equal = step(LocalColumns(grid), panel, models, about, repeats)
    symbols, columns = symbols_of(panel, N_BARS)
    known = np.ascontiguousarray(features[columns])
    few = slice(0, 5 if quick else 20)
    scaled = len(symbols) / len(symbols[few])
    ask_library(known[:1], models)  # so that nobody's time holds the library's import
    document_ms = 1e3 * scaled * document_s(symbols[few], known[few], models)
    pandas_ms = 1e3 * scaled * pandas_s(symbols[few])
    talib_ms = 1e3 * min(talib_s(symbols, names, known, models) for _ in range(2))
    cold_s, rss_mb = cold(n)
    results = {
        "full_ms": full_ms,
        "explain_ms": explain_ms,
        "incremental_ms": incremental_ms,
        "incremental_equal": incremental_equal,
        "cold_s": cold_s,
        "rss_mb": rss_mb,
        "features": len(CONTRACT.definitions),
        "symbols": n,
        "bars": N_BARS,
        "threads": compute_threads(),
        "document_ms": document_ms,
        "ratio_document": document_ms / full_ms,
        "pandas_ms": pandas_ms,
        "talib_ms": talib_ms,
        "ratio_talib": talib_ms / full_ms,
        f"scale_{10 * n}": growth(panel, models, full_ms),
        "lazy_ms": lazy_ms,
        "lazy_keep": SCAN.lazy_keep,
        "lazy_recall": lazy_recall(panel, models, about),
        **cache_figures(grid),
        **ray_figures(panel, models, about),
    }
    sample = f"measured on {len(symbols[few])} of the symbols, scaled to all"
    peers = {
        "document": f"pandas-ta-classic a symbol and one prediction of XGBoost's a row and model: {sample}",
        "pandas": f"rolling and ewm, 30 outputs, no model: {sample}",
        "talib": "a loop over all symbols for 50 outputs, and one batched prediction of XGBoost's own a model",
    }
    return {"results": results, "peers": peers}
