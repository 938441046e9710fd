"""An instrument is whole or not at all, and its identity is the contract."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from tapeline.core.instruments import BadSymbol, ExpiryBasis, Form, Instrument, InstrumentKind, Right, parse_symbol
from tapeline.core.instruments.model import exact, to_day


def test_half_an_option_cannot_be_made() -> None:
    option = parse_symbol("AAPL251219C00150000")
    for broken in ({"strike": None}, {"right": None}, {"expiry": None}):
        with pytest.raises(ValueError, match="nothing else"):
            replace(option, **broken)  # type: ignore[arg-type]


@pytest.mark.parametrize("extra", [{"strike": Decimal(1), "right": Right.PUT}, {"expiry": dt.date(2025, 1, 1)}])
def test_a_share_has_no_terms_of_a_contract(extra: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="nothing else"):
        Instrument(InstrumentKind.EQUITY, "A", "A", "US", **extra)  # type: ignore[arg-type]


def test_how_a_contract_became_known_is_not_its_identity() -> None:
    option = parse_symbol("NFO:NIFTY25NOV24000CE")
    other = replace(option, lot_size=75, expiry_basis=ExpiryBasis.FILE, form=Form.KITE_BARE, delivery=None)
    assert other == option
    assert hash(other) == hash(option)
    assert replace(option, strike=Decimal(24100)) != option


@pytest.mark.parametrize(
    ("text", "written"), [("88.250", "88.25"), ("24000", "24000"), ("1E+3", "1000"), ("0.5", "0.5")]
)
def test_a_strike_is_written_one_way(text: str, written: str) -> None:
    assert str(exact(text)) == written


def test_a_day_that_is_not_in_the_calendar_is_refused() -> None:
    with pytest.raises(BadSymbol, match="no day 2025-02-29"):
        to_day("X", 2025, 2, 29)
