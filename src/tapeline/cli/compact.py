"""``compact`` puts a home in order by hand: what the node does by itself at the end of every session."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import anyio
import msgspec
import typer

from tapeline.cli.disk import line_of, usage_of
from tapeline.cli.settings import ConfigOption, JsonOption, load_settings
from tapeline.core.config import Config
from tapeline.core.errors import BadInput
from tapeline.core.home import Home, default_home

if TYPE_CHECKING:
    from tapeline.store.retention import Tidied


def add_to(app: typer.Typer) -> None:
    """Add the verb ``compact``."""
    app.command()(compact)


def compact(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Roll old bars into Parquet files by date, drop what is too old, and shrink the journal; no node may run."""
    settings, home = load_settings(config).config, default_home(os.environ)
    if not home.journal_path.exists():
        raise BadInput(f"there is no journal in {home.path}: start a node first, or set TAPELINE_HOME to its home")
    with home.claim():
        done = anyio.run(partial(_tidy, settings, home))
    told = usage_of(home, settings)
    if as_json:
        typer.echo(msgspec.json.encode({**msgspec.to_builtins(done, str_keys=True), **told}).decode())
        return
    typer.echo(f"{done.rolled_bars:,} bars rolled, days: {len(done.rolled_days)}; the journal's file is rewritten")
    for part, names in done.dropped.items():
        typer.echo(f"dropped of {part}: {', '.join(names[:10])}{' ...' if len(names) > 10 else ''}")
    typer.echo(line_of(told))
    if done.alert:
        typer.echo(f"tapeline: {done.alert}", err=True)


async def _tidy(config: Config, home: Home) -> Tidied:
    from tapeline.store.journal import Journal
    from tapeline.store.retention import tidy

    async with await Journal.open(home.journal_path, commit_rows=config.store.commit_rows) as journal:
        return await tidy(journal, config.retention, compact=True)
