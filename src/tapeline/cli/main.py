"""Puts the verbs together and turns every error that a person can mend into one sentence and exit code 2."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import tapeline
from tapeline.cli import bench, demo, process, run_node, sample, settings, warm
from tapeline.core.errors import BadInput, TapelineError
from tapeline.core.telemetry import configure_logging

app = typer.Typer(
    name="tapeline",
    help="From tick to trade: poll a whole market, stream it, scan it, weigh independent sources, trade on paper.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tapeline {tapeline.__version__}")
        raise typer.Exit


@app.callback()
def common(
    log_level: Annotated[
        str, typer.Option(help="debug, info, warning or error; lines go to standard error.")
    ] = "warning",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Options of every verb."""
    del version
    if log_level not in ("debug", "info", "warning", "error"):
        raise BadInput(f"--log-level is {log_level!r}: choose debug, info, warning or error")
    configure_logging(log_level)


for verb in (demo, run_node, warm, settings, sample, bench, process):
    verb.add_to(app)


def run() -> None:
    """Run the verb that the person asked for, and exit."""
    try:
        app()
    except BadInput as error:
        typer.echo(f"tapeline: {error}", err=True)
        sys.exit(BadInput.exit_code)
    except TapelineError as error:
        typer.echo(f"tapeline: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("tapeline: stopped", err=True)
        sys.exit(130)
