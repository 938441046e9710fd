"""American spellings: shares and their classes, OCC options, indices, futures; each read back as it was written."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.errors import BadInput
from tapeline.core.instruments import (
    BadSymbol,
    ExpiryBasis,
    Form,
    InstrumentKind,
    Right,
    format_symbol,
    future_symbol,
    occ_symbol,
    parse_symbol,
)
from tapeline.core.instruments.tables import FUTURES

DAYS = st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31))
ROOTS = st.from_regex(r"\A(?:[A-Z]{1,5}[0-9]?|[A-Z]{6})\Z")
STRIKES = st.integers(1, 10**8 - 1).map(lambda thousandths: Decimal(thousandths) / 1000)


@pytest.mark.parametrize(
    ("text", "form"),
    [("BRK.B", Form.DOT), ("BRK-B", Form.DASH), ("BRK/B", Form.SLASH), ("BRKB", Form.JOINED)],
)
def test_a_share_class_is_one_share_in_every_spelling(text: str, form: Form) -> None:
    share = parse_symbol(text)
    assert (share.kind, share.symbol, share.underlying, share.exchange) == ("equity", "BRK.B", "BRK.B", "US")
    assert share.form is form
    assert share == parse_symbol("BRK.B")
    assert format_symbol(share, form) == text


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("BAC-PL", "BAC.PRL"),
        ("BACpL", "BAC.PRL"),
        ("BAC/PRL", "BAC.PRL"),
        ("AAA-UN", "AAA.U"),
        ("AAA-WT", "AAA.WS"),
        ("AAA-RI", "AAA.RT"),
        ("AAA.WI", "AAA.WI"),
    ],
)
def test_preferreds_units_warrants_and_rights_have_one_canonical_symbol(text: str, symbol: str) -> None:
    assert parse_symbol(text).symbol == symbol


@pytest.mark.parametrize("text", ["BAC.PL", "BAC/UN", "BRK.BB", "ABCDEF", "RELIANCE", "A1", "BRK.", ".B", "AT&T"])
def test_what_has_no_share_s_shape_is_refused(text: str) -> None:
    with pytest.raises(BadSymbol):
        parse_symbol(text)


@given(
    base=st.from_regex(r"\A[A-Z]{1,5}\Z"),
    suffix=st.sampled_from(["", ".A", ".B", ".K", ".U", ".WS", ".RT", ".WI", ".PR", ".PRA", ".PRZ"]),
    form=st.sampled_from([Form.DOT, Form.DASH, Form.SLASH, Form.MASSIVE, Form.YAHOO]),
)
def test_every_share_reads_back_from_every_form(base: str, suffix: str, form: Form) -> None:
    share = parse_symbol(base + suffix)
    text = format_symbol(share, form)
    assert parse_symbol(text) == share


def test_an_option_in_both_lengths_and_with_massive_s_prefix_is_one_option() -> None:
    padded = parse_symbol("AAPL  251219C00150000")
    assert padded.kind is InstrumentKind.OPTION
    assert (padded.symbol, padded.underlying, padded.root) == ("AAPL251219C00150000", "AAPL", "AAPL")
    assert (padded.expiry, padded.expiry_basis) == (dt.date(2025, 12, 19), ExpiryBasis.WRITTEN)
    assert (padded.strike, padded.right, padded.multiplier) == (Decimal(150), Right.CALL, 100)
    assert padded.form is Form.OCC_PADDED
    assert padded == parse_symbol("AAPL251219C00150000") == parse_symbol("O:AAPL251219C00150000")


@given(
    root=ROOTS,
    day=DAYS,
    right=st.sampled_from(Right),
    strike=STRIKES,
    form=st.sampled_from([Form.OCC_COMPACT, Form.OCC_PADDED, Form.MASSIVE]),
)
def test_every_option_reads_back_with_its_fields(
    root: str, day: dt.date, right: Right, strike: Decimal, form: Form
) -> None:
    option = parse_symbol(occ_symbol(root, day, right, strike))
    assert (option.root, option.expiry, option.right, option.strike) == (root, day, right, strike)
    again = parse_symbol(format_symbol(option, form))
    assert again == option
    assert format_symbol(again, again.form) == format_symbol(option, form)


def test_an_adjusted_root_belongs_to_its_share_and_its_deliverable_is_not_made_up() -> None:
    option = parse_symbol("AAPL1 251219C00150000")
    assert (option.underlying, option.root, option.multiplier, option.is_adjusted) == ("AAPL", "AAPL1", None, True)


def test_a_mini_stands_for_ten_shares_and_is_not_adjusted() -> None:
    option = parse_symbol("AAPL7 130419C00450000")
    assert (option.underlying, option.multiplier, option.is_adjusted) == ("AAPL", 10, False)
    assert parse_symbol("MSFT7130419C00450000").is_adjusted


@pytest.mark.parametrize(
    ("root", "underlying"),
    [("SPXW", "SPX"), ("SPX", "SPX"), ("NDXP", "NDX"), ("RUTW", "RUT"), ("VIXW", "VIX"), ("BRKB", "BRK.B")],
)
def test_weeklies_and_classes_know_their_underlying(root: str, underlying: str) -> None:
    assert parse_symbol(f"{root}251219P00500000").underlying == underlying


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("AAPL250230C00150000", "no day 2025-02-30"),
        ("AAPL251219C00000000", "above zero"),
        ("AAPL 251219C00150000", "6 characters"),
        ("O:AAPL  251219C00150000", "without spaces"),
        ("O:AAPL", "no option"),
        ("AAPL251219X00150000", "shape"),
        ("AAPL251219C0015000", "shape"),
    ],
)
def test_a_broken_option_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(BadSymbol, match=reason):
        parse_symbol(text)


@pytest.mark.parametrize("strike", ["0.0005", "100000", "0", "-1"])
def test_a_strike_that_the_format_cannot_hold_is_refused(strike: str) -> None:
    with pytest.raises(BadInput, match="no room"):
        occ_symbol("AAPL", dt.date(2025, 12, 19), Right.CALL, Decimal(strike))


@pytest.mark.parametrize("text", ["SPX", "^GSPC", "^SPX", "I:SPX"])
def test_an_index_is_no_share(text: str) -> None:
    index = parse_symbol(text)
    assert (index.kind, index.symbol, index.underlying) == ("index", "I:SPX", "SPX")


def test_an_index_that_shares_a_ticker_with_a_stock_keeps_its_prefix() -> None:
    assert parse_symbol("^IXIC").symbol == "I:COMP"
    assert parse_symbol("COMP").kind is InstrumentKind.EQUITY
    with pytest.raises(BadInput, match="no spelling"):
        format_symbol(parse_symbol("^IXIC"), Form.PLAIN)
    assert format_symbol(parse_symbol("I:COMP"), Form.YAHOO) == "^IXIC"


@pytest.mark.parametrize("text", ["^FOO", "I:", "I:S P"])
def test_an_unknown_index_is_refused(text: str) -> None:
    with pytest.raises(BadSymbol):
        parse_symbol(text)


def test_a_future_names_its_product_month_and_size() -> None:
    future = parse_symbol("ESZ25")
    assert (future.kind, future.symbol, future.underlying) == ("future", "ESZ25", "ES")
    assert (future.exchange, future.multiplier) == ("CME", 50)
    assert (future.delivery, future.expiry) == (dt.date(2025, 12, 1), dt.date(2025, 12, 19))


def test_a_year_of_one_digit_lies_in_the_twenties_or_counts_from_the_day_given() -> None:
    assert parse_symbol("ESZ5") == parse_symbol("ESZ25")
    assert parse_symbol("ESZ5", today=dt.date(2025, 12, 31)).symbol == "ESZ25"
    assert parse_symbol("ESZ5", today=dt.date(2026, 1, 1)).symbol == "ESZ35"
    assert parse_symbol("ESZ5", today=dt.date(2010, 5, 6)).symbol == "ESZ15"


def test_a_future_whose_rule_is_not_known_has_a_month_and_no_made_up_day() -> None:
    crude = parse_symbol("CLF26")
    assert (crude.delivery, crude.expiry) == (dt.date(2026, 1, 1), None)
    assert crude.expiry_basis is ExpiryBasis.UNKNOWN


def test_a_futures_root_that_nobody_lists_is_refused() -> None:
    with pytest.raises(BadSymbol, match="no futures root FOO"):
        parse_symbol("FOOZ5")


@given(
    root=st.sampled_from(sorted(FUTURES)),
    month=st.integers(1, 12),
    year=st.integers(2009, 2027),
    form=st.sampled_from([Form.YEAR_1, Form.YEAR_2]),
)
def test_every_future_reads_back(root: str, month: int, year: int, form: Form) -> None:
    delivery = dt.date(year, month, 1)
    future = parse_symbol(future_symbol(root, delivery))
    assert (future.root, future.delivery) == (root, delivery)
    assert parse_symbol(format_symbol(future, form), today=delivery) == future
