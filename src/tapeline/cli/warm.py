"""``warm`` compiles the kernels once, so that no later start waits for the compiler."""

from __future__ import annotations

import time

import typer

from tapeline.cli.settings import JsonOption
from tapeline.cli.show import Progress


def add_to(app: typer.Typer) -> None:
    """Add the verb ``warm``."""
    app.command()(warm)


def warm(as_json: JsonOption = False) -> None:
    """Compile every kernel and keep the machine code on disk."""
    from tapeline import kernels
    from tapeline.kernels import greeks
    from tapeline.live import warm as live
    from tapeline.scan import warm as scan

    started = time.perf_counter()
    with Progress("compiling indicators", quiet=as_json) as progress:
        compiled = kernels.warm(progress=progress.update)
    with Progress("compiling Greeks", quiet=as_json) as progress:
        compiled += greeks.warm(progress=progress.update)
    with Progress("compiling ticks", quiet=as_json) as progress:
        compiled += live.warm(progress=progress.update)
    with Progress("compiling scans", quiet=as_json) as progress:
        compiled += scan.warm(progress=progress.update)
    seconds = time.perf_counter() - started
    if as_json:
        typer.echo(f'{{"kernels":{compiled},"compile_s":{seconds:.2f}}}')
