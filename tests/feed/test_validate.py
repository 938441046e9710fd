"""Symbols are checked against the vendor's list before anyone polls them."""

from __future__ import annotations

from tapeline.feed.validate import sort_out_symbols
from tapeline.feed.vendors.alpaca import Asset


def _asset(symbol: str, status: str = "active", *, tradable: bool = True) -> Asset:
    return Asset(symbol, "NYSE", status, tradable)


def test_the_unknown_and_the_delisted_are_named_with_the_reason_and_the_rest_is_polled() -> None:
    assets = [_asset("A"), _asset("B", "inactive"), _asset("C", tradable=False)]
    good, refused = sort_out_symbols(["C", "B", "A", "A", "Z"], assets)
    assert good == ("A", "C")
    assert refused == (("B", "the vendor lists it as inactive"), ("Z", "the vendor lists no such stock"))
