"""``run`` is the node on the live market: one session after the other, until stopped."""

from __future__ import annotations

import os
from functools import partial

import anyio
import typer

import tapeline
from tapeline.cli.settings import ConfigOption, load_settings
from tapeline.cli.show import Progress
from tapeline.cli.stopping import until_stopped
from tapeline.core.config import Config
from tapeline.core.home import Home, default_home


def add_to(app: typer.Typer) -> None:
    """Add the verb ``run``."""
    app.command()(run)


def run(config: ConfigOption = None) -> None:
    """Watch the live market with your vendor key and trade it on paper, until stopped."""
    settings = load_settings(config).config
    anyio.run(until_stopped, partial(_live, settings, default_home(os.environ)))


async def _live(config: Config, home: Home) -> None:
    from tapeline.app import open_desk
    from tapeline.core.clock import actor
    from tapeline.loop.opening import open_book
    from tapeline.loop.session import run_session
    from tapeline.loop.show import Board

    def say(line: str) -> None:
        typer.echo(line, err=True)

    board = Board(config, mode="live", version=tapeline.__version__)
    async with open_desk(config, home, os.environ, board, replay=False, say=say) as desk, actor(desk.clock):
        while True:
            session = desk.calendar.next_session(desk.clock.now_ns())
            say(f"next session: {session.day}, open in {max(0, session.open_ns - desk.clock.now_ns()) / 6e10:.0f} min")
            await desk.clock.sleep_until(session.open_ns - 15 * 60 * 10**9)
            board.show_state("history")
            with Progress("history") as progress:
                book = await open_book(desk, session, fresh=False, progress=progress.update)
            with Progress(f"session {session.day}") as progress:
                await run_session(desk, book, progress.update, board)
