"""Pairs in every spelling are one pair; what is not made of known currencies is refused."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tapeline.core.instruments import AmbiguousSymbol, BadSymbol, Form, format_symbol, pairs, parse_symbol
from tapeline.core.instruments.tables import CRYPTO, FIAT

CODES = st.sampled_from(sorted(CRYPTO | FIAT))


@pytest.mark.parametrize("text", ["BTC/USD", "BTC-USD", "BTC_USD", "BTCUSD", "X:BTCUSD"])
def test_a_coin_in_every_spelling_is_one_pair(text: str) -> None:
    pair = parse_symbol(text)
    assert (pair.kind, pair.symbol, pair.underlying) == ("crypto", "BTC/USD", "BTC/USD")
    assert format_symbol(pair, pair.form) == text


@pytest.mark.parametrize("text", ["EUR/USD", "EUR-USD", "EUR_USD", "EURUSD", "EURUSD=X", "C:EURUSD"])
def test_two_currencies_in_every_spelling_are_one_pair(text: str) -> None:
    pair = parse_symbol(text)
    assert (pair.kind, pair.symbol, pair.underlying) == ("fx", "EUR/USD", "EURUSD")
    assert format_symbol(pair, pair.form) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("FOO/USD", "FOO is no currency"),
        ("XYZ-USDT", "XYZ is no currency"),
        ("USDUSD", "no price in itself"),
        ("X:EURUSD", "EUR/USD is fx"),
        ("C:BTCUSD", "BTC/USD is crypto"),
        ("X:FOOBAR", "not two currencies"),
        ("FOOUSD=X", "not two currencies"),
        ("FOOBAR", "no pair of known currencies"),
    ],
)
def test_what_is_no_pair_of_known_currencies_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadSymbol, match=reason):
        parse_symbol(text)


def test_joined_text_that_splits_in_two_ways_is_ambiguous(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "_KNOWN", frozenset({"ABC", "ABCD", "DEFG", "EFG"}))
    with pytest.raises(AmbiguousSymbol, match="ABC/DEFG or ABCD/EFG"):
        pairs.read_pair("ABCDEFG")


def test_five_letters_are_a_share_even_where_two_codes_would_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "_KNOWN", frozenset({"OP", "USD"}))
    assert pairs.read_pair("OPUSD") is None


@given(base=CODES, quote=CODES, form=st.sampled_from([Form.SLASH, Form.DASH, Form.UNDERSCORE, Form.JOINED]))
def test_every_pair_reads_back(base: str, quote: str, form: Form) -> None:
    assume(base != quote and len(quote) <= 6)
    pair = parse_symbol(f"{base}/{quote}")
    assert pair.symbol == f"{base}/{quote}"
    assert parse_symbol(format_symbol(pair, form)) == pair
