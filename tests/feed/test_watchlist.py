"""The watchlist: what a person wrote, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapeline.core.errors import BadInput
from tapeline.feed.watchlist import WatchedList, read_symbols, read_watchlist, write_watchlist


def test_a_list_comes_back_sorted_and_no_file_is_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "home" / "watchlist.txt"
    assert read_watchlist(path) == ()
    assert write_watchlist(path, ["MSFT", "AAPL", "MSFT"]) == ("AAPL", "MSFT")
    assert read_watchlist(path) == ("AAPL", "MSFT")


@pytest.mark.parametrize("symbol", ["", "A B", "A,B", "Ä"])
def test_what_cannot_be_a_symbol_is_refused_and_the_list_stays(tmp_path: Path, symbol: str) -> None:
    path = tmp_path / "watchlist.txt"
    write_watchlist(path, ["AAPL"])
    with pytest.raises(BadInput, match="cannot be a symbol"):
        write_watchlist(path, ["AAPL", symbol])
    assert read_watchlist(path) == ("AAPL",)


def test_a_column_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text('\ufeffSymbol,Name\naapl,Apple\n\n"BRK.B";Berkshire\n# a remark\nIBM # another\n', encoding="utf-8")
    assert read_symbols(path) == ("AAPL", "BRK.B", "IBM")


def test_a_bad_line_is_named_and_so_is_a_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("AAPL\nÄÖ\n", encoding="utf-8")
    with pytest.raises(BadInput, match=r"line 2 of .*cannot be a symbol"):
        read_symbols(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="is no text"):
        read_symbols(path)
    with pytest.raises(BadInput, match="No such file"):
        read_symbols(tmp_path / "absent")


def test_a_change_on_disk_is_told_once(tmp_path: Path) -> None:
    path = tmp_path / "watchlist.txt"
    watched = WatchedList(path)
    assert watched() is None
    write_watchlist(path, ["AAPL"])
    assert watched() == ("AAPL",)
    assert watched() is None
    write_watchlist(path, [])
    assert watched() is None  # an empty list is no list to poll
