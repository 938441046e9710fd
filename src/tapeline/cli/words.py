"""What the parser of the command line refuses, in our own words: what, where, what to do.

In: its exceptions.  Out: one line each.  Refuses to show its own jargon, and more than a glimpse of what was typed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import typer

MAX_SHOWN = 60
"""Characters of what was typed that are repeated."""
_QUOTED = re.compile(r"'([^']*)'")


def one_line(text: str) -> str:
    """Return a message as one line, whatever was in it."""
    return " ".join(text.split())


def sentence_of(error: typer.TyperException) -> str:
    """Return what is wrong with the words that were typed, and what to type instead."""
    where = getattr(getattr(error, "ctx", None), "command_path", "tapeline")
    near = getattr(error, "possibilities", None)
    name = getattr(error, "option_name", "")
    if name and near:
        return f"`{where}` has no option {name}: did you mean {' or '.join(sorted(near))}?"
    refused: list[Mapping[str, Any]] = getattr(error.__cause__, "errors", list)()  # of the library that converts values
    if refused and isinstance(error, typer.BadParameter) and error.param is not None:
        return f"{_name_of(error)} is {_shown(refused[0].get('input'))}: {_wish(refused[0])}"
    text = one_line(error.format_message()).rstrip(".")
    return f"{text[:1].lower()}{text[1:]}: `{where} --help` shows what there is"


def _name_of(error: typer.BadParameter) -> str:
    """Return an option by its long name, an argument as the help names it."""
    assert error.param is not None
    longest = max(error.param.opts, key=len)
    return longest if longest.startswith("-") else f"argument {longest}"


def _shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _wish(refused: Mapping[str, Any]) -> str:
    """Return what to give instead."""
    kind, bounds = str(refused["type"]), refused.get("ctx", {})
    if kind.startswith("int"):
        return "give a whole number"
    if kind.startswith("float"):
        return "give a number"
    if "ge" in bounds:
        return f"give {bounds['ge']} or more"
    if "le" in bounds:
        return f"give {bounds['le']} or less"
    text = str(refused["msg"]).removeprefix("Value error, ")
    if "%Y-%m-%d" in text:
        return "give a day, as in 2010-05-06"
    if " is not one of " in text:
        *others, last = _QUOTED.findall(text.partition(" is not one of ")[2])
        return f"choose {', '.join(others)} or {last}"
    return text
