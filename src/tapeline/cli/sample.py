"""``sample`` writes a larger universe, resampled from the real one and labelled so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
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
    from tapeline.sim.market import REAL_SYMBOLS
    from tapeline.sim.resample import sample_universe

    sample_universe(out, symbols, seed)
    resampled = max(0, symbols - REAL_SYMBOLS)
    if as_json:
        told = {"symbols": symbols, "resampled": resampled, "seed": seed, "path": str(out)}
        typer.echo(msgspec.json.encode(told).decode())
    else:
        typer.echo(f"wrote {out}: {symbols - resampled} real symbols and {resampled} resampled ones; replay them with")
        typer.echo(f"  TAPELINE_REPLAY__UNIVERSE={out} tapeline demo")
