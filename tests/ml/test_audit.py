"""The audit finds nothing where there is nothing, and a planted peek of one bar at once."""

from __future__ import annotations

import numpy as np
import pytest
from tests.ml.made import history, sector_codes

from tapeline.core.errors import BadInput
from tapeline.grid import BarGrid
from tapeline.ml.audit import audit_lookahead
from tapeline.ml.features import CONTRACT, F32, feature_history


def honest(grid: BarGrid) -> F32:
    return feature_history(grid, sector_codes())


def with_a_peek(grid: BarGrid) -> F32:
    """Return honest features, but one of them is tomorrow's."""
    features = honest(grid)
    at = CONTRACT.names.index("roc_5")
    features[:-1, :, at] = features[1:, :, at]
    return features


def test_no_feature_of_the_contract_knows_the_future() -> None:
    found = audit_lookahead(history().grid, honest, CONTRACT.names, [100, 150], 1)
    assert found.peeks == ()
    assert found.cells == (101 + 151) * 40 * len(CONTRACT.names)


def test_a_peek_of_one_bar_is_caught_by_name() -> None:
    found = audit_lookahead(history().grid, with_a_peek, CONTRACT.names, [120], 1)
    assert [peek.feature for peek in found.peeks] == ["roc_5"]
    assert 0 < found.peeks[0].cells <= len(history().grid.symbols)


@pytest.mark.parametrize("rows", [[], [229], [-1]])
def test_moment_without_a_future_is_refused(rows: list[int]) -> None:
    with pytest.raises(BadInput, match="something has to come after"):
        audit_lookahead(history().grid, honest, CONTRACT.names, rows, 1)


def test_grid_is_left_as_it_was() -> None:
    grid = history().grid
    before = np.array(grid.field("close"))
    audit_lookahead(grid, honest, CONTRACT.names, [150], 1)
    assert np.array_equal(grid.field("close"), before)
