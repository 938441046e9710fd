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
    from tapeline.cli.poll_record import Record, Replay
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
    record: Annotated[
        Path | None, typer.Option(help="Keep all answers, without secrets, in this new folder.", metavar="DIR")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Poll once more what was kept there: no network, no key.", metavar="DIR")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Ask the vendor, or the server in its place, for minute bars and print them."""
    if replay is not None:
        if record or symbols or once or cycles is not None or stream or strategy or mode or config:
            raise BadInput("--replay repeats a recording as it was made: leave out everything else but --json")
        anyio.run(until_stopped, partial(_replay, replay, as_json))
        return
    if once and (cycles is not None or stream):
        raise BadInput("--once is one look at the newest minute: leave out --cycles and --stream, or --once")
    if record is not None and stream:
        raise BadInput("--record keeps requests and their answers, and a stream has none: leave out --stream")
    read = partial(_settings, config, strategy, mode)
    settings, named = read(), wanted_symbols(symbols)
    wanted = named or _watched()
    tape = None if record is None else _begin(record, wanted, once, cycles)
    if once:
        anyio.run(partial(_once, settings, wanted, as_json, tape))
        return
    from tapeline.cli.poll_watch import watch
    from tapeline.feed.watchlist import WatchedFile

    def watch_settings(poller: Poller) -> Callable[[], None]:
        return partial(_retune, WatchedFile(settings_path(config)), read, poller) if tape is None else _stay

    follows = not named and tape is None
    watching = partial(watch, settings, wanted, as_json, cycles, stream, follows, watch_settings, tape)
    anyio.run(until_stopped, watching)


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


def _watched() -> tuple[str, ...]:
    from tapeline.feed.watchlist import read_watchlist

    return read_watchlist(watchlist_path())


def _begin(folder: Path, wanted: tuple[str, ...], once: bool, cycles: int | None) -> Record:
    from tapeline.cli.poll_record import Record

    return Record(folder, wanted, once, cycles)


def _stay() -> None:
    """Change no settings on the way."""


async def _once(config: Config, wanted: tuple[str, ...], as_json: bool, tape: Record | Replay | None = None) -> None:
    """Print the newest minute; exit code 1 when a page failed or no symbol is left to ask for."""
    from tapeline.cli.poll_once import newest_minute
    from tapeline.cli.vendor import open_vendor

    async with open_vendor(config, os.environ, tape) as vendor:
        newest = await newest_minute(vendor, wanted)
    show_newest(as_json, newest)
    has_bars = any(len(frame) for frame in newest.frames)
    if newest.missing or not (has_bars or newest.unknown or newest.no_trade):
        raise typer.Exit(1)


async def _replay(folder: Path, as_json: bool) -> None:
    """Poll a recording once more, to its end."""
    from tapeline.cli.poll_record import Replay
    from tapeline.cli.poll_watch import watch

    replay = Replay(folder)
    recipe, settings = replay.recipe, replay.settings()
    with anyio.CancelScope() as scope:
        replay.stop = scope.cancel
        if recipe.once:
            await _once(settings, recipe.wanted, as_json, replay)
        else:
            await watch(settings, recipe.wanted, as_json, recipe.cycles, False, False, lambda _poller: _stay, replay)
    replay.check()
