"""Boosted trees without branches: rows of features in, the sum of their leaves out.

A feature is only ever compared with the few cuts that the trees know, so its place among them (a byte) says everything.
A block of rows is turned into such bytes once; then every node of a tree is decided for the whole block by one vector
comparison, from the deepest level up, and what is left is the leaf of each row. Leaves are added in the order of the
trees, in float32, as XGBoost does, so the sums are the same to the bit.
Refuses trees deeper than ``MAX_DEPTH`` and features with more than ``MAX_CUTS`` cuts: ``build_forest`` returns None.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tapeline.core.errors import BadArgument
from tapeline.kernels.engine import compile_cached
from tapeline.kernels.threads import share

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

BLOCK = 256
"""Rows that are decided together: bytes of four vectors; of what a tree needs, all stays in the first-level cache."""
MAX_DEPTH, MAX_CUTS = 8, 255
"""What a byte can count: leaves of a tree, cuts of a feature."""
NO_CHILD = -1
ALWAYS_LEFT = 255
"""No place among the cuts lies above it."""


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees of one depth, each complete: a leaf further up stands at every place below it.

    Attributes
    ----------
    depth, n_trees, n_features
        Comparisons a row and tree, trees, features of a row.
    cuts
        float32 (n_features, MAX_CUTS + 1), rising, filled up with infinity.
    n_cuts
        int64 (n_features,).
    column
        int64 (n_trees, 2**depth - 1), level by level: twice the feature, and one more where a missing value goes right.
    place
        uint8 like ``column``: a row goes left whose value's place among the cuts is not above it.
    leaf
        float32 (n_trees, 2**depth).
    """

    depth: int
    n_trees: int
    n_features: int
    cuts: F32
    n_cuts: NDArray[np.int64]
    column: NDArray[np.int64]
    place: NDArray[np.uint8]
    leaf: F32


