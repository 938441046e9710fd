"""Points: robust, bounded, exact in any order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tapeline.core.types import F64
from tapeline.scan.score import LIMIT_Z, MIN_GROUP, POINT, points, robust_z, robust_z_within, total

columns = arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e6, 1e6))


def _all(values: F64) -> np.typing.NDArray[np.bool_]:
    return np.ones(values.size, np.bool_)


@given(columns)
def test_z_is_bounded_rising_and_finite(values: F64) -> None:
    z = robust_z(values, _all(values))
    assert np.isfinite(z).all()
    assert (np.abs(z) <= LIMIT_Z).all()
    assert (np.diff(z[np.argsort(values)]) >= 0.0).all()


@given(columns.flatmap(lambda v: st.tuples(st.just(v), st.permutations(range(v.size)))))
def test_order_of_symbols_does_not_matter_to_the_bit(case: tuple[F64, list[int]]) -> None:
    values, order = case
    assert np.array_equal(robust_z(values[order], _all(values)), robust_z(values, _all(values))[order])


def test_z_of_a_normal_sample_is_its_deviations() -> None:
    values = np.random.default_rng(3).standard_normal(20_001)
    inside = np.abs(values) < 2.5
    assert robust_z(values, _all(values))[inside] == pytest.approx(values[inside], abs=0.08)


def test_one_wild_value_moves_nobody_else_much() -> None:
    values = np.random.default_rng(4).standard_normal(501)
    wild = values.copy()
    wild[0] = 1e12
    assert robust_z(wild, _all(values))[1:] == pytest.approx(robust_z(values, _all(values))[1:], abs=0.05)
    assert robust_z(wild, _all(values))[0] == LIMIT_Z


def test_factor_that_tells_nobody_apart_gives_no_points() -> None:
    values = np.full(9, 4.2)
    assert (robust_z(values, _all(values)) == 0.0).all()
    assert robust_z(np.array([7.0]), _all(np.zeros(1))) == 0.0


def test_mostly_equal_values_still_tell_the_others_apart() -> None:
    values = np.array([0.0] * 8 + [1.0, -1.0])
    z = robust_z(values, _all(values))
    assert z[8] > 0.0 > z[9]
    assert (z[:8] == 0.0).all()


def test_symbols_outside_the_cross_section_are_measured_and_do_not_move_it() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 1e9, np.nan])
    ranked = np.array([True, True, True, True, False, False])
    z = robust_z(values, ranked)
    assert np.array_equal(z[:4], robust_z(values[:4], _all(values[:4])))
    assert z[4] == LIMIT_Z
    assert np.isnan(z[5])


def test_a_group_large_enough_has_its_own_middle_and_a_small_or_unknown_one_the_markets() -> None:
    values = np.concatenate([np.arange(MIN_GROUP) + 10.0, np.arange(MIN_GROUP - 1) + 50.0, np.arange(9) + 90.0])
    groups = np.repeat(np.array([0, 1, -1]), [MIN_GROUP, MIN_GROUP - 1, 9])
    z = robust_z_within(values, _all(values), groups)
    own = values[:MIN_GROUP]
    assert np.array_equal(z[:MIN_GROUP], robust_z(own, _all(own)))
    assert np.array_equal(z[MIN_GROUP:], robust_z(values, _all(values))[MIN_GROUP:])


def test_points_are_measured_against_the_ranked_alone() -> None:
    values, ranked = np.array([1.0, 2.0, 3.0, 4.0, 90.0, 91.0]), np.arange(6) < 4
    alone = points({"a": values[:4]}, {"a": 1.0}, ranked[:4])["a"]
    assert np.array_equal(points({"a": values}, {"a": 1.0}, ranked)["a"][:4], alone)


def test_empty_cross_section_gives_zero_points_and_keeps_nan() -> None:
    z = robust_z(np.array([1.0, np.nan]), np.zeros(2, np.bool_))
    assert z[0] == 0.0
    assert np.isnan(z[1])


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_total_is_the_sum_of_its_parts_exactly_in_any_order(weights: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    factors = {str(i): rng.standard_normal(7) for i in range(len(weights))}
    named = {str(i): weight for i, weight in enumerate(weights) if weight != 0.0}
    parts = points(factors, named, np.ones(7, np.bool_))
    for part in parts.values():
        assert np.array_equal(part / POINT, np.rint(part / POINT))
    for order in itertools.permutations(parts.values()):
        assert np.array_equal(sum(order, np.zeros(7)), total(parts, 7) if parts else np.zeros(7))


def test_factor_without_weight_is_left_out() -> None:
    parts = points({"a": np.arange(3.0), "b": np.arange(3.0)}, {"a": 1.0, "b": 0.0}, np.ones(3, np.bool_))
    assert list(parts) == ["a"]
