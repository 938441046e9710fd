"""Words of the board."""

from __future__ import annotations

import unicodedata

import pytest

from tapeline.sim import banter


@pytest.mark.parametrize("choice", [1e-9, 0.5, 1 - 1e-9])
def test_every_choice_has_words(choice: float) -> None:
    for words in (banter.AUTHORS, banter.UP_TITLES, banter.BANTER, banter.INJECTION_TITLES):
        assert banter.pick(words, choice) in words


def test_a_single_letter_is_always_a_cashtag() -> None:
    assert {banter.spell("F", choice) for choice in (0.1, 0.9)} == {"$F"}
    assert {banter.spell("IBM", choice) for choice in (0.1, 0.9)} == {"$IBM", "IBM"}


def test_a_disguised_ticker_looks_the_same_and_is_not() -> None:
    assert banter.disguise("AAPL") != "$AAPL"
    assert {unicodedata.name(c).split()[0] for c in banter.disguise("AAPL")[1:]} == {"CYRILLIC", "LATIN"}
