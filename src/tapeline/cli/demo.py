"""``demo`` replays a day from the vendors' wire to booked fills, in a fresh home, and says what it did."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer

from tapeline.cli.report import print_report
from tapeline.cli.settings import ConfigOption, JsonOption, load_settings
from tapeline.cli.show import Progress
from tapeline.cli.stopping import until_stopped
from tapeline.core.config import Config
from tapeline.core.home import Home


def add_to(app: typer.Typer) -> None:
    """Add the verb ``demo``."""
    app.command()(demo)


def demo(
    leave: Annotated[bool, typer.Option("--exit", help="End by itself, also on a terminal.")] = False,
    as_json: JsonOption = False,
    export: Annotated[Path | None, typer.Option(help="Folder for the run's bars, signals and ledger.")] = None,
    home: Annotated[Path | None, typer.Option(help="A home to keep, instead of a temporary one.")] = None,
    config: ConfigOption = None,
) -> None:
    """Replay the flash crash of 6 May 2010 over 524 real names, from wire to booked fill."""
    settings = load_settings(config).config
    stay = sys.stdin.isatty() and not leave
    if home is not None:
        anyio.run(until_stopped, partial(_replay, settings, Home(home.resolve()), export, as_json, stay))
        return
    with tempfile.TemporaryDirectory(prefix="tapeline-") as folder:
        anyio.run(until_stopped, partial(_replay, settings, Home(Path(folder)), export, as_json, stay))


async def _replay(config: Config, home: Home, export: Path | None, as_json: bool, stay: bool) -> None:
    from tapeline.app import open_desk
    from tapeline.core.clock import actor
    from tapeline.loop.opening import open_book
    from tapeline.loop.session import run_session
    from tapeline.loop.summary import summarise

    started = time.perf_counter()
    async with open_desk(config, home, os.environ, replay=True, say=_say) as desk, actor(desk.clock):
        session = desk.calendar.session(config.replay.day)
        with Progress("history") as progress:
            book = await open_book(desk, session, fresh=True, progress=progress.update)
        with Progress(f"replaying {config.replay.day}") as progress:
            await run_session(desk, book, progress.update)
        summary = await summarise(desk, book, time.perf_counter() - started)
        if export is not None:
            await desk.journal.export(export)
        if not as_json:
            await print_report(desk, book, summary)
        if stay:
            _say(f"the node stays up in {home.path}; Ctrl-C ends it")
            await anyio.sleep_forever()
    if as_json:
        typer.echo(msgspec.json.encode(summary).decode())


def _say(line: str) -> None:
    typer.echo(line, err=True)
