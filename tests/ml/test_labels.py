"""Labels: what could have been earned, from the next open on."""

from __future__ import annotations

import numpy as np
import pytest

from tapeline.ml.labels import cross_sectional, forward_return

OPENS = np.array([[1.0], [2.0], [4.0], [5.0]])
CLOSES = np.array([[1.5], [3.0], [np.nan], [10.0]])


def test_return_is_from_the_next_open_to_the_close_of_the_horizon() -> None:
    assert forward_return(OPENS, CLOSES, 1)[:, 0].tolist() == pytest.approx([0.5, np.nan, 1.0, np.nan], nan_ok=True)
    assert forward_return(OPENS, CLOSES, 3)[:, 0].tolist() == pytest.approx([4.0, np.nan, np.nan, np.nan], nan_ok=True)


def test_horizon_beyond_the_history_is_unknown() -> None:
    assert np.isnan(forward_return(OPENS, CLOSES, 4)).all()


def test_ranks_are_around_zero_each_day() -> None:
    ranked = cross_sectional(np.array([[1.0, 2.0, 3.0], [np.nan, 5.0, 4.0]]))
    assert ranked == pytest.approx(np.array([[-0.5, 0.0, 0.5], [np.nan, 0.5, -0.5]]), nan_ok=True)
