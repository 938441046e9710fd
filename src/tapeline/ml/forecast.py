"""What the models think of every symbol on one day: features in, opinions out, and who they abstain on.

In: models, and a grid of sessions or its features.  Out: ``Forecast``. Pure.
Refuses an opinion on a symbol of which too little is known, or that looks like nothing training ever saw; both are
counted. The session that still runs is no finished day: the caller says how many rows are settled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapeline.core.config import MlConfig
from tapeline.core.types import F64
from tapeline.grid import BarGrid
from tapeline.ml.features import CONTRACT, F32, Contract, ReadColumns, build_features, read_columns
from tapeline.ml.fold_file import Models

Predict = Callable[[Models, str, F32], F64]
"""(models, target, features) to a value a row. Other engines do the same elsewhere."""
NEVER: Callable[[], bool] = lambda: False  # noqa: E731 - a constant of a callable type


def predict_here(models: Models, target: str, features: F32) -> F64:
    """Predict in this process, on all compute threads."""
    return models.predict(target, features)


@dataclass(frozen=True, eq=False)
class Forecast:
    """The models' opinion of a universe.

    Attributes
    ----------
    symbols
        (n,) the columns of the grid.
    values
        Target to float64 (n,): an expected rank, or a probability. NaN where the model abstains.
    features
        float32 (n, n_features) that it rests on.
    too_little
        bool (n,): fewer features are known than a model wants.
    out_of_range
        bool (n,): more features than allowed lie outside what training saw.
    models
        Who says so.
    left_out
        Targets that the time did not suffice for.
    among
        bool (n,): an unbiased part of the universe that opinions are compared with; None: all of it.
    """

    symbols: tuple[str, ...]
    values: Mapping[str, F64]
    features: F32
    too_little: NDArray[np.bool_]
    out_of_range: NDArray[np.bool_]
    models: Models
    left_out: tuple[str, ...] = ()
    among: NDArray[np.bool_] | None = None

    @property
    def abstains(self) -> NDArray[np.bool_]:
        """bool (n,): symbols that the models have no opinion on."""
        return self.too_little | self.out_of_range

    def why_silent(self, col: int) -> str:
        """Return why there is no opinion on the symbol in a column; "" when there is one."""
        if self.too_little[col]:
            known = int(np.isfinite(self.features[col]).sum())
            return f"only {known} of {self.features.shape[1]} features are known"
        if self.out_of_range[col]:
            outside = np.flatnonzero(_outside(self.features[col : col + 1], self.models)[0])
            names = [self.models.file.definitions[i][0] for i in outside[:3]]
            return f"{len(outside)} features lie outside what training saw: {', '.join(names)}"
        return ""

    def remarks(self) -> tuple[str, ...]:
        """Return what a person should know of the models that spoke, a sentence each."""
        flat = [target for target in self.models.constant if target in self.values]
        return (f"{' and '.join(flat)}: the same for every symbol in this fold, so no score moves",) if flat else ()

    def drifted(self) -> tuple[str, ...]:
        """Return the features whose median over the universe lies outside what training saw of single symbols."""
        with np.errstate(all="ignore"):
            known = np.isfinite(self.features).any(axis=0)
            middle = np.full(self.features.shape[1], np.nan)
            middle[known] = np.nanmedian(self.features[:, known], axis=0)
        away = (middle < self.models.low) | (middle > self.models.high)
        return tuple(self.models.file.definitions[i][0] for i in np.flatnonzero(away))


def make_forecast(
    grid: BarGrid,
    sectors: NDArray[np.intp],
    models: Models,
    config: MlConfig,
    *,
    n_rows: int | None = None,
    contract: Contract = CONTRACT,
    predict: Predict = predict_here,
    read: ReadColumns = read_columns,
    out_of_time: Callable[[], bool] = NEVER,
) -> Forecast:
    """Return what ``models`` think of the row that is the newest of ``n_rows`` (all rows unless given).

    Parameters
    ----------
    sectors
        Sector of each symbol, int (n_symbols,), -1 where unknown.
    predict
        Where trees are asked.
    read
        Where indicators come from.
    out_of_time
        Asked before each target; once true, the rest is left out.
    """
    rows = grid.n_bars if n_rows is None else n_rows
    features = build_features(read(grid, contract.columns, rows), sectors, contract)
    return judge(grid.symbols, features, models, config, predict=predict, out_of_time=out_of_time)


def judge(
    symbols: tuple[str, ...],
    features: F32,
    models: Models,
    config: MlConfig,
    *,
    predict: Predict = predict_here,
    out_of_time: Callable[[], bool] = NEVER,
) -> Forecast:
    """Return what ``models`` think of rows of features, float32 (n, n_features)."""
    n_features = features.shape[1]
    too_little = np.isfinite(features).sum(axis=1) < config.min_known_frac * n_features
    out_of_range = ~too_little & (_outside(features, models).sum(axis=1) > config.max_out_of_range)
    silent = too_little | out_of_range
    values: dict[str, F64] = {}
    for target in models.targets:
        if out_of_time():
            break
        values[target] = np.where(silent, np.nan, predict(models, target, features))
    left_out = tuple(target for target in models.targets if target not in values)
    return Forecast(symbols, values, features, too_little, out_of_range, models, left_out)


def _outside(features: F32, models: Models) -> NDArray[np.bool_]:
    """Return where a feature is beyond the bounds of training; NaN is not."""
    below: NDArray[np.bool_] = features < models.low.astype(np.float32)
    return below | (features > models.high.astype(np.float32))
