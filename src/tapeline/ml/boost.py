"""Gradient-boosted trees: the one module that knows XGBoost, which it imports at the first use.

In: float32 features, NaN where missing.  Out: trained trees as bytes, predictions, contributions of features.
Refuses a device that is not there. Same data, same seed, same bytes. On a CPU trees are asked by our own kernel, which
gives the library's bits in a fourth of its time and without importing it; growing, contributions and a GPU are the
library's. Its own threads are not used: they spin while they wait, which on a shared machine costs more than they win;
rows are shared out over ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadInput
from tapeline.core.types import F64
from tapeline.kernels.forest import predict_forest
from tapeline.kernels.threads import share
from tapeline.ml.tree_file import read_trees

if TYPE_CHECKING:
    import xgboost

F32 = NDArray[np.float32]
DEVICES = ("cpu", "cuda")
ROWS = 512
"""Rows that one thread predicts at a time."""
FEW = 5
"""Rows that one thread explains at a time; each costs as much as a thousand predictions."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How trees are grown; see ``core.config.MlConfig`` for the meaning of each. A patience of 0 takes every round."""

    objective: str
    rounds: int
    patience: int
    depth: int
    learning_rate: float
    seed: int
    device: str = "cpu"


@lru_cache(maxsize=1)
def library() -> Any:
    """Return the XGBoost module; half a second the first time."""
    import xgboost

    xgboost.set_config(verbosity=0)
    return xgboost


def check_device(device: str) -> str:
    """Return ``device``, or raise BadInput when it is unknown or this build or machine has none."""
    if device not in DEVICES:
        raise BadInput(f"device is {device!r}: choose {' or '.join(DEVICES)}")
    if device == "cuda":
        if not library().build_info().get("USE_CUDA"):
            raise BadInput("this XGBoost is built without CUDA: install `xgboost` instead of `xgboost-cpu` for a GPU")
        try:
            ones = np.ones((2, 1), np.float32)
            library().train({"device": "cuda", "max_depth": 1}, library().DMatrix(ones, ones[:, 0]), 1)
        except library().core.XGBoostError as error:
            raise BadInput(f"no GPU can be used here: {str(error).splitlines()[0][:160]}") from None
    return device


def grow(recipe: Recipe, train: tuple[F32, F64], valid: tuple[F32, F64], names: tuple[str, ...]) -> tuple[bytes, int]:
    """Grow trees until ``valid`` has not improved for ``recipe.patience`` rounds.

    Returns
    -------
    tuple
        The trees up to the best round as UBJSON, and their number.
    """
    xgb = library()
    parameters = {
        "objective": recipe.objective,
        "tree_method": "hist",
        "device": recipe.device,
        "max_depth": recipe.depth,
        "learning_rate": recipe.learning_rate,
        "min_child_weight": 50.0 if recipe.objective.startswith("reg") else 10.0,
        "subsample": 0.7,
        "colsample_bytree": 0.5,
        "lambda": 5.0,
        "seed": recipe.seed,
        "nthread": 1,
    }
    learn, stop = (xgb.DMatrix(x, y, feature_names=list(names)) for x, y in (train, valid))
    early = [xgb.callback.EarlyStopping(rounds=recipe.patience, save_best=True)] if recipe.patience else []
    grown = xgb.train(parameters, learn, recipe.rounds, evals=[(stop, "valid")], callbacks=early, verbose_eval=False)
    return bytes(grown.save_raw("ubj")), int(grown.num_boosted_rounds())


class Trees:
    """Trained trees, ready to predict.

    Parameters
    ----------
    data
        What ``grow`` returned.
    device
        Where to predict.
    """

    def __init__(self, data: bytes, device: str = "cpu") -> None:
        self._data, self.device = data, device
        self._read = read_trees(data)
        self.rounds = self._read.rounds

    def __reduce__(self) -> tuple[type[Trees], tuple[bytes, str]]:
        return Trees, (self._data, self.device)

    @cached_property
    def _booster(self) -> xgboost.Booster:
        """The library's own form of the trees."""
        options = {"nthread": 1, "device": self.device}
        booster: xgboost.Booster = library().Booster(options, model_file=bytearray(self._data))
        return booster

    def predict(self, features: F32, *, margin: bool = False) -> F64:
        """Return one value a row, float64; ``margin`` before the link function. Rows do not depend on each other."""
        known = self._read
        if self.device == "cpu" and known.forest is not None and (margin or known.is_margin):
            return predict_forest(known.forest, features, known.start).astype(np.float64)
        return self.predict_by_library(features, margin=margin)

    def predict_by_library(self, features: F32, *, margin: bool = False) -> F64:
        """Return what ``predict`` returns, asked of XGBoost."""
        out = np.empty(len(features))
        if self.device == "cuda":
            matrix = library().DMatrix(features)
            out[:] = self._booster.predict(matrix, output_margin=margin, validate_features=False)
            return out
        kind, booster = "margin" if margin else "value", self._booster

        def work(low: int, high: int) -> None:
            rows = slice(low * ROWS, high * ROWS)
            out[rows] = booster.inplace_predict(features[rows], predict_type=kind, validate_features=False)

        if len(features):
            share(work, -(-len(features) // ROWS))
        return out

    def contributions(self, features: F32) -> F64:
        """Return SHAP values, float64 (n, n_features + 1): what each adds to the margin; the last is the base."""
        out, booster = np.empty((len(features), features.shape[1] + 1)), self._booster

        def work(low: int, high: int) -> None:
            matrix = library().DMatrix(features[low * FEW : high * FEW], nthread=1)
            out[low * FEW : high * FEW] = booster.predict(matrix, pred_contribs=True, validate_features=False)

        if len(features):
            share(work, -(-len(features) // FEW))
        return out

    def importance(self, n_features: int) -> F64:
        """Return each feature's share of the total gain, summing to 1; zeros for trees without a split."""
        gain = np.zeros(n_features)
        names = self._booster.feature_names or [f"f{i}" for i in range(n_features)]
        for name, value in self._booster.get_score(importance_type="total_gain").items():
            gain[names.index(name)] = value
        return gain / gain.sum() if gain.sum() > 0.0 else gain
