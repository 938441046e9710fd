"""Lexicon: forms of a word, negation, phrases, and silence where the table is silent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.signals.lexicon import MAX_TITLE, WORDS, lean, normalise, without_name


@pytest.mark.parametrize(
    ("title", "sign"),
    [
        ("Acme shares plunge in afternoon trading", -1),
        ("Acme plunged 8%", -1),
        ("Acme is plunging with the market", -1),
        ("Acme stock dropped", -1),
        ("Acme sells off as panic spreads", -1),
        ("Acme's losses widen", -1),
        ("Broad sell-off drags Acme lower", -1),
        ("Acme falls to record low", -1),
        ("Acme surges on upgrade", 1),
        ("Acme soared; rallies with peers", 1),
        ("Acme beats estimates, raises outlook", 1),
        ("Acme hits record high", 1),
        ("Acme recovers", 1),
        ("ACME JUMPS", 1),
    ],
)
def test_titles_lean_as_a_reader_would_say(title: str, sign: int) -> None:
    leaning = lean(normalise(title))
    assert leaning is not None
    assert leaning * sign > 0


@pytest.mark.parametrize(
    "title",
    ["Acme to present at investor conference", "What to know about Acme stock", "Acme names new chief", "", "5%"],
)
def test_title_without_a_word_of_the_table_has_no_lean(title: str) -> None:
    assert lean(normalise(title)) is None


def test_negation_turns_a_word_and_weakens_it() -> None:
    for title, word in (("Acme not bullish on growth", "bullish"), ("Acme doesn't expect a loss", "loss")):
        leaning = lean(normalise(title))
        assert leaning is not None
        assert leaning * WORDS[word] < 0
        assert abs(leaning) < abs(WORDS[word])


def test_negation_reaches_three_words_and_no_further() -> None:
    assert lean(normalise("Acme does not see any loss")) == 0.25
    assert lean(normalise("Acme says not one of its many units had a loss")) == -0.5


def test_not_bullish_is_not_read_as_bullish_substring() -> None:
    leaning = lean(normalise("Analysts are not bullish"))
    assert leaning is not None
    assert leaning < 0


def test_publisher_case_and_punctuation_do_not_make_a_new_headline() -> None:
    first = normalise("Acme plunges - The Wire", "The Wire")
    assert first == normalise("ACME plunges!", "Other") == "acme plunges"


def test_compatibility_forms_of_letters_read_as_letters() -> None:
    assert normalise("Ａｃｍｅ ｐｌｕｎｇｅｓ") == "acme plunges"


@given(st.text(max_size=2 * MAX_TITLE))
def test_any_text_is_bounded_and_normalising_twice_is_once(text: str) -> None:
    words = normalise(text)
    assert normalise(words) == words
    leaning = lean(words)
    assert leaning is None or -1.0 <= leaning <= 1.0


def test_table_stays_symmetric_in_its_bounds() -> None:
    assert set(WORDS.values()) == {-1.0, -0.5, 0.5, 1.0}


@pytest.mark.parametrize(
    ("title", "left"),
    [
        ("Best Buy (BBY) slips", "(BBY) slips"),
        ("Shares of Best Buy (BBY) slip", "Shares of (BBY) slip"),
        ("Boost for AT & T (T) holders", "Boost for (T) holders"),
        ("Best Buy slips", "Best Buy slips"),
        ("Best Buy (BBYX) slips", "Best Buy (BBYX) slips"),
        ("(BBY) slips", "(BBY) slips"),
        ("", ""),
    ],
)
def test_the_name_before_the_symbol_is_no_opinion(title: str, left: str) -> None:
    symbol = "T" if "(T)" in title else "BBY"
    assert without_name(title, symbol) == left


def test_a_name_with_a_word_of_the_table_does_not_lean() -> None:
    assert lean(normalise(without_name("Best Buy (BBY) to present at conference", "BBY"))) is None
