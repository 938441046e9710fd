"""Cross-sections: naive twins, order does not matter, NaN stays out, equals are equal."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.types import F64
from tapeline.ml.cross import group_codes, minus_group_median, rank, rank_in_group, robust_z

NUMBERS = st.lists(st.sampled_from([-2.0, 0.0, 0.5, 1.0, 3.0, math.nan]), min_size=0, max_size=12).map(np.array)


def naive_rank(values: F64) -> list[float]:
    known = [v for v in values.tolist() if not math.isnan(v)]
    return [
        math.nan
        if math.isnan(v)
        else (
            0.5
            if len(known) == 1
            else (sum(k < v for k in known) + (sum(k == v for k in known) - 1) / 2) / (len(known) - 1)
        )
        for v in values.tolist()
    ]


@given(NUMBERS)
def test_rank_equals_its_naive_twin(values: F64) -> None:
    assert rank(values.astype(np.float64)).tolist() == pytest.approx(naive_rank(values), nan_ok=True)


@given(NUMBERS, st.randoms())
def test_order_of_symbols_changes_nothing(values: F64, random: object) -> None:
    values = values.astype(np.float64)
    order = np.random.default_rng(1).permutation(len(values))
    groups = np.arange(len(values)) % 2
    for of in (rank, robust_z):
        assert np.array_equal(of(values)[order], of(values[order]), equal_nan=True)
    for within in (minus_group_median, rank_in_group):
        assert np.array_equal(within(values, groups)[order], within(values[order], groups[order]), equal_nan=True)


@given(NUMBERS)
def test_rows_of_a_history_are_ranked_one_by_one(values: F64) -> None:
    values = values.astype(np.float64)
    groups = np.zeros(len(values), np.intp)
    both = np.stack([values, -values])
    for of in (rank, robust_z):
        assert np.array_equal(of(both)[0], of(values), equal_nan=True)
    for within in (minus_group_median, rank_in_group):
        assert np.array_equal(within(both, groups)[1], within(-values, groups), equal_nan=True)


def test_robust_z_is_bounded_and_zero_where_nobody_differs() -> None:
    assert robust_z(np.array([1.0, 1.0, np.nan])).tolist() == pytest.approx([0.0, 0.0, math.nan], nan_ok=True)
    wild = robust_z(np.array([1.0, 2.0, 3.0, 1e9]))
    assert wild[-1] == 5.0
    assert wild[0] == pytest.approx((1.0 - 2.5) / (1.4826 * statistics.median([1.5, 0.5, 0.5, 1e9])))


def test_groups_unknown_or_too_small_have_no_middle() -> None:
    values = np.array([1.0, 2.0, 6.0, 4.0, 5.0, np.nan])
    groups = group_codes(("a", "a", "a", "", "b", "a"))
    assert minus_group_median(values, groups).tolist() == pytest.approx(
        [-1.0, 0.0, 4.0, math.nan, math.nan, math.nan], nan_ok=True
    )
    assert rank_in_group(values, groups)[:3].tolist() == [0.0, 0.5, 1.0]


def test_codes_do_not_depend_on_order_and_unknown_is_below_zero() -> None:
    assert group_codes(("b", "", "a", "b")).tolist() == [1, -1, 0, 1]
