"""``watchlist`` keeps the symbols that a person watches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tapeline.cli.settings import JsonOption
from tapeline.core.home import default_home

Symbols = Annotated[list[str], typer.Argument(help="Symbols, e.g. AAPL MSFT.")]
watchlist = typer.Typer(help="The symbols you watch; `poll` asks for them.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the verbs ``watchlist add|remove|list|import``."""
    app.add_typer(watchlist, name="watchlist")


def watchlist_path() -> Path:
    """Return where the list is kept."""
    from tapeline.feed.watchlist import FILE_NAME

    return default_home(os.environ).path / FILE_NAME


@watchlist.command()
def add(symbols: Symbols) -> None:
    """Watch these, too."""
    from tapeline.feed.watchlist import read_watchlist, write_watchlist

    kept = write_watchlist(watchlist_path(), {*read_watchlist(watchlist_path()), *(s.upper() for s in symbols)})
    typer.echo(f"{len(kept)} symbols watched")


@watchlist.command()
def remove(symbols: Symbols) -> None:
    """Watch these no longer."""
    from tapeline.feed.watchlist import read_watchlist, write_watchlist

    watched, unwanted = set(read_watchlist(watchlist_path())), {symbol.upper() for symbol in symbols}
    kept = write_watchlist(watchlist_path(), watched - unwanted)
    typer.echo(f"{len(kept)} symbols watched")
    if unwanted - watched:
        typer.echo(f"not watched anyway: {', '.join(sorted(unwanted - watched))}", err=True)


@watchlist.command("list")
def show(as_json: JsonOption = False) -> None:
    """Print the list."""
    from tapeline.feed.watchlist import read_watchlist

    kept = read_watchlist(watchlist_path())
    typer.echo(msgspec.json.encode({"symbols": kept}).decode() if as_json else "\n".join(kept) or "nothing is watched")


@watchlist.command("import")
def read_in(file: Annotated[Path, typer.Argument(help="Text or CSV; the first word of each line.")]) -> None:
    """Watch what a file lists, too."""
    from tapeline.feed.watchlist import read_symbols, read_watchlist, write_watchlist

    found = read_symbols(file)
    kept = write_watchlist(watchlist_path(), {*read_watchlist(watchlist_path()), *found})
    typer.echo(f"{len(found)} symbols read, {len(kept)} watched")
