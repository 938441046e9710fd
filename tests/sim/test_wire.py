"""Alpaca's words: what is read, what is refused, and with which message."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sim.worlds import at

from tapeline.sim.wire import (
    FAR_NS,
    BarQuery,
    PageToken,
    WireError,
    parse_limit,
    parse_moment_ns,
    parse_symbols,
    parse_timeframe_s,
    to_rfc3339,
    wire_bar,
)

NAN = float("nan")


@pytest.mark.parametrize(
    "text",
    [
        "2010-05-06T13:30:00Z",
        "2010-05-06T13:30:00+00:00",
        "2010-05-06T09:30:00-04:00",
        "2010-05-06T13:30:00.000Z",
        "2010-05-06T13:30Z",
    ],
)
def test_every_spelling_of_a_moment_gives_the_same_moment(text: str) -> None:
    assert parse_moment_ns(text, "start") == at("09:30")


def test_nanoseconds_of_a_moment_are_kept() -> None:
    assert parse_moment_ns("2010-05-06T13:29:59.999999999Z", "end") == at("09:30") - 1


def test_a_plain_date_is_midnight_in_new_york() -> None:
    assert parse_moment_ns("2010-05-06", "start") == at("00:00")


def test_a_moment_too_far_for_an_int64_is_as_late_as_there_is() -> None:
    assert parse_moment_ns("9999-12-31T00:00:00Z", "end") == FAR_NS


@pytest.mark.parametrize("text", ["yesterday", "2010-13-01", "2010-05-06T25:00:00Z", "", "1273152600"])
def test_what_is_no_moment_is_refused_by_name(text: str) -> None:
    with pytest.raises(WireError, match=f"invalid start: {text}"):
        parse_moment_ns(text, "start")


@given(st.integers(0, 2**61))
def test_a_moment_written_and_read_is_the_same(moment_ns: int) -> None:
    assert parse_moment_ns(to_rfc3339(moment_ns), "start") == moment_ns


def test_symbols_come_sorted_and_once() -> None:
    assert parse_symbols("MSFT,AAPL, BRK.B,AAPL,") == ("AAPL", "BRK.B", "MSFT")


@pytest.mark.parametrize("symbol", ["aapl", "A PL", "AAPL$", "../etc", "A" * 20])
def test_a_symbol_that_is_none_is_refused_by_name(symbol: str) -> None:
    with pytest.raises(WireError) as refused:
        parse_symbols(f"MSFT,{symbol}")
    assert (refused.value.status, refused.value.message) == (400, f"invalid symbol: {symbol}")


@pytest.mark.parametrize(
    ("text", "seconds"), [("1Min", 60), ("5Min", 300), ("15T", 900), ("1Hour", 3600), ("1Day", 86_400), ("1D", 86_400)]
)
def test_timeframes_of_the_vendor_are_read(text: str, seconds: int) -> None:
    assert parse_timeframe_s(text) == seconds


@pytest.mark.parametrize("text", ["7Min", "2Day", "1Fortnight", "Min", "0Min", "-1Min", "24Hour"])
def test_timeframes_that_do_not_divide_the_hour_are_refused(text: str) -> None:
    with pytest.raises(WireError, match="invalid timeframe"):
        parse_timeframe_s(text)


@given(st.from_regex(r"\A[A-Z]{1,5}(\.[A-Z])?\Z"), st.integers(0, 2**62))
def test_a_page_token_survives_its_round_trip(symbol: str, event_ns: int) -> None:
    token = PageToken(symbol, event_ns)
    assert PageToken.decode(token.encode()) == token


@pytest.mark.parametrize("text", ["%%", "QUE", "é", "QUF8Yg==", "AAAA", ""])
def test_a_page_token_from_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="invalid page_token"):
        PageToken.decode(text)


@pytest.mark.parametrize("text", ["0", "10001", "-5", "ten", "1e3", "²"])
def test_a_limit_outside_1_to_10000_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="invalid limit"):
        parse_limit(text)


def test_an_end_before_its_start_is_refused() -> None:
    params = {"start": "2010-05-06", "end": "2010-05-05"}
    with pytest.raises(WireError, match="end should not be before start"):
        BarQuery.parse(params, ("AA",), default_start_ns=0, default_end_ns=0)


def test_a_number_that_the_source_does_not_tell_is_null_on_the_wire() -> None:
    bar = wire_bar("2010-05-05T04:00:00Z", [1.0, 2.0, 0.5, 1.5, 100.0, NAN, NAN])
    assert msgspec.json.decode(msgspec.json.encode(bar)) == {
        "t": "2010-05-05T04:00:00Z", "o": 1.0, "h": 2.0, "l": 0.5, "c": 1.5, "v": 100, "n": None, "vw": None,
    }  # fmt: skip


def test_dates_before_the_epoch_are_read() -> None:
    assert parse_moment_ns("1969-12-31T23:59:59Z", "start") == -1_000_000_000
    assert dt.datetime.fromtimestamp(-1, dt.UTC).year == 1969
