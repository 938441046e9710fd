"""The whole grammar: every text is an instrument that reads back or a typed refusal, and lanes hold together."""

from __future__ import annotations

import datetime as dt
import pickle
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tapeline.core.errors import BadInput
from tapeline.core.instruments import (
    AmbiguousSymbol,
    BadSymbol,
    Form,
    InstrumentBook,
    format_symbol,
    parse_symbol,
    spot_symbol,
    underlying_of,
)

PIECES = st.sampled_from(
    [
        *(
            "A",
            "AAPL",
            "BRK",
            "NIFTY",
            "SENSEX50",
            "M&M",
            "USD",
            "BTC",
            "ES",
            "Z",
            "25",
            "5",
            "NOV",
            "N11",
            "24000",
            "CE",
        ),
        *(
            "FUT",
            "C00150000",
            "251219",
            ":",
            "NFO",
            "NSE",
            "O",
            "X",
            "I",
            "^",
            " ",
            "-",
            ".",
            "/",
            "=X",
            "p",
            "0",
            "é",
            "\n",
        ),
    ]
)


@given(st.lists(PIECES, max_size=7).map("".join))
@example("")
@example("\ud800")
@example("A" * 10_000)
def test_any_text_is_an_instrument_that_reads_back_or_is_refused_with_a_reason(text: str) -> None:
    try:
        found = parse_symbol(text)
    except BadSymbol as error:
        refused = error
    else:
        assert parse_symbol(found.symbol) == found
        assert underlying_of(text) == underlying_of(found.symbol) == found.underlying
        return
    assert refused.reason
    assert underlying_of(text) == text


@given(st.text(max_size=12))
def test_the_underlying_of_any_text_is_told(text: str) -> None:
    assert isinstance(underlying_of(text), str)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "1 to 40"),
        ("A" * 41, "1 to 40"),
        ("A\n", "printable"),
        ("AAPL ", "spaces around"),
        ("aapl", "capitals"),
        ("RELIANCE", "write NSE:NAME"),
        ("ES=F", "no contract"),
        ("NASDAQ:AAPL", "prefix NASDAQ is not known"),
        ("???", "shape"),
    ],
)
def test_unknown_text_gets_a_reason(text: str, reason: str) -> None:
    with pytest.raises(BadSymbol, match=reason) as caught:
        parse_symbol(text)
    assert isinstance(caught.value, BadInput)
    assert caught.value.exit_code == 2


def test_a_refusal_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(AmbiguousSymbol("X", "A or B")))
    assert (type(error), error.text, error.reason) == (AmbiguousSymbol, "X", "A or B")


@pytest.mark.parametrize(
    ("derivative", "underlying"),
    [
        ("AAPL251219C00150000", "AAPL"),
        ("AAPL1 251219C00150000", "AAPL"),
        ("BRKB251219C00500000", "BRK-B"),
        ("SPXW251219C06000000", "^GSPC"),
        ("NIFTY25N1124000CE", "NSE:NIFTY 50"),
        ("BFO:SENSEX25NOVFUT", "BSE:SENSEX"),
        ("NFO:M&M25NOV3000CE", "M&M"),
        ("NFO:RELIANCE25NOV1400CE", "NSE:RELIANCE"),
        ("USDINR25NOVFUT", "USD/INR"),
        ("ESZ5", "ESH26"),
    ],
)
def test_a_derivative_and_its_underlying_share_a_lane(derivative: str, underlying: str) -> None:
    assert underlying_of(derivative) == underlying_of(underlying)


def test_naming_a_lane_loads_neither_pandas_nor_a_calendar() -> None:
    code = (
        "import sys; from tapeline.core.instruments import underlying_of as u;"
        "print(u('NFO:NIFTY25NOV24000CE'), u('ESZ25'), *{'pandas', 'pyarrow', 'exchange_calendars'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, timeout=30, capture_output=True, text=True).stdout
    assert said.split() == ["NIFTY", "ES"]


@pytest.mark.parametrize(
    ("text", "spot"),
    [
        ("AAPL", "AAPL"),
        ("BRKB251219C00500000", "BRK.B"),
        ("SPXW251219C06000000", "I:SPX"),
        ("NIFTY25NOVFUT", "NSE:NIFTY 50"),
        ("NFO:RELIANCE25NOV1400CE", "NSE:RELIANCE"),
        ("BFO:RELIANCE25NOV1400CE", "BSE:RELIANCE"),
        ("SENSEX25NOVFUT", "BSE:SENSEX"),
        ("USDINR25NOVFUT", "USD/INR"),
        ("GOLD25DECFUT", None),
        ("CLF26", None),
    ],
)
def test_the_spot_of_a_derivative_is_a_symbol(text: str, spot: str | None) -> None:
    assert spot_symbol(parse_symbol(text)) == spot
    if spot is not None:
        assert parse_symbol(spot).symbol == spot


@pytest.mark.parametrize(("text", "form"), [("AAPL", Form.KITE), ("ESZ25", Form.DASH), ("NSE:M&M", Form.OCC_PADDED)])
def test_a_form_that_the_instrument_does_not_have_is_refused(text: str, form: Form) -> None:
    with pytest.raises(BadInput, match="no spelling"):
        format_symbol(parse_symbol(text), form)


def test_the_file_decides_before_the_grammar() -> None:
    listed = parse_symbol("NSE:TCS")
    book = InstrumentBook([listed])
    assert parse_symbol("TCS").exchange == "US"
    assert parse_symbol("TCS", book=book) is listed
    assert parse_symbol("AAPL", book=book).symbol == "AAPL"
    assert underlying_of("TCS", book) == "TCS"


def test_a_symbol_that_the_file_lists_twice_is_ambiguous_and_still_has_a_lane() -> None:
    book = InstrumentBook([parse_symbol("NSE:INFY"), parse_symbol("BSE:INFY")])
    with pytest.raises(AmbiguousSymbol, match="NSE:INFY and BSE:INFY"):
        parse_symbol("INFY", book=book)
    assert parse_symbol("BSE:INFY", book=book).exchange == "BSE"
    assert underlying_of("INFY", book) == "INFY"


def test_a_year_of_one_digit_is_written_only_as_it_would_be_read_then() -> None:
    future = parse_symbol("ESZ35")
    text = format_symbol(future, Form.YEAR_1)
    assert text == "ESZ5"
    assert parse_symbol(text, today=dt.date(2034, 1, 1)) == future


@pytest.mark.parametrize("text", [None, 5, b"AAPL"])
def test_what_is_no_text_is_refused_with_a_reason(text: Any) -> None:
    with pytest.raises(BadSymbol, match="a symbol is text") as caught:
        parse_symbol(text)
    assert isinstance(caught.value, ValueError)
