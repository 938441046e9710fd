"""Kite's spellings: the year before the month, weeklies at fixed width, & and -, decimal strikes, exchanges."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.errors import BadInput
from tapeline.core.instruments import (
    AmbiguousSymbol,
    BadSymbol,
    ExpiryBasis,
    Form,
    InstrumentKind,
    Right,
    format_symbol,
    india,
    kite_symbol,
    parse_symbol,
)

STRIKES = st.integers(1, 99_999_999).map(lambda hundredths: Decimal(hundredths) / 100)
WEEKDAYS = st.dates(dt.date(2016, 1, 1), dt.date(2049, 12, 31)).filter(lambda day: day.weekday() < 5)


@pytest.mark.parametrize("text", ["NFO:NIFTY25NOV24000CE", "NIFTY25NOV24000CE", "NFONIFTY25NOV24000CE"])
def test_the_two_digits_of_a_monthly_contract_are_the_year(text: str) -> None:
    option = parse_symbol(text)
    assert (option.kind, option.symbol) == ("option", "NFO:NIFTY25NOV24000CE")
    assert (option.underlying, option.exchange) == ("NIFTY", "NFO")
    assert (option.strike, option.right) == (Decimal(24000), Right.CALL)
    assert (option.delivery, option.expiry) == (dt.date(2025, 11, 1), dt.date(2025, 11, 25))
    assert option.expiry_basis is ExpiryBasis.STAND_IN
    assert format_symbol(option, option.form) == text


@pytest.mark.parametrize(
    ("text", "name", "expiry", "strike"),
    [
        ("NIFTY25N1124000CE", "NIFTY", "2025-11-11", "24000"),
        ("NFO:NIFTY20D1713600CE", "NIFTY", "2020-12-17", "13600"),
        ("BANKNIFTY2413137500CE", "BANKNIFTY", "2024-01-31", "37500"),
        ("NIFTY25O0725000PE", "NIFTY", "2025-10-07", "25000"),
        ("BFO:SENSEX2590480000PE", "SENSEX", "2025-09-04", "80000"),
        ("CDS:USDINR2590588.25CE", "USDINR", "2025-09-05", "88.25"),
    ],
)
def test_a_weekly_is_cut_at_fixed_width(text: str, name: str, expiry: str, strike: str) -> None:
    option = parse_symbol(text)
    assert (option.underlying, option.expiry, option.delivery) == (name, dt.date.fromisoformat(expiry), None)
    assert (option.strike, option.expiry_basis) == (Decimal(strike), ExpiryBasis.WRITTEN)


@pytest.mark.parametrize(
    ("text", "symbol", "underlying"),
    [
        ("NFO:M&M25NOV3000CE", "NFO:M&M25NOV3000CE", "M&M"),
        ("BAJAJ-AUTO25NOV9000PE", "NFO:BAJAJ-AUTO25NOV9000PE", "BAJAJ-AUTO"),
        ("NFO:ITC25NOV412.5CE", "NFO:ITC25NOV412.5CE", "ITC"),
        ("NFO:ITC25NOV412.50CE", "NFO:ITC25NOV412.5CE", "ITC"),
        ("360ONE25NOV1000CE", "NFO:360ONE25NOV1000CE", "360ONE"),
        ("NIFTYNXT5025NOV60000CE", "NFO:NIFTYNXT5025NOV60000CE", "NIFTYNXT50"),
        ("SENSEX5025NOV27000CE", "BFO:SENSEX5025NOV27000CE", "SENSEX50"),
        ("MAR25MARFUT", "NFO:MAR25MARFUT", "MAR"),
    ],
)
def test_names_with_signs_digits_and_months_in_them(text: str, symbol: str, underlying: str) -> None:
    contract = parse_symbol(text)
    assert (contract.symbol, contract.underlying) == (symbol, underlying)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("GOLD25DECFUT", "MCX:GOLD25DECFUT"),
        ("MCXGOLD25DECFUT", "MCX:GOLD25DECFUT"),
        ("USDINR25NOV88.25CE", "CDS:USDINR25NOV88.25CE"),
        ("CDSUSDINR25NOVFUT", "CDS:USDINR25NOVFUT"),
        ("SENSEX25NOV85000CE", "BFO:SENSEX25NOV85000CE"),
        ("BFO:RELIANCE25NOV1400CE", "BFO:RELIANCE25NOV1400CE"),
        ("MCX25NOV8000CE", "NFO:MCX25NOV8000CE"),
        ("BSE25NOV2500CE", "NFO:BSE25NOV2500CE"),
        ("CDSL25NOV1500CE", "NFO:CDSL25NOV1500CE"),
        ("MCX:NEWMETAL25DECFUT", "MCX:NEWMETAL25DECFUT"),
    ],
)
def test_a_contract_is_at_home_where_its_name_is(text: str, symbol: str) -> None:
    assert parse_symbol(text).symbol == symbol


@pytest.mark.parametrize(
    ("text", "symbol", "underlying", "kind"),
    [
        ("NIFTY 50", "NSE:NIFTY 50", "NIFTY", InstrumentKind.INDEX),
        ("NSE:NIFTY 50", "NSE:NIFTY 50", "NIFTY", InstrumentKind.INDEX),
        ("NIFTY", "NSE:NIFTY 50", "NIFTY", InstrumentKind.INDEX),
        ("NSE:NIFTY", "NSE:NIFTY 50", "NIFTY", InstrumentKind.INDEX),
        ("^NSEI", "NSE:NIFTY 50", "NIFTY", InstrumentKind.INDEX),
        ("NSE:NIFTY BANK", "NSE:NIFTY BANK", "BANKNIFTY", InstrumentKind.INDEX),
        ("NSE:NIFTY MIDCAP 100", "NSE:NIFTY MIDCAP 100", "NIFTY MIDCAP 100", InstrumentKind.INDEX),
        ("BSE:SENSEX", "BSE:SENSEX", "SENSEX", InstrumentKind.INDEX),
        ("NSE:RELIANCE", "NSE:RELIANCE", "RELIANCE", InstrumentKind.EQUITY),
        ("BSE:500325", "BSE:500325", "500325", InstrumentKind.EQUITY),
        ("NSE:M&M", "NSE:M&M", "M&M", InstrumentKind.EQUITY),
        ("M&M", "NSE:M&M", "M&M", InstrumentKind.EQUITY),
        ("BAJAJ-AUTO", "NSE:BAJAJ-AUTO", "BAJAJ-AUTO", InstrumentKind.EQUITY),
        ("NSE:NSEIL", "NSE:NSEIL", "NSEIL", InstrumentKind.EQUITY),
    ],
)
def test_stocks_and_indices(text: str, symbol: str, underlying: str, kind: InstrumentKind) -> None:
    found = parse_symbol(text)
    assert (found.symbol, found.underlying, found.kind) == (symbol, underlying, kind)


def test_the_same_ticker_in_bombay_and_new_york_is_two_instruments() -> None:
    assert parse_symbol("NSE:TCS") != parse_symbol("TCS")
    assert format_symbol(parse_symbol("NSE:TCS")) == "NSE:TCS"
    with pytest.raises(BadInput, match="names something else"):
        format_symbol(parse_symbol("NSE:TCS"), Form.KITE_BARE)
    with pytest.raises(BadInput, match="names something else"):
        format_symbol(parse_symbol("BFO:RELIANCE25NOV1400CE"), Form.KITE_BARE)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NFO:GOLD25DECFUT", "trade on MCX"),
        ("NFO:SENSEX25NOV85000CE", "trade on BFO"),
        ("NFO:USDINR25NOVFUT", "trade on CDS"),
        ("CDS:NIFTY25NOVFUT", "trade on NFO"),
        ("MCX:SENSEX25NOVFUT", "trade on BFO"),
        ("NSE:NIFTY25NOV24000CE", "not on NSE"),
        ("NSE:RELIANCE25NOVFUT", "not on NSE"),
        ("NSE:SENSEX", "belongs to BSE"),
        ("NSE:FOO BAR", "no name"),
        ("NFO:NIFTY", "no contract"),
        ("NFO:NIFTY25XYZ100CE", "no contract"),
        ("RELIANCE25N1124000CE", "only indices have weeklies"),
        ("NIFTY25N3124000CE", "no day 2025-11-31"),
        ("NIFTY25N0824000CE", "Saturday"),
        ("NIFTY25N11024000CE", "no strike"),
        ("NIFTY25NOV0CE", "no strike"),
        ("NIFTY25NOV2524000CE", "too large"),
        ("NIFTY25NOV1000000000CE", "ends like a contract"),
        ("NIFTY85NOV24000CE", "too far away"),
    ],
)
def test_a_contract_that_cannot_be_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(BadSymbol, match=reason):
        parse_symbol(text)


def test_a_weekly_that_two_names_could_own_is_ambiguous(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(india, "WEEKLY_NAMES", ("ABC", "ABC25"))
    with pytest.raises(AmbiguousSymbol, match="ABC expiring 2025-02-05 or ABC25 expiring 2020-05-20"):
        parse_symbol("ABC2520520500CE")


@given(
    name=st.from_regex(r"\A[A-Z][A-Z&-]{0,12}[A-Z]\Z").filter(
        lambda name: name[:3] not in ("NFO", "BFO", "MCX", "CDS")
    ),
    year=st.integers(2001, 2026),
    month=st.integers(1, 12),
    strike=st.none() | STRIKES,
    right=st.sampled_from(Right),
)
def test_every_monthly_contract_reads_back_with_its_fields(
    name: str, year: int, month: int, strike: Decimal | None, right: Right
) -> None:
    delivery = dt.date(year, month, 1)
    text = kite_symbol(name, delivery=delivery, strike=strike, right=right)
    contract = parse_symbol(text)
    assert (contract.underlying, contract.delivery, contract.strike) == (name, delivery, strike)
    assert contract.right == (None if strike is None else right)
    for form in (Form.KITE, Form.KITE_BARE, Form.KITE_JOINED):
        assert parse_symbol(format_symbol(contract, form)) == contract


@given(
    name=st.sampled_from(["NIFTY", "BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "SENSEX", "BANKEX", "SENSEX50", "USDINR"]),
    day=WEEKDAYS,
    strike=STRIKES,
    right=st.sampled_from(Right),
)
def test_every_weekly_reads_back_with_its_fields(name: str, day: dt.date, strike: Decimal, right: Right) -> None:
    text = kite_symbol(name, expiry=day, strike=strike, right=right)
    option = parse_symbol(text)
    assert (option.underlying, option.expiry, option.strike, option.right) == (name, day, strike, right)
    assert parse_symbol(option.symbol) == option


def test_a_contract_needs_a_month_or_a_day() -> None:
    with pytest.raises(ValueError, match="month or a day"):
        kite_symbol("NIFTY")
