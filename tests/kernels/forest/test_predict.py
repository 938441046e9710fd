"""A forest asked by vectors says what a walk from node to node says, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.errors import BadArgument
from tapeline.kernels.forest import Forest, build_forest, predict_forest
from tapeline.kernels.forest.predict import BLOCK, F32, MAX_CUTS, MAX_DEPTH

N_FEATURES = 3
Nodes = dict[str, Any]


def grown(rng: np.random.Generator, n_trees: int, depth: int, n_cuts: int) -> Nodes:
    """Return ragged random trees as flat arrays."""
    nodes: list[list[float]] = []
    roots = []

    def grow(left: int) -> int:
        at = len(nodes)
        nodes.append([-1, -1, 0, float(np.float32(rng.normal())), 0])
        if left and (left == depth or rng.random() < 0.8):
            cut = float(np.float32(rng.integers(n_cuts) / n_cuts - 0.5))
            feature, missing = float(rng.integers(N_FEATURES)), float(rng.random() < 0.5)
            nodes[at] = [grow(left - 1), grow(left - 1), feature, cut, missing]
        return at

    for _ in range(n_trees):
        roots.append(grow(depth))
    left, right, feature, value, missing = np.array(nodes).T
    return {
        "roots": np.array(roots),
        "left": left.astype(np.int64),
        "right": right.astype(np.int64),
        "feature": feature.astype(np.int64),
        "value": value.astype(np.float32),
        "missing_left": missing.astype(np.bool_),
    }


def built(nodes: Nodes) -> Forest:
    forest = build_forest(**nodes, n_features=N_FEATURES)
    assert forest is not None
    return forest


def naive(nodes: Nodes, row: F32, first: float) -> np.float32:
    """Return the sum of leaves of one row, node by node."""
    total = np.float32(first)
    for node in nodes["roots"]:
        while nodes["left"][node] >= 0:
            value = row[nodes["feature"][node]]
            goes_left = nodes["missing_left"][node] if np.isnan(value) else value < nodes["value"][node]
            node = nodes["left" if goes_left else "right"][node]
        total += nodes["value"][node]
    return total


def rows_of(rng: np.random.Generator, n: int) -> F32:
    """Return rows with values on and between the cuts, missing and infinite ones."""
    rows = (rng.integers(-8, 9, (n, N_FEATURES)) / 10.0).astype(np.float32)
    rows[rng.random(rows.shape) < 0.2] = np.nan
    rows[rng.random(rows.shape) < 0.05] = np.inf
    rows[rng.random(rows.shape) < 0.05] = -np.inf
    return rows


@given(st.integers(0, 999), st.integers(1, 5), st.integers(0, MAX_DEPTH), st.sampled_from([1, 4, 10, 40]))
def test_forest_is_the_walk_from_node_to_node(seed: int, n_trees: int, depth: int, n_cuts: int) -> None:
    rng = np.random.default_rng(seed)
    nodes, rows = grown(rng, n_trees, min(depth, 5) if n_trees > 2 else depth, n_cuts), rows_of(rng, 9)
    expected = np.array([naive(nodes, row, 0.25) for row in rows], np.float32)
    assert predict_forest(built(nodes), rows, 0.25).tobytes() == expected.tobytes()


def test_rows_do_not_depend_on_each_other_nor_on_their_block() -> None:
    rng = np.random.default_rng(5)
    forest, rows = built(grown(rng, 7, 4, 10)), rows_of(rng, 2 * BLOCK + 3)
    whole = predict_forest(forest, rows, 0.0)
    assert np.array_equal(predict_forest(forest, rows[BLOCK - 2 :], 0.0), whole[BLOCK - 2 :])
    assert np.array_equal(predict_forest(forest, rows[::-1], 0.0), whole[::-1])
    assert predict_forest(forest, rows[:0], 0.0).size == 0


def test_every_place_among_the_most_cuts_is_told_apart() -> None:
    cuts = np.arange(MAX_CUTS, dtype=np.float32)
    n = MAX_CUTS
    nodes = {
        "roots": np.arange(n) * 3,
        "left": np.tile([1, -1, -1], n) + np.repeat(np.arange(n) * 3, 3) * np.tile([1, 0, 0], n),
        "right": np.tile([2, -1, -1], n) + np.repeat(np.arange(n) * 3, 3) * np.tile([1, 0, 0], n),
        "feature": np.zeros(3 * n, np.int64),
        "value": np.stack([cuts, np.zeros(n, np.float32), np.ones(n, np.float32)], axis=1).ravel(),
        "missing_left": np.zeros(3 * n, np.bool_),
    }
    rows = np.zeros((n + 2, N_FEATURES), np.float32)
    rows[:, 0] = np.concatenate((cuts, [np.nan, np.inf])) - np.float32(0.5)
    assert predict_forest(built(nodes), rows, 0.0).tolist() == [*range(n), n, n]


def test_trees_too_deep_or_too_finely_cut_are_left_to_others() -> None:
    rng = np.random.default_rng(1)
    assert build_forest(**grown(rng, 1, MAX_DEPTH + 1, 10), n_features=N_FEATURES) is None
    fine = grown(rng, 40, 6, 100_000)
    assert build_forest(**fine, n_features=N_FEATURES) is None


@pytest.mark.parametrize("name", ["roots", "left", "right", "feature"])
def test_trees_that_point_outside_are_refused(name: str) -> None:
    nodes = grown(np.random.default_rng(2), 2, 3, 4)
    nodes[name][np.argmax(nodes["left"] >= 0) if name != "roots" else 0] = 10_000
    with pytest.raises(BadArgument, match="lies outside of"):
        build_forest(**nodes, n_features=N_FEATURES)


def test_rows_of_another_width_are_refused() -> None:
    forest = built(grown(np.random.default_rng(3), 1, 2, 4))
    with pytest.raises(BadArgument, match="know 3 features"):
        predict_forest(forest, np.zeros((2, 4), np.float32), 0.0)
