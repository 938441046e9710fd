"""What the converter says, said so that a person knows what to give."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from msgspec import Meta

from tapeline.core.config.phrase import MAX_SHOWN, choices_of, phrase


@pytest.mark.parametrize(
    ("text", "value", "sentence"),
    [
        ("Expected `int`, got `str`", "x", "it is 'x': give a whole number"),
        ("Expected `float` > 0.0", -1, "it is -1: give a number above 0.0"),
        ("Expected `float` < 1.0", 2, "it is 2: give a number below 1.0"),
        ("Expected `array` of length >= 1", [], "it is []: give one of at least 1 in length"),
        ("Expected `object`, got `int`", 3, "it is 3: give a table, as in { a = 1 }"),
        ("sell_at is too high", 3, "sell_at is too high"),
        ("Object missing required field `a`", {}, "object missing required field `a`"),
    ],
)
def test_it_says_what_was_given_and_what_to_give(text: str, value: object, sentence: str) -> None:
    assert phrase(text, value, None) == sentence


def test_choices_are_found_behind_bounds_and_none() -> None:
    hint = Annotated[Literal["a", "b"] | None, Meta(description="one")]
    assert choices_of(hint) == ("a", "b")
    assert phrase("Invalid enum value 'c'", "c", hint) == "it is 'c': give 'a' or 'b'"
    assert choices_of(int) == ()


def test_of_a_long_value_only_the_beginning_is_shown() -> None:
    assert len(phrase("Expected `int`, got `str`", "x" * 999, None)) < MAX_SHOWN + 40
