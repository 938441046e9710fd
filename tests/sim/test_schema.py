"""Answers fit whatever schema was asked for."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from tapeline.sim.opinion import facts_of, score_of
from tapeline.sim.schema import View, Writer
from tapeline.sim.wire import WireError

FACTS = facts_of("revenue_growth_pct: 12.5\nmax_drawdown_pct: -31")


def view(score: float | None = None, tags: tuple[str, ...] = ("p1", "p2")) -> View:
    return View(score_of(FACTS) if score is None else score, FACTS, tags, "IBM", "key")


class Asked(Struct):
    """One question of a list."""

    question: Annotated[str, Meta(max_length=60)]
    source: Literal["news", "insider", "technicals", "fundamentals", "transcripts"]


class Thesis(Struct):
    """Everything a schema can ask for."""

    questions: Annotated[list[Asked], Meta(min_length=5, max_length=5)]
    stance: Annotated[float, Meta(ge=-1, le=1)]
    confidence: Annotated[int, Meta(ge=0, le=100)]
    action: Literal["buy", "hold", "sell"]
    cited: list[str]
    note: str | None
    sure: bool


def write(schema: dict[str, Any], seen: View | None = None) -> Any:
    return Writer(schema, seen or view()).write()


@given(st.floats(-1, 1))
def test_a_real_schema_with_references_is_followed(score: float) -> None:
    answer = write(msgspec.json.schema(Thesis), view(score))
    thesis = msgspec.convert(answer, Thesis)
    assert len({asked.source for asked in thesis.questions}) == 5
    assert thesis.stance == pytest.approx(score, abs=1e-4)
    assert thesis.cited == ["p1", "p2"]


@pytest.mark.parametrize(("score", "action"), [(0.6, "buy"), (-0.6, "sell"), (0.0, "hold")])
def test_a_choice_of_directions_follows_the_score(score: float, action: str) -> None:
    assert write({"enum": ["hold", "sell", "buy"]}, view(score)) == action


@given(
    st.floats(-1, 1),
    st.sampled_from(["number", "integer"]),
    st.none() | st.integers(-50, 0),
    st.none() | st.integers(1, 50),
)
def test_numbers_stay_inside_their_bounds(score: float, kind: str, low: int | None, high: int | None) -> None:
    bounds = {"minimum": low} if low is not None else {}
    bounds |= {"maximum": high} if high is not None else {}
    number = write({"type": kind, **bounds}, view(score))
    assert isinstance(number, int) == (kind == "integer")
    assert low is None or number >= low
    assert high is None or number <= high


def test_neighbours_tell_of_different_facts_in_words() -> None:
    asked = write(msgspec.json.schema(Thesis))["questions"]
    assert asked[0]["question"] != asked[1]["question"]
    fields = {"type": "object", "properties": {"bull_case": {"type": "string"}, "bear_case": {"type": "string"}}}
    facts = facts_of("revenue_growth_pct: 12.5\nmax_drawdown_pct: 31")
    case = write(fields, View(0.5, facts, (), "IBM", "key"))
    assert case["bull_case"] == "revenue growth at 12.5 % speaks for IBM."
    assert case["bear_case"] == "max drawdown at 31 % speaks against IBM."


def test_exclusive_bounds_are_not_touched() -> None:
    schema = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
    assert 0 < write(schema, view(-1.0)) < write(schema, view(1.0)) < 1


def test_lists_have_as_many_items_as_they_should() -> None:
    assert len(write({"type": "array", "items": {"type": "string"}, "minItems": 4, "maxItems": 9})) == 4
    assert len(write({"type": "array", "items": {"type": "string"}, "maxItems": 2})) == 2
    assert len(write({"type": "array", "items": {"type": "boolean"}})) == 3


def test_nothing_to_cite_is_not_made_up() -> None:
    assert write({"type": "object", "properties": {"cited": {"type": "array"}}}, view(tags=())) == {"cited": []}


def test_nullable_and_alternative_types_are_answered() -> None:
    assert isinstance(write({"type": ["string", "null"]}), str)
    assert write({"anyOf": [{"type": "null"}, {"type": "boolean"}]}) in (True, False)
    assert write({"type": "null"}) is None
    assert write({"const": 7}) == 7


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/Nowhere", "$defs": {"Nowhere": {"$ref": "#/$defs/Nowhere"}}},
        {"type": "object", "properties": {"again": {"$ref": "#"}}},
        {"type": "date"},
        {"type": "array", "minItems": 10_000},
    ],
)
def test_a_schema_that_cannot_be_followed_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(WireError, match="Invalid schema") as refused:
        write(schema)
    assert refused.value.status == 400


def test_words_fit_their_length() -> None:
    assert len(write({"type": "string", "maxLength": 5})) == 5
    assert len(write({"type": "string", "minLength": 500})) == 500


def test_bull_and_bear_are_told_apart() -> None:
    answer = write({"type": "object", "properties": {"bull": {"type": "string"}, "bear": {"type": "string"}}})
    assert "revenue growth" in answer["bull"]
    assert "max drawdown" in answer["bear"] or "against" in answer["bear"]
    assert json.dumps(answer) == json.dumps(
        write({"type": "object", "properties": {"bull": {"type": "string"}, "bear": {"type": "string"}}})
    )
