"""The language of numbers: it computes as Python does, knows what it does not know, and can do nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.errors import BadInput
from tapeline.ml.expression import MAX_CHARS, parse

NOBODY = np.full(3, -1, np.intp)
COLUMNS = {"a": np.array([1.0, 2.0, np.nan]), "b": np.array([0.0, 4.0, 5.0])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + 2 * b", [1.0, 10.0, np.nan]),
        ("-(a - b) / 2", [-0.5, 1.0, np.nan]),
        ("b / a", [0.0, 2.0, np.nan]),
        ("a / b", [np.nan, 0.5, np.nan]),
        ("log(a)", [0.0, np.log(2.0), np.nan]),
        ("abs(-b)", [0.0, 4.0, 5.0]),
        ("rank(b)", [0.0, 0.5, 1.0]),
    ],
)
def test_value_is_what_the_text_says_and_never_infinite(text: str, expected: list[float]) -> None:
    assert parse(text).value(COLUMNS, NOBODY) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < 2", [True, False, False]),
        ("not a < 2", [False, True, False]),
        ("a < 2 or b > 3", [True, True, False]),
        ("1 <= a <= 1.5 and b == 0", [True, False, False]),
        ("b != 4", [True, False, True]),
    ],
)
def test_unknown_never_matches_whichever_way_it_is_asked(text: str, expected: list[bool]) -> None:
    assert parse(text).holds(COLUMNS, NOBODY).tolist() == expected


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "a.__class__",
        "a[0]",
        "[x for x in a]",
        "lambda: 1",
        "open('x')",
        "'text'",
        "a ** 9",
        "a if b else a",
        "True",
        "rank(a, b)",
        "rank(values=a)",
        "(a := 1)",
        "f'{a}'",
        "a @ b",
        "1 < 'x'",
    ],
)
def test_whatever_is_not_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a +", "is no expression"),
        ("a + (b < 1)", "a number is needed"),
        ("a and b < 1", "a comparison is needed"),
        ("a" * (MAX_CHARS + 1), "at most 500 characters"),
        ("+".join("a" * 99), "split it up"),
        ("-" * 490 + "a", "parts|no expression|split"),
    ],
)
def test_refusal_says_what_and_where(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        parse(text)


def test_number_is_no_condition_and_condition_is_no_number() -> None:
    with pytest.raises(BadInput, match="is a number"):
        parse("a + 1").holds(COLUMNS, NOBODY)
    with pytest.raises(BadInput, match="true or false"):
        parse("a > 1").value(COLUMNS, NOBODY)


def test_it_knows_what_it_needs_and_whether_others_matter() -> None:
    assert parse("rank(a) + b * a").names == ("a", "b")
    assert parse("rank(a)").is_cross_sectional
    assert not parse("log(a) / abs(b)").is_cross_sectional


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_one_clear_error(text: str) -> None:
    try:
        found = parse(text)
    except BadInput:
        return
    assert found.text == text
