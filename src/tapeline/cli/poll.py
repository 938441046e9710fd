"""``poll`` asks the vendor for minute bars and prints them: once, or minute by minute."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import anyio
import msgspec
import typer

from tapeline.cli.poll_show import show_newest
from tapeline.cli.settings import ConfigOption, load_settings, settings_path
from tapeline.cli.stopping import until_stopped
from tapeline.cli.watchlist import watchlist_path
from tapeline.core.config import Config
from tapeline.core.errors import BadInput

if TYPE_CHECKING:
    from tapeline.feed.poller import Poller
    from tapeline.feed.watchlist import WatchedFile

SymbolsOption = Annotated[
    str | None,
    typer.Option("--symbols", help="AAPL,MSFT,...; without it the watchlist, else all that the vendor lists."),
]
Strategy = Literal["sequential", "concurrent", "batch", "hybrid"]
Mode = Literal["bars", "latest", "snapshots"]


def add_to(app: typer.Typer) -> None:
    """Add the verb ``poll``."""
    app.command()(poll)


def poll(
    symbols: SymbolsOption = None,
    once: Annotated[bool, typer.Option("--once", help="The newest minute, and leave.")] = False,
    cycles: Annotated[int | None, typer.Option(min=1, help="Leave after so many cycles.")] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Listen to Alpaca's stream, too: bars come earlier, and the polls correct.")
    ] = False,
    strategy: Annotated[Strategy | None, typer.Option(help="How to ask; feed.strategy otherwise.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="What to ask for; feed.mode otherwise.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Lines of JSON: one a bar, one a cycle; with --once one object.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Ask the vendor, or the server in its place, for minute bars and print them."""
    read = partial(_settings, config, strategy, mode)
    wanted = wanted_symbols(symbols)
    if once:
        if cycles is not None or stream:
            raise BadInput("--once is one look at the newest minute: leave out --cycles and --stream, or --once")
        anyio.run(partial(_once, read(), wanted, as_json))
        return
    from tapeline.cli.poll_watch import watch
    from tapeline.feed.watchlist import WatchedFile

    def watch_settings(poller: Poller) -> Callable[[], None]:
        return partial(_retune, WatchedFile(settings_path(config)), read, poller)

    anyio.run(until_stopped, partial(watch, read(), wanted, as_json, cycles, stream, watch_settings))


def wanted_symbols(text: str | None) -> tuple[str, ...]:
    """Return the symbols of ``--symbols``; none when it was not given. Raises BadInput when it names nobody."""
    if text is None:
        return ()
    wanted = tuple(symbol for part in text.split(",") if (symbol := part.strip().upper()))
    if not wanted:
        raise BadInput("--symbols names no symbol: give some, as in AAPL,MSFT, or leave it out")
    return wanted


def _settings(path: Path | None, strategy: Strategy | None, mode: Mode | None) -> Config:
    """Return the settings with what the command line chose."""
    config = load_settings(path).config
    chosen = {name: value for name, value in (("strategy", strategy), ("mode", mode)) if value is not None}
    return msgspec.structs.replace(config, feed=msgspec.structs.replace(config.feed, **chosen))


def _retune(file: WatchedFile, read: Callable[[], Config], poller: Poller) -> None:
    """Let the poller go on as a settings file that has changed says; one that cannot be used is named and left."""
    if not file.has_changed():
        return
    try:
        feed = read().feed
        poller.use(feed)
    except BadInput as error:
        typer.echo(f"the settings stay as they were: {error}", err=True)
    else:
        typer.echo(f"asking by strategy {feed.strategy} and mode {feed.mode} from now on", err=True)


async def _once(config: Config, wanted: tuple[str, ...], as_json: bool) -> None:
    """Print the newest minute; exit code 1 when a page failed or no symbol is left to ask for."""
    from tapeline.cli.poll_once import newest_minute
    from tapeline.cli.vendor import open_vendor
    from tapeline.feed.watchlist import read_watchlist

    async with open_vendor(config, os.environ) as vendor:
        newest = await newest_minute(vendor, wanted or read_watchlist(watchlist_path()))
    show_newest(as_json, newest)
    has_bars = any(len(frame) for frame in newest.frames)
    if newest.missing or not (has_bars or newest.unknown or newest.no_trade):
        raise typer.Exit(1)
