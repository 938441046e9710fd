"""Panels on disk: what goes out comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.kernels.market import grid_of, random_panel

from tapeline.core.errors import DataError
from tapeline.core.types import BAR_FIELDS
from tapeline.grid.panels import from_arrow, open_mapped, read_parquet, write_mapped, write_parquet


def test_parquet_keeps_every_bit_of_every_bar(tmp_path: Path) -> None:
    grid = grid_of(random_panel(30, 5, gaps=0.2))
    write_parquet(grid, tmp_path / "panel.parquet")
    back = read_parquet(tmp_path / "panel.parquet")
    assert (back.symbols, back.timeframe_s) == (grid.symbols, grid.timeframe_s)
    for name in BAR_FIELDS:
        np.testing.assert_array_equal(back.field(name), grid.field(name))


def test_mapped_panel_shows_the_same_bars_read_only(tmp_path: Path) -> None:
    grid = grid_of(random_panel(30, 5, gaps=0.2))
    write_mapped(grid, tmp_path / "panel.npy")
    panel = open_mapped(tmp_path / "panel.npy")
    np.testing.assert_array_equal(panel.field("close"), grid.field("close"))
    np.testing.assert_array_equal(panel.event_ns, grid.event_ns)
    assert not panel.field("close").flags.writeable


def test_files_that_are_no_panels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"not parquet")
    with pytest.raises(DataError):
        read_parquet(tmp_path / "x")
    with pytest.raises(DataError):
        open_mapped(tmp_path / "x")
    with pytest.raises(DataError):
        from_arrow(pa.table({"symbol": ["A"]}))
