"""Trees: rows apart from each other, contributions that add up, the same after a journey to another process."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from tests.ml.made import models, trained

from tapeline.core.errors import BadInput
from tapeline.ml.boost import ROWS, Recipe, Trees, check_device, grow
from tapeline.ml.features import CONTRACT

FEATURES = trained()[0].features[-1]
TREES = models().trees["return_5"]


def test_rows_shared_out_over_threads_are_the_rows_asked_one_by_one() -> None:
    many = np.tile(FEATURES, (1 + 2 * ROWS // len(FEATURES), 1))
    alone = np.array([TREES.predict(many[i : i + 1])[0] for i in range(len(FEATURES))])
    assert np.array_equal(TREES.predict(many)[: len(FEATURES)], alone)
    assert np.array_equal(TREES.predict(many)[len(FEATURES) : 2 * len(FEATURES)], alone)
    assert TREES.predict(FEATURES[:0]).shape == (0,)


def test_contributions_add_up_to_the_margin() -> None:
    shares = TREES.contributions(FEATURES)
    assert shares.shape == (len(FEATURES), len(CONTRACT.names) + 1)
    assert shares.sum(axis=1) == pytest.approx(TREES.predict(FEATURES, margin=True), abs=1e-5)


def test_trees_travel_as_bytes() -> None:
    assert np.array_equal(pickle.loads(pickle.dumps(TREES)).predict(FEATURES), TREES.predict(FEATURES))


def test_without_patience_every_round_is_grown_and_importance_is_a_share() -> None:
    label = FEATURES[:, 0].astype(np.float64)
    recipe = Recipe("reg:squarederror", 5, 0, 2, 0.3, 1)
    many = np.tile(FEATURES, (10, 1))
    trees, rounds = grow(recipe, (many, np.tile(label, 10)), (FEATURES, label), CONTRACT.names)
    assert rounds == Trees(trees).rounds == 5
    importance = Trees(trees).importance(len(CONTRACT.names))
    assert importance.sum() == pytest.approx(1.0)
    assert CONTRACT.names[int(importance.argmax())] in ("roc_1", "rank_of_roc_1", "z_of_roc_1", "reversal_1")


def test_gpu_predicts_what_the_cpu_predicts() -> None:
    try:
        check_device("cuda")
    except BadInput as error:
        pytest.skip(str(error))
    assert Trees(TREES.__reduce__()[1][0], "cuda").predict(FEATURES) == pytest.approx(TREES.predict(FEATURES), abs=1e-5)
