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
        ("b - b + 1 / 0", [np.nan, np.nan, np.nan]),
        ("b / b * 0 + log(1)", [np.nan, 0.0, 0.0]),
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
        ("b < 4.5 < 40", [True, True, False]),
        ("b < 4.5 < 2", [False, False, False]),
        ("5 > b > 1 < 2", [False, True, False]),
        ("1 < 2 and b > 1", [False, True, True]),
        ("1 > 2 or b > 1", [False, True, True]),
        ("not 1 > 2 and b > 1", [False, True, True]),
        ("b < 1e999", [True, True, True]),
        (f"b < {10**400}", [True, True, True]),
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
        ("1 > 2", "'1 > 2' names no column: it is the same for every symbol"),
        ("log(-1) < 3", "names no column"),
        ("1/0", "names no column"),
        ("b + rank(2 * 3)", r"'rank\(2 \* 3\)' in .* compares every symbol with itself"),
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


NUMBERS = st.sampled_from(["a", "b", "1", "2.5", "4"])
COMPARED = st.tuples(
    NUMBERS, st.lists(st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), NUMBERS), min_size=1, max_size=3)
).map(lambda parts: " ".join([parts[0], *(f"{op} {side}" for op, side in parts[1])]))


@given(st.lists(COMPARED, min_size=1, max_size=3), st.sampled_from(["and", "or"]))
def test_any_condition_is_what_python_says_of_each_symbol(conditions: list[str], join: str) -> None:
    text = f" {join} ".join(conditions)
    names = [name for name in ("a", "b") if name in text.replace("and", "")]
    if not names:
        with pytest.raises(BadInput, match="names no column"):
            parse(text)
        return
    found = parse(text).holds(COLUMNS, NOBODY).tolist()
    for i in range(3):
        row = {name: float(COLUMNS[name][i]) for name in names}
        assert found[i] == (not any(np.isnan(value) for value in row.values()) and eval(text, {}, row))
