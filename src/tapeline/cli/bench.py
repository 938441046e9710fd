"""``bench NAME`` measures us beside named peers in one run; its last line is one JSON object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import typer

from tapeline.cli.settings import JsonOption


def add_to(app: typer.Typer) -> None:
    """Add the verb ``bench``."""
    app.command()(bench)


def bench(
    name: Annotated[str, typer.Argument(help="Which one; `all` runs them all.")],
    as_json: JsonOption = False,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller inputs, the same figures.")] = False,
) -> None:
    """Measure a part beside its peers on the same input."""
    from tapeline.bench import run_bench

    for envelope in run_bench(name, quick=quick):
        if not as_json:
            for key, value in envelope["results"].items():
                typer.echo(f"{envelope['bench']:>10}  {key:<28} {value}")
            show_table(envelope.get("table", []))
        typer.echo(msgspec.json.encode(envelope).decode())


def show_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of the same columns, each as wide as its widest cell."""
    if not rows:
        return
    lines = [list(rows[0]), *([f"{value:,}" for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)))
