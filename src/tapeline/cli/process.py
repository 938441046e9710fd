"""``process`` is one worker or several: lanes are leased, their ticks made bars and indicators, and given back."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from tapeline.cli.settings import ConfigOption, load_settings
from tapeline.cli.stopping import interrupted_by_sigterm
from tapeline.core.config import Config
from tapeline.core.errors import BadInput
from tapeline.core.home import default_home


def add_to(app: typer.Typer) -> None:
    """Add the verb ``process``."""
    app.command()(process)


def process(
    address: Annotated[str, typer.Option(help="Stream server; that of settings or node by default.")] = "",
    name: Annotated[str, typer.Option(help="What the worker is called in logs and leases.")] = "worker",
    workers: Annotated[
        int | None,
        typer.Option(min=0, max=64, help="Processes; streams.workers by default, 0 takes 70 % of the cores."),
    ] = None,
    marks: Annotated[
        Path | None, typer.Option(help="Where it is kept how far lanes were applied; in the home by default.")
    ] = None,
    logs: Annotated[
        Path | None, typer.Option(help="Folder of the logs of several workers; in the home by default.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Be one worker of a node, or several, on this machine or another, until stopped.

    Statistics go to standard error every streams.stats_s seconds, unless `tapeline --log-level error` says otherwise.
    """
    from tapeline.app import work
    from tapeline.streams.pool import check_name, make_folder, start_stream_processor
    from tapeline.streams.watch import PERFORMANCE
    from tapeline.streams.worker import worker_count

    settings = load_settings(config).config
    where = address or stream_address(settings, os.environ)
    streams = settings.streams
    n = worker_count(streams.workers if workers is None else workers, least=streams.min_workers)
    if n == 1:
        if logging.getLogger().isEnabledFor(logging.WARNING):
            logging.getLogger(PERFORMANCE).setLevel(logging.INFO)
        check_name(name)
        kept = marks or default_home(os.environ).marks_path
        make_folder(kept, "the marks")
        work(settings, where, name, kept)
        return
    pool = partial(start_stream_processor, where, n, config=config, name=name, marks=marks, logs=logs)
    with suppress(KeyboardInterrupt), interrupted_by_sigterm(), pool() as running:  # ends as one worker alone does
        typer.echo(f"{n} workers; their logs are {running.log_path(0)} and beside it", err=True)
        running.wait(partial(typer.echo, err=True))


def stream_address(settings: Config, environ: Mapping[str, str]) -> str:
    """Return the stream server of the settings, or of the node that runs; raise ``BadInput`` when there is none."""
    if settings.streams.redis_url:
        return settings.streams.redis_url
    home = default_home(environ)
    note = home.read_note()
    if note is None:
        raise BadInput(f"no node runs in {home.path}: start one with `tapeline run`, or name a server with --address")
    return note.valkey
