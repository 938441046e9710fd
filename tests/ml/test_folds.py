"""Folds: no label reaches into what comes after, whatever the numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.errors import BadInput
from tapeline.ml.folds import purged_fold, walk_forward


@given(st.integers(100, 400), st.integers(1, 20), st.integers(0, 20), st.integers(0, 40))
def test_labels_end_before_the_next_part_begins(until: int, horizon: int, embargo: int, warm_up: int) -> None:
    try:
        fold = purged_fold(until, until + 9, horizon=horizon, embargo=embargo, warm_up=warm_up)
    except BadInput:
        return
    assert fold.train.start == warm_up
    assert fold.train[-1] + horizon + embargo < fold.valid.start
    assert fold.valid[-1] + horizon <= fold.until
    assert fold.until < fold.test.start


def test_every_session_after_the_first_fold_is_judged_once() -> None:
    folds = walk_forward(245, first=129, step=20, horizon=10, embargo=5, warm_up=64)
    assert [row for fold in folds for row in fold.test] == list(range(130, 245))
    assert [fold.until for fold in folds] == [129, 149, 169, 189, 209, 229]


def test_too_short_a_history_is_refused_with_the_numbers() -> None:
    with pytest.raises(BadInput, match="91 sessions are too few"):
        purged_fold(90, 91, horizon=10, embargo=5, warm_up=64)
