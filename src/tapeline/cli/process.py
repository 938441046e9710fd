"""``process`` is one worker: it leases lanes, turns their ticks into bars and indicators, and gives them back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from tapeline.cli.settings import ConfigOption, load_settings
from tapeline.core.config import Config
from tapeline.core.errors import BadInput
from tapeline.core.home import default_home


def add_to(app: typer.Typer) -> None:
    """Add the verb ``process``."""
    app.command()(process)


def process(
    address: Annotated[str, typer.Option(help="Stream server; that of the running node by default.")] = "",
    name: Annotated[str, typer.Option(help="What the worker is called in logs and leases.")] = "worker",
    workers: Annotated[int, typer.Option(min=0, max=64, help="Processes; 0 takes 70 % of the cores.")] = 1,
    marks: Annotated[
        Path | None, typer.Option(help="Where it is kept how far lanes were applied; in the home by default.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Be one worker of a node, or several, on this machine or another, until stopped."""
    from tapeline.app import work
    from tapeline.streams.pool import start_stream_processor

    settings = load_settings(config).config
    where = address or stream_address(settings, os.environ)
    if workers == 1:
        work(settings, where, name, marks or default_home(os.environ).marks_path)
        return
    with start_stream_processor(where, workers or None, config=config) as running:
        running.wait()


def stream_address(settings: Config, environ: Mapping[str, str]) -> str:
    """Return the stream server of the settings, or of the node that runs; raise ``BadInput`` when there is none."""
    if settings.streams.redis_url:
        return settings.streams.redis_url
    home = default_home(environ)
    note = home.read_note()
    if note is None:
        raise BadInput(f"no node runs in {home.path}: start one with `tapeline run`, or name a server with --address")
    return note.valkey
