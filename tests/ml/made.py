"""Small made-up histories and models for the tests of the models."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

import numpy as np
from tests.scan.markets import make_bars

from tapeline.core.config import MlConfig
from tapeline.core.types import Label
from tapeline.grid import BarGrid
from tapeline.grid.history import About, History, day_ns
from tapeline.ml.fold_file import Models, to_models
from tapeline.ml.train import Judged, Table, build_table, train

N_BARS, N_SYMBOLS = 230, 40
FIRST = dt.date(2009, 1, 1)
QUICK = MlConfig(
    rounds=6, patience=3, depth=2, first_fold_sessions=150, fold_sessions=80, learning_rate=0.3, max_out_of_range=79
)
"""Settings that train in a moment."""


def history(n_bars: int = N_BARS, n_symbols: int = N_SYMBOLS, seed: int = 3) -> History:
    """Return random walks in two sectors, one session a calendar day."""
    bars = make_bars(n_bars, n_symbols, seed)
    grid = BarGrid.from_arrays(
        [f"S{i:02d}" for i in range(n_symbols)],
        [day_ns(FIRST + dt.timedelta(days=row)) for row in range(n_bars)],
        open=bars["open"],
        high=bars["high"],
        low=bars["low"],
        close=bars["close"],
        volume=bars["volume"],
    )
    sectors = tuple("Odd" if i % 2 else "Even" for i in range(n_symbols))
    return History(grid, About(("",) * n_symbols, sectors, ("stock",) * n_symbols), "made up")


@lru_cache(maxsize=1)
def trained() -> tuple[Table, tuple[Judged, ...]]:
    """Return one small history and its folds, made once."""
    table = build_table(history())
    return table, tuple(train(table, QUICK, seed=1, label=Label.SIMULATED, progress=lambda *_: None))


def models(fold: int = 0) -> Models:
    """Return the models of one fold."""
    return to_models(trained()[1][fold].file)


def sector_codes(n_symbols: int = N_SYMBOLS) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return the sectors of ``history`` as codes."""
    return np.arange(n_symbols, dtype=np.intp) % 2
