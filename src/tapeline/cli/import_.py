"""``import`` takes a person's own bars or ticks into the journal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import anyio
import msgspec
import typer

from tapeline.cli.sample import file_or_sample
from tapeline.cli.settings import ConfigOption, JsonOption, load_settings
from tapeline.core.errors import BadInput
from tapeline.core.home import default_home
from tapeline.core.types import DAY_S, MINUTE_S, BarFrame

TIMEFRAMES_S = {"1min": MINUTE_S, "5min": 5 * MINUTE_S, "15min": 15 * MINUTE_S, "1hour": 60 * MINUTE_S, "1day": DAY_S}
File = Annotated[Path, typer.Argument(help="CSV with a header line, Parquet, or a shipped sample:NAME.")]
importing = typer.Typer(help="Take your own CSV or Parquet into the journal.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the verbs ``import bars|ticks``."""
    app.add_typer(importing, name="import")


@importing.command()
def bars(
    file: File,
    timeframe: Annotated[str, typer.Option(help="1min, 5min, 15min, 1hour or 1day.")] = "1day",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Take bars: columns symbol, time, open, high, low, close, volume, and vwap and trades where there are any."""
    from tapeline.feed.imports import read_bars

    if timeframe.lower() not in TIMEFRAMES_S:
        raise BadInput(f"--timeframe is {timeframe!r}: choose {', '.join(TIMEFRAMES_S)}")
    _keep(read_bars(file_or_sample(file), TIMEFRAMES_S[timeframe.lower()]), file, as_json, config)


@importing.command()
def ticks(file: File, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Take trades, as the minute bars they make: columns symbol, time, price, size."""
    from tapeline.feed.imports import read_ticks

    _keep(read_ticks(file_or_sample(file)), file, as_json, config)


def _keep(frame: BarFrame, file: Path, as_json: bool, config: Path | None) -> None:
    """Write the bars down, and say what they were."""
    from tapeline.store.batch import JournalBatch
    from tapeline.store.journal import Journal

    settings, home = load_settings(config).config, default_home(os.environ)

    async def write() -> None:
        async with await Journal.open(home.journal_path, commit_rows=settings.store.commit_rows) as journal:
            await journal.write(JournalBatch(frames=(frame,)))

    with home.claim():
        anyio.run(write)
    symbols = len(set(frame.symbols))
    if as_json:
        told = {"file": str(file), "bars": len(frame), "symbols": symbols, "timeframe_s": frame.timeframe_s}
        typer.echo(msgspec.json.encode(told).decode())
    else:
        typer.echo(f"{len(frame)} bars of {frame.timeframe_s} s, {symbols} symbols, are in the journal")
