"""Trained trees as XGBoost writes them: bytes in, arrays of nodes out, without the library, whose import takes long.

Universal Binary JSON, as far as XGBoost uses it (https://ubjson.org, draft 12).
Refuses bytes that are none with ``BadMessage``; trees that only the library can ask (deep, finely cut, by category) are
said to be so.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadArgument, BadMessage
from tapeline.kernels.forest import Forest, build_forest

_NUMBERS = {"i": ">i1", "U": ">u1", "I": ">i2", "l": ">i4", "L": ">i8", "d": ">f4", "D": ">f8"}
MAX_NESTED = 32


def read_ubjson(data: bytes) -> Any:
    """Return what some bytes of Universal Binary JSON say; arrays of one kind of number come as numpy arrays."""
    try:
        value, end = _value(data, 1, chr(data[0]), 0)
    except (IndexError, ValueError, struct.error) as error:
        raise BadMessage(f"these bytes are no trained trees: {error}") from None
    if end != len(data):
        raise BadMessage(f"these bytes are no trained trees: {len(data) - end} are left over")
    return value


def _value(data: bytes, at: int, kind: str, depth: int) -> tuple[Any, int]:
    """Return the value of a kind that begins at ``at``, and where it ends."""
    if depth > MAX_NESTED:
        raise ValueError(f"nested more than {MAX_NESTED} deep")
    if kind in _NUMBERS:
        dtype = np.dtype(_NUMBERS[kind])
        return np.frombuffer(data, dtype, 1, at)[0].item(), at + dtype.itemsize
    if kind == "S":
        return _text(data, at)
    if kind == "{":
        return _object(data, at, depth)
    if kind == "[":
        return _array(data, at, depth)
    if kind in "TFZ":
        return {"T": True, "F": False, "Z": None}[kind], at
    raise ValueError(f"unknown kind {kind!r} at {at}")


def _text(data: bytes, at: int) -> tuple[str, int]:
    size, at = _value(data, at + 1, chr(data[at]), 0)
    if not 0 <= size <= len(data) - at:
        raise ValueError(f"a text of {size} bytes at {at}")
    return data[at : at + size].decode(), at + size


def _object(data: bytes, at: int, depth: int) -> tuple[dict[str, Any], int]:
    found = {}
    while data[at : at + 1] != b"}":
        name, at = _text(data, at)
        found[name], at = _value(data, at + 1, chr(data[at]), depth + 1)
    return found, at + 1


def _array(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    kind = ""
    if data[at : at + 1] == b"$":
        kind, at = chr(data[at + 1]), at + 2
    if data[at : at + 1] != b"#":
        items = []
        while data[at : at + 1] != b"]":
            item, at = _value(data, at + 1, chr(data[at]), depth + 1)
            items.append(item)
        return items, at + 1
    count, at = _value(data, at + 2, chr(data[at + 1]), 0)
    if not 0 <= count <= len(data):
        raise ValueError(f"an array of {count} at {at}")
    if kind in _NUMBERS:
        numbers: NDArray[Any] = np.frombuffer(data, np.dtype(_NUMBERS[kind]), count, at)
        return numbers, at + numbers.nbytes
    items = []
    for _ in range(count):
        item, at = _value(data, at + (not kind), kind or chr(data[at]), depth + 1)
        items.append(item)
    return items, at


@dataclass(frozen=True, slots=True, eq=False)
class TreeFile:
    """What trained trees say.

    Attributes
    ----------
    rounds
        How many they are.
    forest
        To be asked without the library; None when only the library can.
    start
        What the sum of leaves begins with, before the link function.
    is_margin
        True when values are the sums themselves, without a link function.
    """

    rounds: int
    forest: Forest | None = None
    start: float = 0.0
    is_margin: bool = False


def read_trees(data: bytes) -> TreeFile:
    """Return what ``boost.grow`` returned, ready to be asked."""
    try:
        learner = read_ubjson(data)["learner"]
        booster, parameters = learner["gradient_booster"], learner["learner_model_param"]
        trees, objective = booster["model"]["trees"], learner["objective"]["name"]
        score = np.float32(parameters["base_score"].strip("[]"))
        is_plain = booster["name"] == "gbtree" and parameters["num_target"] == "1" and parameters["num_class"] == "0"
        if not trees or not is_plain or objective not in ("reg:squarederror", "binary:logistic"):
            return TreeFile(len(trees))
        forest = _forest(trees, int(parameters["num_feature"]))
    except (KeyError, TypeError, AttributeError, ValueError, BadArgument) as error:
        raise BadMessage(f"these bytes are no trained trees: {error!r}") from None
    is_margin = objective == "reg:squarederror"
    odds = np.float32(1.0) / score - np.float32(1.0)  # the library's own float32 arithmetic
    start = float(score) if is_margin else float(np.float32(-math.log(odds)))
    return TreeFile(len(trees), forest, start, is_margin)


def _forest(trees: list[dict[str, Any]], n_features: int) -> Forest | None:
    """Return the trees as a forest; None for splits by category, or more than the forest can hold."""
    if any(tree["split_type"].any() for tree in trees):
        return None
    sizes = [len(tree["left_children"]) for tree in trees]
    roots = np.concatenate(([0], np.cumsum(sizes)[:-1]))

    def joined(name: str, dtype: type) -> NDArray[Any]:
        return np.concatenate([tree[name] for tree in trees]).astype(dtype)

    first = np.repeat(roots, sizes)
    left, right = (joined(name, np.int64) for name in ("left_children", "right_children"))
    return build_forest(
        roots,
        np.where(left < 0, left, left + first),
        np.where(right < 0, right, right + first),
        joined("split_indices", np.int64),
        joined("split_conditions", np.float32),
        joined("default_left", np.bool_),
        n_features,
    )
