"""Answers in the shape of any JSON schema.

In: a schema, an opinion in [-1, 1] with the facts behind it, and the tags that a prompt offers for citing.
Out: a value that the schema accepts, the same for the same inputs.
Refuses a schema that is too deep or that it cannot follow (WireError 400), as a real server does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tapeline.sim.faults import draw
from tapeline.sim.opinion import Fact, strongest
from tapeline.sim.wire import WireError

MAX_DEPTH = 16
MAX_ITEMS = 64
_UNITS = {"pct": " %", "usd": " dollars", "bps": " basis points", "days": " days", "ratio": "", "frac": ""}
"""Ending of a fact's name -> what stands behind its number."""
LISTED = 3
"""Items of a list whose schema does not say how many."""

UP = frozenset(["buy", "bull", "bullish", "positive", "up", "long", "high", "strong", "yes", "increase", "good"])
DOWN = frozenset(["sell", "bear", "bearish", "negative", "down", "short", "low", "weak", "no", "decrease", "bad"])


@dataclass(frozen=True, slots=True)
class View:
    """What the simulated model thinks of a prompt.

    Attributes
    ----------
    score
        In (-1, 1).
    facts
        What it rests on.
    tags
        Names in brackets that the prompt offers, e.g. of passages; cited where citing is asked for.
    topic
        A few words on what the prompt is about.
    key
        Chooses among phrasings.
    """

    score: float
    facts: Sequence[Fact]
    tags: Sequence[str]
    topic: str
    key: str


