"""``sample`` writes a larger universe, resampled from the real one and labelled so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tapeline.cli.settings import JsonOption


def add_to(app: typer.Typer) -> None:
    """Add the verb ``sample``."""
    app.command()(sample)


def sample(
    symbols: Annotated[int, typer.Option(min=1, max=100_000, help="How many symbols.")] = 6000,
    out: Annotated[Path, typer.Option(help="Parquet file to write.")] = Path("universe.parquet"),
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same universe.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Resample the shipped real days into a larger universe, as a Parquet file."""
    from tapeline.app import sample_universe

    rows = sample_universe(symbols, seed, out)
    if as_json:
        typer.echo(f'{{"symbols":{symbols},"rows":{rows},"label":"resampled","path":"{out}"}}')
    else:
        typer.echo(f"{out}: {symbols} symbols, {rows} daily bars, resampled from real ones")
