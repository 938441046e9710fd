"""``process`` is one worker: it leases lanes, turns their ticks into bars and indicators, and gives them back."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from tapeline.cli.settings import ConfigOption, load_settings
from tapeline.core.errors import BadInput
from tapeline.core.home import default_home


def add_to(app: typer.Typer) -> None:
    """Add the verb ``process``."""
    app.command()(process)


def process(
    address: Annotated[str, typer.Option(help="Stream server; that of the running node by default.")] = "",
    name: Annotated[str, typer.Option(help="What the worker is called in logs and leases.")] = "worker",
    config: ConfigOption = None,
) -> None:
    """Be one worker of a node, on this machine or another, until stopped."""
    from tapeline.app import work

    settings = load_settings(config).config
    work(settings, address or settings.streams.redis_url or _address_of_node(), name)


def _address_of_node() -> str:
    home = default_home(os.environ)
    note = home.read_note()
    if note is None:
        raise BadInput(f"no node runs in {home.path}: start one with `tapeline run`, or name a server with --address")
    return note.valkey