def build_forest(
    roots: NDArray[np.int64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    feature: NDArray[np.int64],
    value: F32,
    missing_left: NDArray[np.bool_],
    n_features: int,
) -> Forest | None:
    """Return trees in the form that ``predict_forest`` reads, or None when they are too deep or too finely cut.

    Parameters
    ----------
    roots
        The first node of each tree, in their order.
    left, right
        Children of each node, -1 for a leaf.
    feature, value
        What a node compares with what: smaller values go left. ``value`` of a leaf is what it adds.
    missing_left
        Where a missing value goes.

    Raises
    ------
    BadArgument
        For a node, a child or a feature that there is not.
    """
    is_leaf = left == NO_CHILD
    for name, numbers, low, n in (
        ("a root", roots, 0, left.size),
        ("a left child", left, NO_CHILD, left.size),
        ("a right child", right, NO_CHILD, left.size),
        ("a feature", feature[~is_leaf], 0, n_features),
    ):
        if numbers.size and not low <= numbers.min() <= numbers.max() < n:
            raise BadArgument(f"{name} of these trees lies outside of 0 to {n - 1}")
    cuts, n_cuts = np.full((n_features, MAX_CUTS + 1), np.inf, np.float32), np.zeros(n_features, np.int64)
    place = np.full(left.size, ALWAYS_LEFT, np.uint8)
    for each in np.unique(feature[~is_leaf]):
        nodes = np.flatnonzero(~is_leaf & (feature == each))
        known, places = np.unique(value[nodes], return_inverse=True)
        if known.size > MAX_CUTS:
            return None
        cuts[each, : known.size], n_cuts[each], place[nodes] = known, known.size, places
    column = np.where(is_leaf, 0, 2 * feature + ~missing_left)
    levels: list[NDArray[np.int64]] = []
    here = roots[:, None]
    while not is_leaf[here].all():
        if len(levels) == MAX_DEPTH:
            return None
        levels.append(here)
        children = np.stack([np.where(is_leaf[here], here, child[here]) for child in (left, right)], axis=2)
        here = children.reshape(len(roots), -1)
    nodes = np.concatenate(levels, axis=1) if levels else np.empty((len(roots), 0), np.int64)
    return Forest(len(levels), len(roots), n_features, cuts, n_cuts, column[nodes], place[nodes], value[here])


def predict_forest(forest: Forest, features: F32, first: float) -> F32:
    """Return ``first`` plus the leaves of each row, float32 (n,).

    Parameters
    ----------
    features : float32 (n, n_features)
        NaN is missing. Not modified.

    Raises
    ------
    BadArgument
        For rows of another width: compiled code would read beyond them.

    Notes
    -----
    Rows do not depend on each other. Cost: about eight processor cycles a row and tree of depth 6, and for each
    feature a search among its cuts; blocks in parallel.
    """
    if features.ndim != 2 or features.shape[1] != forest.n_features:
        raise BadArgument(f"these trees know {forest.n_features} features a row, not rows of shape {features.shape}")
    out = np.empty(len(features), np.float32)
    rows = np.ascontiguousarray(features, np.float32).view()
    rows.flags.writeable = False
    parts = (forest.cuts, forest.n_cuts, forest.column, forest.place, forest.leaf)

    def work(low: int, high: int) -> None:
        _predict(rows, low, high, *parts, np.float32(first), out)

    if len(features):
        share(work, -(-len(features) // BLOCK))
    return out


@njit(nogil=True)
def _find_places(rows, first, cuts, n_cuts, values, at, places) -> None:
    """Find each value's place among its feature's cuts: a missing one the lowest, and in the other copy the highest."""
    width = min(BLOCK, rows.shape[0] - first)
    for feature in range(n_cuts.shape[0]):
        if n_cuts[feature] == 0:
            continue
        for j in range(width):
            values[j] = rows[first + j, feature]
        at[:] = 0
        step = 1
        while 2 * step <= n_cuts[feature]:
            step *= 2
        while step:
            _climb(cuts[feature], step, values, at)
            step //= 2
        _write_places(values, at, places[2 * feature], places[2 * feature + 1])


@njit(nogil=True)
def _climb(cuts, step, values, at) -> None:
    """Take a step of a binary search for a block of values, without a branch."""
    for j in range(BLOCK):
        at[j] += step if cuts[at[j] + step - 1] <= values[j] else 0


@njit(nogil=True)
def _write_places(values, at, low, high) -> None:
    for j in range(BLOCK):
        low[j] = at[j]
        high[j] = at[j] if values[j] == values[j] else 255


@njit(nogil=True)
def _decide(places, at, path) -> None:
    """Write 1 where a row goes right at a node of the deepest level.

    One loop a function, here and below: so the compiler makes vectors of it.
    """
    for j in range(BLOCK):
        path[j] = places[j] > at


@njit(nogil=True)
def _choose(places, at, jump, left, right, path) -> None:
    """Write each row's leaf below a node, from its leaves below both children; ``jump`` leaves lie below the left."""
    for j in range(BLOCK):
        path[j] = (right[j] | jump) if places[j] > at else left[j]


@njit(nogil=True)
def _add(leaf, path, total) -> None:
    for j in range(BLOCK):
        total[j] += leaf[path[j]]


def _predict_body(rows, low, high, cuts, n_cuts, column, place, leaf, start, out) -> None:
    """Predict the blocks ``low`` to ``high``; see ``predict_forest``."""
    n_trees, n_nodes = column.shape
    places = np.zeros((2 * n_cuts.shape[0], BLOCK), np.uint8)
    path = np.zeros((max(n_nodes, 1), BLOCK), np.uint8)
    total, values, at = np.empty(BLOCK, np.float32), np.zeros(BLOCK, np.float32), np.empty(BLOCK, np.int64)
    for block in range(low, high):
        first = block * BLOCK
        _find_places(rows, first, cuts, n_cuts, values, at, places)
        total[:] = start
        for tree in range(n_trees):
            level, jump = n_nodes // 2, np.uint8(2)
            for node in range(level, n_nodes):
                _decide(places[column[tree, node]], place[tree, node], path[node])
            while level:
                level //= 2
                for node in range(level, 2 * level + 1):
                    below = 2 * node + 1
                    _choose(
                        places[column[tree, node]], place[tree, node], jump, path[below], path[below + 1], path[node]
                    )
                jump = np.uint8(2 * jump)
            _add(leaf[tree], path[0], total)
        width = min(BLOCK, rows.shape[0] - first)
        out[first : first + width] = total[:width]


_predict = compile_cached(njit, _predict_body, nogil=True)
