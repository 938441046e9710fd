"""Puts the verbs together and turns every error that a person can mend into one sentence and exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

import tapeline
from tapeline.cli import (
    audit,
    bench,
    compact,
    demo,
    dlq,
    evaluate,
    import_,
    lanes,
    poll,
    process,
    run_node,
    sample,
    scan,
    settings,
    simulate,
    status,
    sync,
    ticks,
    train,
    warm,
    watchlist,
)
from tapeline.cli.words import one_line, sentence_of
from tapeline.core.errors import BadInput, TapelineError
from tapeline.core.telemetry import configure_logging

STOPPED = 130
"""Typer's exit code after Ctrl-C, as shells have it."""

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


for verb in (
    demo,
    run_node,
    scan,
    train,
    evaluate,
    audit,
    poll,
    sync,
    import_,
    watchlist,
    status,
    compact,
    settings,
    warm,
    sample,
    simulate,
    bench,
    process,
    lanes,
    dlq,
    ticks,
):
    verb.add_to(app)


def run() -> None:
    """Run the verb that the person asked for, and exit."""
    sys.exit(outcome_of(app))


def outcome_of(command: Callable[..., Any]) -> int:
    """Run ``command`` and return its exit code; every error that has a sentence says it on standard error.

    2 for what the person can mend, 1 for what failed otherwise, 130 after Ctrl-C. Anything else is a bug and is raised.
    """
    try:
        # Otherwise the parser would print its own errors, in lines of its own.
        code = command(standalone_mode=False) if isinstance(command, typer.Typer) else command()
    except typer.TyperException as error:
        return _say_unparsed(error)
    except (TapelineError, BaseExceptionGroup) as error:
        known = _sole(error)
        if known is None:
            raise
        typer.echo(f"tapeline: {one_line(str(known))}", err=True)
        return BadInput.exit_code if isinstance(known, BadInput) else 1
    if code == STOPPED:
        typer.echo("tapeline: stopped", err=True)
    return code if isinstance(code, int) else 0


def _say_unparsed(error: typer.TyperException) -> int:
    """Say what is wrong with the words that were typed; a verb that needs another one shows its help."""
    help_text = error.format_message()
    if help_text.startswith("Usage:"):
        typer.echo(help_text, err=True)
    else:
        typer.echo(f"tapeline: {sentence_of(error)}", err=True)
    return BadInput.exit_code


def _sole(error: BaseException) -> TapelineError | None:
    """Return our own error out of what a task group wrapped, or None when anything else is among it."""
    leaves = [error]
    while groups := [leaf for leaf in leaves if isinstance(leaf, BaseExceptionGroup)]:
        leaves = [leaf for leaf in leaves if leaf not in groups] + [part for g in groups for part in g.exceptions]
    ours = [leaf for leaf in leaves if isinstance(leaf, TapelineError)]
    return ours[0] if len(ours) == len(leaves) else None
