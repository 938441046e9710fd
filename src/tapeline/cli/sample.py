"""``sample`` writes data that comes with Tapeline: a larger universe, resampled and labelled so, or real samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tapeline.cli.settings import JsonOption
from tapeline.core.errors import BadInput
from tapeline.core.types import Label
from tapeline.data.samples import SAMPLES, Sample

UNIVERSE = "universe"
PREFIX = "sample:"
_NEXT = {
    "ticks": "tapeline ticks load {out}",
    "minutes": "tapeline import bars {out} --timeframe 1min",
    "chains": "tapeline ticks load {out}",
}


def add_to(app: typer.Typer) -> None:
    """Add the verb ``sample``."""
    app.command()(sample)


def file_or_sample(file: Path) -> Path:
    """Return where a file lies that a person named, or the shipped one when it was named as ``sample:NAME``."""
    text = str(file)
    if not text.startswith(PREFIX):
        return file
    name = text.removeprefix(PREFIX)
    if name not in SAMPLES:
        raise BadInput(f"there is no sample {name!r}: choose {', '.join(PREFIX + known for known in SAMPLES)}")
    return SAMPLES[name].path


def sample(
    what: Annotated[
        str, typer.Argument(help=f"{UNIVERSE}, {', '.join(SAMPLES)}, or list to see what these are.")
    ] = UNIVERSE,
    out: Annotated[
        Path | None, typer.Option(help="File to write, .parquet or .csv (a universe: .parquet); named by default.")
    ] = None,
    symbols: Annotated[int, typer.Option(min=1, max=100_000, help="How many symbols a universe has.")] = 6000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same universe.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Write a larger universe resampled from the shipped real days, or a real sample of trades, minutes, options."""
    if what == UNIVERSE:
        _universe(out or Path("universe.parquet"), symbols, seed, as_json)
    elif what == "list":
        _list(as_json)
    elif what in SAMPLES:
        _real(SAMPLES[what], out or Path(SAMPLES[what].file), as_json)
    else:
        raise BadInput(f"there is no sample {what!r}: choose {UNIVERSE}, {', '.join(SAMPLES)}, or list")


def _universe(out: Path, symbols: int, seed: int, as_json: bool) -> None:
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


def _list(as_json: bool) -> None:
    if as_json:
        told = [{"name": each.name, "about": each.about, "label": Label.REAL} for each in SAMPLES.values()]
        typer.echo(msgspec.json.encode(told).decode())
        return
    typer.echo(f"{UNIVERSE:10}{Label.RESAMPLED:11}daily bars of as many symbols as --symbols says")
    for each in SAMPLES.values():
        typer.echo(f"{each.name:10}{Label.REAL:11}{each.about}")


def _real(chosen: Sample, out: Path, as_json: bool) -> None:
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    table = pq.read_table(chosen.path)
    try:
        if out.suffix == ".csv":
            pa_csv.write_csv(table, out)
        else:
            pq.write_table(table, out, compression="zstd")
    except OSError as error:
        raise BadInput(f"{out} cannot be written: {error.strerror or error}") from None
    if as_json:
        told = {"name": chosen.name, "rows": table.num_rows, "label": Label.REAL, "path": str(out)}
        typer.echo(msgspec.json.encode(told).decode())
    else:
        typer.echo(f"wrote {out}, {table.num_rows:,} rows: {chosen.about}; take it in with")
        typer.echo(f"  {_NEXT[chosen.name].format(out=out)}")
