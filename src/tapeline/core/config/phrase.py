"""What the converter of settings refuses, in our own words: what was given, and what to give.

In: its text, the value, what the setting may be.  Out: the end of a sentence.  Refuses to show more than a glimpse.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args, get_origin

MAX_SHOWN = 60
"""Characters of a value that are repeated."""
KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text in quotes",
    "array": 'a list, as in [1, 2] or ["a", "b"]',
    "object": "a table, as in { a = 1 }",
    "date": "a day, as in 2010-05-06",
}
_WANTED = re.compile(r"Expected `(?P<kind>\w+)`(?: (?P<bound>of length )?(?P<sign>[<>]=?) (?P<limit>\S+))?")


def phrase(text: str, value: Any, hint: Any) -> str:
    """Return what is wrong and what to do.

    Parameters
    ----------
    text
        Of the converter, without the place.
    value
        What was given there.
    hint
        The type of the setting; None when it is not known.
    """
    shown = repr(value)
    shown = shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}..."
    wish = _wish(text, hint)
    return f"it is {shown}: give {wish}" if wish else f"{text[:1].lower()}{text[1:]}"


def _wish(text: str, hint: Any) -> str:
    """Return what to give; empty where the converter's text is a sentence of ours."""
    if text.startswith("Invalid enum value"):
        return " or ".join(repr(choice) for choice in choices_of(hint))
    if text.startswith("Invalid RFC3339"):
        return KINDS["date"]
    found = _WANTED.match(text)
    if found is None:
        return ""
    kind = KINDS.get(found["kind"], found["kind"])
    if found["sign"] is None:
        return kind
    bound = {">=": "of at least", ">": "above", "<=": "of at most", "<": "below"}[found["sign"]]
    what = "one" if found["bound"] else kind
    length = " in length" if found["bound"] else ""
    return f"{what} {bound} {found['limit']}{length}"


def choices_of(hint: Any) -> tuple[Any, ...]:
    """Return what a setting may be, of those that are one of a few."""
    if get_origin(hint) is Annotated:
        return choices_of(get_args(hint)[0])
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(choice for part in get_args(hint) for choice in choices_of(part))