class Writer:
    """Fills one schema."""

    def __init__(self, schema: Mapping[str, Any], view: View) -> None:
        self._root = schema
        self._view = view
        self._told: set[str] = set()

    def write(self) -> Any:
        """Return a value that the schema accepts."""
        return self._value(self._root, "answer", "$", 0)

    def _value(self, schema: Mapping[str, Any], name: str, path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise WireError(400, f"Invalid schema for response_format: nested deeper than {MAX_DEPTH} at {path}.")
        schema = self._resolve(schema, path)
        if "const" in schema:
            return schema["const"]
        if choices := schema.get("enum"):
            return self._choose(choices, path)
        for many in ("anyOf", "oneOf"):
            if options := schema.get(many):
                useful = [option for option in options if option.get("type") != "null"] or options
                return self._value(useful[0], name, path, depth + 1)
        match _type(schema):
            case "object":
                fields = schema.get("properties", {})
                return {key: self._value(inner, key, f"{path}.{key}", depth + 1) for key, inner in fields.items()}
            case "array":
                return self._list(schema, name, path, depth)
            case "string":
                return self._text(schema, name)
            case "number":
                return round(self._number(schema), 4)
            case "integer":
                return round(self._number(schema))
            case "boolean":
                return self._view.score > 0
            case "null":
                return None
            case other:
                raise WireError(400, f"Invalid schema for response_format: unknown type {other!r} at {path}.")

    def _resolve(self, schema: Mapping[str, Any], path: str) -> Mapping[str, Any]:
        for _ in range(MAX_DEPTH):
            if isinstance(together := schema.get("allOf"), list) and len(together) == 1:
                schema = together[0]
                continue
            if (reference := schema.get("$ref")) is None:
                return schema
            parts = str(reference).removeprefix("#").split("/")[1:]
            schema = self._root
            for part in parts:
                schema = schema[part]
        raise WireError(400, f"Invalid schema for response_format: no schema at {path}.")

    def _choose(self, choices: Sequence[Any], path: str) -> Any:
        """Return the choice that says what the score says, or any one where none does."""
        score = self._view.score
        side = UP if score > 0.1 else DOWN if score < -0.1 else None
        for choice in choices:
            words = set(str(choice).lower().replace("_", " ").split())
            if (side is not None and words & side) or (side is None and not words & (UP | DOWN) and len(choices) == 3):
                return choice
        return choices[int(draw(self._view.key, path, "choice") * len(choices))]

    def _list(self, schema: Mapping[str, Any], name: str, path: str, depth: int) -> list[Any]:
        low, high = int(schema.get("minItems", 0)), int(schema.get("maxItems", MAX_ITEMS))
        if low > MAX_ITEMS:
            raise WireError(400, f"Invalid schema for response_format: minItems over {MAX_ITEMS} at {path}.")
        count = min(max(low, min(LISTED, high)), MAX_ITEMS)
        inner = schema.get("items", {"type": "string"})
        if _cites(name) and _type(self._resolve(inner, path)) == "string" and "enum" not in inner:
            cited = list(self._view.tags[:count])
            return cited if len(cited) >= low else (cited + ["none"] * low)[:low]
        return [self._item(inner, name, path, number, depth) for number in range(count)]

    def _item(self, inner: Mapping[str, Any], name: str, path: str, number: int, depth: int) -> Any:
        """Return one item of a list; neighbours differ where their schema has choices."""
        inner = self._resolve(inner, path)
        if (choices := inner.get("enum")) and len(choices) > 1:
            return choices[number % len(choices)]
        value = self._value(inner, name, f"{path}[{number}]", depth + 1)
        if isinstance(value, dict):
            for key, schema in inner.get("properties", {}).items():
                choices = self._resolve(schema, path).get("enum")
                if choices and len(choices) > LISTED:
                    value[key] = choices[number % len(choices)]
        return value

    def _number(self, schema: Mapping[str, Any]) -> float:
        """Return the score on the schema's own scale; without bounds it is -1 to 1."""
        whole = _type(schema) == "integer"
        step = 1.0 if whole else 1e-4
        low = float(schema.get("minimum", schema.get("exclusiveMinimum", -math.inf)))
        high = float(schema.get("maximum", schema.get("exclusiveMaximum", math.inf)))
        low += step * ("exclusiveMinimum" in schema)
        high -= step * ("exclusiveMaximum" in schema)
        if math.isinf(low):
            low = min(-1.0, high) if math.isinf(high) or high <= 1 else -high
        if math.isinf(high):
            high = low + 2.0 if low < 0 else low + (10.0 if whole else 1.0)
        return min(max(low + (high - low) * (self._view.score + 1.0) / 2.0, low), high)

    def _text(self, schema: Mapping[str, Any], name: str) -> str:
        if _cites(name) and self._view.tags:
            return self._view.tags[0]
        text = self._sentence(name.lower())
        low, high = int(schema.get("minLength", 0)), int(schema.get("maxLength", 1_000))
        return text.ljust(low, ".")[:high]

    def _sentence(self, name: str) -> str:
        """Return a plain sentence that fits the name of its field, on a fact that the answer has not told yet."""
        view = self._view
        sign = 1 if "bull" in name or "upside" in name else -1 if "bear" in name or "risk" in name else 0
        side = sign or (1 if view.score >= 0 else -1)
        said = strongest(view.facts, side) + ([] if sign else strongest(view.facts, -side))
        said = said or strongest(view.facts, -side)
        if not said:
            return f"The text gives no figures on {view.topic}."
        fact = next((one for one in said if one.name not in self._told), said[0])
        self._told.add(fact.name)
        if "question" in name:
            return f"How much does {_shown(fact)} matter for {view.topic}?"
        if "catalyst" in name:
            return f"A change of {_shown(fact)}"
        leaning = "speaks for" if fact.points > 0 else "speaks against"
        same = [one for one in said if one.points * fact.points > 0 and one.name != fact.name]
        others = f"; so does {_shown(same[0])}" if same else ""
        return f"{_shown(fact)} {leaning} {view.topic}{others}."


def _shown(fact: Fact) -> str:
    """Return a fact in words: its unit stands behind the number."""
    name, _, unit = fact.name.rpartition("_")
    if name and unit in _UNITS:
        return f"{name.replace('_', ' ')} at {fact.value:,g}{_UNITS[unit]}"
    return f"{fact.name.replace('_', ' ')} at {fact.value:,g}"


def _cites(name: str) -> bool:
    return any(part in name.lower() for part in ("cite", "citation", "source_id", "passage_id", "evidence_id"))


def _type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        return "object" if "properties" in schema else "string"
    return str(kind)
