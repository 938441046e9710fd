"""Conditions of the person: over factors, bars and indicators; unknown never matches; misspelt names are told."""

from __future__ import annotations

import numpy as np
import pytest
from tests.scan.markets import day_grid, make_bars

from tapeline.core.errors import BadInput
from tapeline.grid import indicators
from tapeline.ml.cross import group_codes
from tapeline.scan.where import matches

GRID = day_grid(make_bars())
NOBODY = group_codes(("",) * 8)


def test_indicators_bars_and_factors_are_found_by_name() -> None:
    rsi, close = indicators(GRID, ["rsi_14"])["rsi_14"], GRID.field("close")[-1]
    factor = {"mine": np.arange(8.0)}
    found = matches("rsi_14 < 50 and close > 40 or mine >= 6", factor, GRID, 90, NOBODY)
    assert found.tolist() == (((rsi < 50) & (close > 40)) | (np.arange(8) >= 6)).tolist()


def test_an_older_row_is_read_where_the_scan_is_older() -> None:
    close = GRID.field("close")[70]
    assert matches("close > 50", {}, GRID, 71, NOBODY).tolist() == (close > 50).tolist()
    assert not matches("close > 0", {}, GRID, 0, NOBODY).any()


def test_misspelt_name_is_told_with_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"'rsi14'.*nearest is 'rsi_14'"):
        matches("rsi14 < 30", {}, GRID, 90, NOBODY)
