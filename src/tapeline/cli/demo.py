"""``demo`` replays a day from the vendors' wire to booked fills, in a fresh home, and says what it did."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import anyio
import msgspec
import typer

import tapeline
from tapeline.cli.settings import ConfigOption, JsonOption, load_settings
from tapeline.cli.show import Progress
from tapeline.cli.stopping import until_stopped
from tapeline.core.config import Config
from tapeline.core.config.load import Loaded
from tapeline.core.errors import BadInput
from tapeline.core.home import Home

Llm = Literal["embedded", "sim", "endpoint", "none"]
Mode = Literal["streaming", "sequential"]

SIM_TICKERS = 10
"""Tickers of a run with the simulator's model."""


def add_to(app: typer.Typer) -> None:
    """Add the verb ``demo``."""
    app.command()(demo)


def demo(
    leave: Annotated[bool, typer.Option("--exit", help="End by itself, also on a terminal.")] = False,
    as_json: JsonOption = False,
    export: Annotated[Path | None, typer.Option(help="Folder for the run's bars, signals and ledger.")] = None,
    home: Annotated[Path | None, typer.Option(help="A home to keep, instead of a temporary one.")] = None,
    llm: Annotated[Llm | None, typer.Option(help="Who thinks: embedded, sim, endpoint or none.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="The run from discovery to trade: streaming or sequential.")] = None,
    config: ConfigOption = None,
) -> None:
    """Replay the flash crash of 6 May 2010 over 524 real names, from wire to booked fill, on a page to watch."""
    settings = with_choices(load_settings(config), llm, mode)
    stay = sys.stdin.isatty() and not leave
    if export is not None:
        make_folder(export)
    if home is not None:
        anyio.run(until_stopped, partial(_replay, settings, Home(home.resolve()), export, as_json, stay))
        return
    with tempfile.TemporaryDirectory(prefix="tapeline-") as folder:
        anyio.run(until_stopped, partial(_replay, settings, Home(Path(folder)), export, as_json, stay))


def make_folder(path: Path) -> None:
    """Make the folder of an export, so that a run does not find at its end that it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--export {path} cannot be used: {error.strerror}; give a folder you may write") from None


def with_choices(loaded: Loaded, llm: Llm | None, mode: Mode | None) -> Config:
    """Return the settings with what the command line chose.

    A model that answers at once thinks about more tickers, unless a number was set.
    """
    replaced = msgspec.structs.replace
    config = loaded.config
    try:
        config = config if llm is None else replaced(config, llm=replaced(config.llm, kind=llm))
    except ValueError as error:
        raise BadInput(f"--llm {llm}: {error}") from None
    if mode is not None:
        config = replaced(config, loop=replaced(config.loop, mode=mode))
    if config.llm.kind == "sim" and loaded.origins["loop.max_tickers"] == "default":
        config = replaced(config, loop=replaced(config.loop, max_tickers=SIM_TICKERS))
    return config


async def _replay(config: Config, home: Home, export: Path | None, as_json: bool, stay: bool) -> None:
    from tapeline.app import open_desk
    from tapeline.cli.report import print_report
    from tapeline.core.clock import actor
    from tapeline.loop.opening import open_book
    from tapeline.loop.session import run_session
    from tapeline.loop.show import Board
    from tapeline.loop.summary import summarise

    started = time.perf_counter()
    board = Board(config, mode="replay", version=tapeline.__version__)
    async with open_desk(config, home, os.environ, board, replay=True, say=_say) as desk, actor(desk.clock):
        session = desk.calendar.session(config.replay.day)
        with Progress("history") as progress:
            book = await open_book(desk, session, fresh=True, progress=progress.update)
        with Progress(f"replaying {config.replay.day}") as progress:
            await run_session(desk, book, progress.update, board)
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
