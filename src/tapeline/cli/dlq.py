"""``dlq`` lists, shows, sends again and drops dead letters: entries that could not be applied, and why."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import anyio
import msgspec
import typer

from tapeline.cli.process import stream_address
from tapeline.cli.settings import ConfigOption, JsonOption, load_settings
from tapeline.core.errors import BadInput

verbs = typer.Typer(help="Dead letters: list, show, send again, drop.", no_args_is_help=True)

AddressOption = Annotated[str, typer.Option(help="Stream server; that of the settings or the running node by default.")]
_NONE = "there are no dead letters"
LetterArgument = Annotated[str, typer.Argument(help="A letter as `dlq list` names it: 2/1767623400000-0, or `all`.")]


def add_to(app: typer.Typer) -> None:
    """Add the verbs of dead letters."""
    app.add_typer(verbs, name="dlq")


@verbs.command("list")
def list_letters(address: AddressOption = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List every dead letter with its reason."""
    found = _letters(address, config, "all")
    if as_json:
        told = [{"letter": name, "reason": letter.reason, "bytes": len(letter.payload)} for name, letter in found]
        typer.echo(msgspec.json.encode({"letters": told}).decode())
        return
    for name, letter in found:
        typer.echo(f"{name}  {letter.reason}")
    if not found:
        typer.echo(_NONE)


@verbs.command()
def show(letter: LetterArgument, address: AddressOption = "", config: ConfigOption = None) -> None:
    """Show what a letter holds."""
    from tapeline.streams.letters import describe

    letters = _letters(address, config, letter)
    for name, found in letters:
        typer.echo(f"{name}  {found.reason}")
        for line in describe(found):
            typer.echo(f"  {line}")
    if not letters:
        typer.echo(_NONE)


@verbs.command()
def replay(
    letter: LetterArgument,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=VALUE of one tick to correct; may be given again.")
    ] = None,
    address: AddressOption = "",
    config: ConfigOption = None,
) -> None:
    """Send letters again through the ingress, each once, and drop them; with --set one of them corrected."""
    from tapeline.streams.letters import replay_letters

    changed = dict(map(_field, change or ()))
    if changed and letter == "all":
        raise BadInput("--set corrects one letter: name it, as `tapeline dlq list` does")
    n = _act(address, config, letter, partial(replay_letters, changed=changed))
    typer.echo(f"{_letters_of(n)} sent again")


@verbs.command()
def drop(letter: LetterArgument, address: AddressOption = "", config: ConfigOption = None) -> None:
    """Drop letters for good."""
    from tapeline.streams.letters import drop_letters

    n = _act(address, config, letter, drop_letters)
    typer.echo(f"{_letters_of(n)} dropped")


def _letters_of(n: int) -> str:
    return "1 letter was" if n == 1 else f"{n} letters were"


def _letters(address: str, config: Any, wanted: str) -> list[tuple[str, Any]]:
    from tapeline.streams.letters import read_letters

    settings = load_settings(config).config
    found = anyio.run(read_letters, address or stream_address(settings, os.environ), wanted)
    if wanted != "all" and not found:
        raise BadInput(f"there is no dead letter {wanted!r}: `tapeline dlq list` names them")
    return list(found)


def _field(text: str) -> tuple[bytes, bytes]:
    name, is_one, value = text.partition("=")
    if not name or not is_one:
        raise BadInput(f"--set {text!r} is not FIELD=VALUE, as price=101.5 is")
    return name.encode(), value.encode()


def _act(address: str, config: Any, wanted: str, act: Callable[[str, str], Awaitable[int]]) -> int:
    settings = load_settings(config).config
    n = anyio.run(act, address or stream_address(settings, os.environ), wanted)
    if wanted != "all" and not n:
        raise BadInput(f"there is no dead letter {wanted!r}: `tapeline dlq list` names them")
    return n
