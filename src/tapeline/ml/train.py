"""Training: a history in, folds out, each judged on the sessions after it.

In: a grid of sessions, sectors, the recipe.  Out: fold files, and what they said of days they had not seen.
Refuses a history too short for one fold. Same history, same settings, same seed: the same bytes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapeline.core.config import MlConfig
from tapeline.core.types import F64, Label
from tapeline.grid.history import History
from tapeline.ml import labels
from tapeline.ml.boost import Recipe, Trees, check_device, grow
from tapeline.ml.calibration import fit_platt
from tapeline.ml.cross import group_codes
from tapeline.ml.features import CONTRACT, F32, Contract, feature_history
from tapeline.ml.fold_file import FoldFile, TargetTrees, to_models
from tapeline.ml.folds import Fold, walk_forward

Progress = Callable[[int, int, str], None]

WARM_UP = 64
"""Rows at the beginning of a history in which most features are unknown."""
RANGE_TAILS = (0.1, 99.9)
"""Percentiles of training that bound a feature; the distance between them is added on either side as room."""


@dataclass(frozen=True, slots=True)
class Target:
    """Something to foretell: ``horizon`` sessions ahead, as a rank among symbols or as the chance of a gain."""

    name: str
    horizon: int
    is_chance: bool


TARGETS = (Target("return_5", 5, False), Target("return_10", 10, False), Target("up_10", 10, True))
HORIZON = max(target.horizon for target in TARGETS)


@dataclass(frozen=True, eq=False)
class Table:
    """A history as models see it.

    Attributes
    ----------
    days
        (n_bars,) dates.
    features
        float32 (n_bars, n_symbols, n_features).
    returns
        Horizon to forward returns, float64 (n_bars, n_symbols), fractions.
    momentum
        float64 (n_bars, n_symbols): the change over 63 sessions, the naive rival of every model.
    """

    days: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    features: F32
    returns: Mapping[int, F64]
    momentum: F64
    origin: str
    contract: Contract

    def label(self, target: Target) -> F64:
        """Return what is to be foretold, NaN where the future is not known."""
        gain = self.returns[target.horizon]
        if target.is_chance:
            return np.where(np.isnan(gain), np.nan, (gain > 0.0).astype(np.float64))
        return labels.cross_sectional(gain)


@dataclass(frozen=True, eq=False)
class Judged:
    """A trained fold and what it said of the sessions after it.

    Attributes
    ----------
    values
        Target to float64 (test rows, n_symbols).
    importance
        Target to each feature's share of the gain.
    """

    fold: Fold
    file: FoldFile
    values: Mapping[str, F64]
    importance: Mapping[str, F64]


def build_table(history: History, contract: Contract = CONTRACT) -> Table:
    """Return the features and forward returns of every session."""
    grid = history.grid
    opens, closes = grid.field("open"), grid.field("close")
    return Table(
        days=history.days,
        symbols=grid.symbols,
        features=feature_history(grid, group_codes(history.about.sectors), contract),
        returns={t.horizon: labels.forward_return(opens, closes, t.horizon) for t in TARGETS},
        momentum=grid.indicators(["roc_63"], "all")["roc_63"],
        origin=history.origin,
        contract=contract,
    )


def plan_folds(n_rows: int, config: MlConfig) -> list[Fold]:
    """Return the walk-forward folds of a history of ``n_rows`` sessions; a short history has one that knows it all."""
    first = min(config.first_fold_sessions, n_rows) - 1
    return walk_forward(
        n_rows,
        first=first,
        step=config.fold_sessions,
        horizon=HORIZON,
        embargo=config.embargo_sessions,
        warm_up=WARM_UP,
        valid_frac=config.valid_frac,
    )


def train(table: Table, config: MlConfig, *, seed: int, label: Label, progress: Progress) -> list[Judged]:
    """Train every fold of a history and let it judge the sessions after it.

    Parameters
    ----------
    seed
        Decides which rows and features each tree sees.
    label
        Where the data comes from; it stays with the models.
    progress
        Called with (trees trained, trees in all, what comes next).
    """
    check_device(config.device)
    folds = plan_folds(len(table.days), config)
    done, total = 0, len(folds) * len(TARGETS)
    judged = []
    for fold in folds:
        trained: dict[str, TargetTrees] = {}
        for target in TARGETS:
            progress(done, total, f"{target.name} until {table.days[fold.until]}")
            trained[target.name] = _train_one(table, fold, target, config, seed)
            done += 1
        judged.append(_judge(table, fold, _file(table, fold, trained, seed, label), config))
    progress(done, total, "")
    return judged


def rows_of(table: Table, rows: range, label: F64) -> tuple[F32, F64]:
    """Return the features and labels of rows, one line per symbol and session that has a label and a price."""
    picked = slice(rows.start, rows.stop)
    known = np.isfinite(label[picked]) & np.isfinite(table.features[picked]).any(axis=2)
    return table.features[picked][known], label[picked][known]


def _train_one(table: Table, fold: Fold, target: Target, config: MlConfig, seed: int) -> TargetTrees:
    recipe = Recipe(
        objective="binary:logistic" if target.is_chance else "reg:squarederror",
        rounds=config.rounds,
        patience=config.patience,
        depth=config.depth,
        learning_rate=config.learning_rate,
        seed=seed,
        device=config.device,
    )
    label = table.label(target)
    valid = rows_of(table, fold.valid, label)
    trees, rounds = grow(recipe, rows_of(table, fold.train, label), valid, table.contract.names)
    calibration = fit_platt(Trees(trees).predict(valid[0], margin=True), valid[1]) if target.is_chance else None
    return TargetTrees(horizon=target.horizon, rounds=rounds, calibration=calibration, trees=trees)


def _file(table: Table, fold: Fold, trained: dict[str, TargetTrees], seed: int, label: Label) -> FoldFile:
    known = table.features[fold.train.start : fold.valid.stop].reshape(-1, len(table.contract.definitions))
    low, high = feature_bounds(known)
    return FoldFile(
        definitions=table.contract.definitions,
        version=table.contract.version,
        digest=table.contract.digest,
        label=label,
        origin=table.origin,
        seed=seed,
        trained_from=_date(table.days[fold.train.start]),
        trained_until=_date(table.days[fold.until]),
        sessions=len(fold.train) + len(fold.valid),
        symbols=len(table.symbols),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        targets=trained,
    )


def feature_bounds(features: F32) -> tuple[F64, F64]:
    """Return the bounds of each feature in training, with as much room on either side; infinite for unknown ones."""
    low = np.full(features.shape[1], -np.inf)
    high = np.full(features.shape[1], np.inf)
    for i, column in enumerate(features.T):
        known = column[np.isfinite(column)].astype(np.float64)
        if known.size:
            bottom, top = np.percentile(known, RANGE_TAILS)
            room = top - bottom
            low[i], high[i] = bottom - room, top + room
    return low, high


def _judge(table: Table, fold: Fold, file: FoldFile, config: MlConfig) -> Judged:
    models = to_models(file, device=config.device, contract=table.contract)
    test = table.features[fold.test.start : fold.test.stop]
    flat = np.ascontiguousarray(test.reshape(-1, test.shape[2]))
    alive = np.isfinite(test).any(axis=2)
    values = {name: np.where(alive, models.predict(name, flat).reshape(alive.shape), np.nan) for name in models.targets}
    importance = {name: trees.importance(test.shape[2]) for name, trees in models.trees.items()}
    return Judged(fold, file, values, importance)


def _date(day: np.datetime64) -> dt.date:
    return dt.date.fromisoformat(str(day))


def values_over(table: Table, judged: Sequence[Judged], target: str) -> F64:
    """Return what the folds said of every session that none of its own had seen, NaN elsewhere; (n_bars, n_symbols)."""
    out = np.full(table.momentum.shape, np.nan)
    for each in judged:
        out[each.fold.test.start : each.fold.test.stop] = each.values[target]
    return out
