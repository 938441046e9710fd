"""Panels on disk: what goes out comes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.kernels.market import grid_of, random_panel

from tapeline.core.errors import BadArgument, DataError
from tapeline.core.types import BAR_FIELDS
from tapeline.grid.panels import from_arrow, open_mapped, read_parquet, to_arrow, write_mapped, write_parquet


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


def test_mapped_panel_is_one_file_that_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "panel"
    write_mapped(grid_of(random_panel(30, 5)), file)
    old = open_mapped(file)
    before = old.field("close").copy()
    write_mapped(grid_of(random_panel(20, 7, seed=2)), str(file))
    assert [each.name for each in tmp_path.iterdir()] == ["panel"]
    assert (len(open_mapped(file).symbols), open_mapped(file).fields.shape) == (7, (7, 20, 7))
    np.testing.assert_array_equal(old.field("close"), before)


def test_files_that_are_no_panels_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"not parquet")
    write_mapped(grid_of(random_panel(30, 5)), tmp_path / "cut")
    (tmp_path / "cut").write_bytes((tmp_path / "cut").read_bytes()[:-8])
    table = to_arrow(grid_of(random_panel(3, 2)))
    stranger = pa.array(["S0", "S1", "Z", "S1", "S0", "S1"])
    for wrong, reason in (
        (lambda: read_parquet(tmp_path / "x"), "no panel"),
        (lambda: read_parquet(tmp_path / "absent"), "there is no file"),
        (lambda: open_mapped(tmp_path / "x"), "no mapped panel"),
        (lambda: open_mapped(tmp_path / "absent"), "there is no file"),
        (lambda: open_mapped(tmp_path / "cut"), "no whole mapped panel"),
        (lambda: write_parquet(grid_of(random_panel(3, 2)), tmp_path / "no" / "folder"), "there is no folder"),
        (lambda: from_arrow(pa.table({"symbol": ["A"]})), "not a panel"),
        (lambda: from_arrow(table.set_column(0, "symbol", stranger)), "row 2"),
    ):
        with pytest.raises(DataError, match=reason):
            wrong()
    with pytest.raises(BadArgument, match="no field 'Close'"):
        write_mapped(grid_of(random_panel(3, 2)), tmp_path / "good")
        open_mapped(tmp_path / "good").field("Close")
