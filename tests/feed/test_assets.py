"""The list of what is traded, and what changed since yesterday."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapeline.core.errors import DataError
from tapeline.feed.assets import Changes, compare_assets, read_assets, write_assets
from tapeline.feed.vendors.alpaca import Asset


def _asset(symbol: str, *, tradable: bool = True, number: str = "") -> Asset:
    return Asset(symbol, "NYSE", "active", tradable, id=number)


def test_every_kind_of_change_is_told() -> None:
    before = [
        _asset("A"),
        _asset("B"),
        _asset("C", tradable=False),
        _asset("FB", number="7"),
        _asset("GONE", number="8"),
    ]
    now = [_asset("A"), _asset("B", tradable=False), _asset("C"), _asset("META", number="7"), _asset("NEW", number="9")]
    assert compare_assets(before, now) == Changes(("NEW",), ("GONE",), ("B",), ("C",), (("FB", "META"),))


def test_the_first_list_is_no_news_and_the_same_one_neither() -> None:
    assert not compare_assets([], [_asset("A")])
    assert not compare_assets([_asset("A")], [_asset("A")])


def test_the_list_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "market" / "assets.json"
    assert read_assets(path) == ()
    write_assets(path, [_asset("A", number="7")])
    assert read_assets(path) == (_asset("A", number="7"),)
    path.write_text("[{", encoding="utf-8")
    with pytest.raises(DataError, match=r"is damaged .* remove it and sync again"):
        read_assets(path)
