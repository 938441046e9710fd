"""The contract: named, ordered, hashed; blind to the future, to price levels, to the order of symbols."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.ml.made import N_BARS, history, sector_codes

from tapeline.core.types import F64
from tapeline.grid import BarGrid
from tapeline.ml.features import CONTRACT, Contract, feature_history, feature_matrix


def scaled(grid: BarGrid, factor: F64) -> BarGrid:
    """Return the grid with each symbol's prices multiplied and its volume divided."""
    return rebuilt(grid, slice(None), factor)


def rebuilt(grid: BarGrid, rows: slice, factor: F64 | float = 1.0) -> BarGrid:
    return BarGrid.from_arrays(
        grid.symbols,
        grid.event_ns[rows],
        open=grid.field("open")[rows] * factor,
        high=grid.field("high")[rows] * factor,
        low=grid.field("low")[rows] * factor,
        close=grid.field("close")[rows] * factor,
        volume=grid.field("volume")[rows] / factor,
    )


def test_there_are_sixty_features_or_more_each_named_once() -> None:
    assert len(CONTRACT.names) >= 60
    assert len(set(CONTRACT.names)) == len(CONTRACT.names)


def test_a_full_history_knows_every_feature_and_a_short_one_leaves_nan() -> None:
    grid = history().grid
    assert np.isfinite(feature_matrix(grid, sector_codes(), N_BARS)).all()
    young = feature_matrix(grid, sector_codes(), CONTRACT.bars - 1)
    assert np.isnan(young[:, CONTRACT.names.index("roc_126")]).all()
    assert np.isfinite(young[:, CONTRACT.names.index("roc_1")]).all()
    assert np.isnan(feature_matrix(grid, sector_codes(), 0)).all()


def test_last_row_equals_that_row_of_the_history_and_of_a_shorter_grid() -> None:
    grid = history().grid
    every = feature_history(grid, sector_codes())
    for n_rows in (N_BARS, 140):
        assert np.array_equal(feature_matrix(grid, sector_codes(), n_rows), every[n_rows - 1], equal_nan=True)
    cut = rebuilt(grid, slice(0, 140))
    assert np.array_equal(feature_matrix(cut, sector_codes(), 140), every[139], equal_nan=True)


def test_prices_in_other_units_make_the_same_features() -> None:
    grid = history().grid
    factor = np.where(np.arange(len(grid.symbols)) % 3 == 0, 8.0, 1.0)
    one, other = (feature_matrix(each, sector_codes(), N_BARS) for each in (grid, scaled(grid, factor)))
    assert other == pytest.approx(one, rel=2e-4, abs=2e-4)


def test_another_contract_has_another_hash_and_a_difference_in_words() -> None:
    first, second, *rest = CONTRACT.definitions
    assert CONTRACT.difference(Contract(CONTRACT.definitions)) == ""
    cases = {
        "it lacks roc_1": Contract((second, *rest)),
        "it adds new": Contract((*CONTRACT.definitions, ("new", "roc_2"))),
        "defined otherwise roc_1": Contract((("roc_1", "roc_2"), second, *rest)),
        "the order differs from roc_1": Contract((second, first, *rest)),
        "version 9, not 1": replace(CONTRACT, version=9),
    }
    for says, other in cases.items():
        assert other.digest != CONTRACT.digest
        assert says in CONTRACT.difference(other)
    assert Contract(CONTRACT.definitions).digest == CONTRACT.digest
