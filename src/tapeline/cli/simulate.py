"""``sim`` runs the vendor simulator alone, so that any client of the vendors can be pointed at it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from tapeline.cli.settings import ConfigOption, load_settings


def add_to(app: typer.Typer) -> None:
    """Add the verb ``sim``."""
    app.command("sim")(simulate)


def simulate(
    port: Annotated[int | None, typer.Option(help="Port on this machine; 0 takes a free one.")] = None,
    day: Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Trading day to replay.")] = None,
    faults: Annotated[Path | None, typer.Option(help="TOML file of faults to make.")] = None,
    config: ConfigOption = None,
) -> None:
    """Serve the simulated vendors on 127.0.0.1 until stopped; prints its address as JSON once it listens."""
    from tapeline.sim.__main__ import main

    settings = load_settings(config).config
    replay = settings.replay
    argv = ["--port", str(replay.port if port is None else port)]
    argv += ["--day", (day.date() if day else replay.day).isoformat()]
    argv += ["--seed", str(settings.node.seed), "--symbols", str(replay.symbols), "--plan", "plus"]
    argv += ["--universe", replay.universe] if replay.universe else []
    argv += ["--faults", str(faults or replay.faults)] if faults or replay.faults else []
    raise typer.Exit(main(argv))
