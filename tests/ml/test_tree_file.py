"""Trees are read without the library, and asked to the bit as the library would."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ml.made import models, trained

from tapeline.core.errors import BadMessage
from tapeline.ml.boost import F32, Recipe, Trees, grow
from tapeline.ml.features import CONTRACT
from tapeline.ml.tree_file import read_trees, read_ubjson

RNG = np.random.default_rng(4)
FEATURES = trained()[0].features[-1]
WIDTH = FEATURES.shape[1]


def noise(n: int) -> F32:
    features = RNG.normal(size=(n, WIDTH)).astype(np.float32)
    features[RNG.random(features.shape) < 0.1] = np.nan
    return features


def noise_trees(objective: str, depth: int, rounds: int = 12) -> bytes:
    """Return trees grown on noise, as deep as they may be."""
    rows = noise(4000)
    label = (RNG.random(4000) < 0.5).astype(np.float64)
    recipe = Recipe(objective, rounds, 0, depth, 0.3, 1)
    return grow(recipe, (rows, label), (rows[:50], label[:50]), CONTRACT.names)[0]


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic"])
@pytest.mark.parametrize("depth", [1, 6, 10])
def test_predictions_are_the_librarys_to_the_bit(objective: str, depth: int) -> None:
    trees, rows = Trees(noise_trees(objective, depth)), noise(700)
    for margin in (True, False):
        ours, theirs = trees.predict(rows, margin=margin), trees.predict_by_library(rows, margin=margin)
        assert ours.tobytes() == theirs.tobytes()
    assert trees.rounds == 12


def test_shipped_kind_of_models_is_asked_without_the_library() -> None:
    for trees in models().trees.values():
        again = Trees(*trees.__reduce__()[1])
        margin = again.predict(FEATURES, margin=True)
        assert "_booster" not in again.__dict__
        assert margin.tobytes() == again.predict_by_library(FEATURES, margin=True).tobytes()


def test_trees_deeper_than_the_kernel_holds_are_left_to_the_library() -> None:
    assert read_trees(noise_trees("reg:squarederror", 10)).forest is None
    assert read_trees(noise_trees("reg:squarederror", 6)).forest is not None


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_damaged_bytes_are_refused_or_say_something(at: int, byte: int) -> None:
    data = bytearray(models().file.targets["return_5"].trees)
    data[at % len(data)] = byte
    with contextlib.suppress(BadMessage):  # any other error is one
        assert read_trees(bytes(data)).rounds >= 0


@pytest.mark.parametrize("data", [b"", b"{", b"[", b"x", b"T!", b"[[[[[[" * 20, b"SL\x7f\xff\xff\xff\xff\xff\xff\xff"])
def test_bytes_that_are_no_trees_are_refused(data: bytes) -> None:
    with pytest.raises(BadMessage, match="no trained trees"):
        read_ubjson(data)


def test_every_kind_of_value_is_read() -> None:
    data = (
        b"{U\x01a[$d#U\x02\x3f\x80\x00\x00\x40\x00\x00\x00U\x01b[i\xffTFZ]U\x01cSU\x02hiU\x01d[#U\x01D\x3f\xf0"
        + b"\x00" * 6
    )
    found = read_ubjson(data + b"}")
    assert found["a"].tolist() == [1.0, 2.0]
    assert {name: found[name] for name in "bcd"} == {"b": [-1, True, False, None], "c": "hi", "d": [1.0]}
