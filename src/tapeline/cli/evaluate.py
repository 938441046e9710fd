"""``evaluate`` writes the tear sheet of a score: what ranking by it would have been worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tapeline.cli.settings import ConfigOption, JsonOption, load_settings
from tapeline.cli.train import UniverseOption, read_history


def add_to(app: typer.Typer) -> None:
    """Add the verb ``evaluate``."""
    app.command()(evaluate)


def evaluate(
    score: Annotated[str, typer.Argument(help="return_5, return_10, up_10, a feature, or an expression: -roc_5.")],
    universe: UniverseOption = None,
    horizon: Annotated[int, typer.Option(min=1, max=60, help="Sessions ahead.")] = 5,
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("tearsheet.html"),
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a score over history: rank IC, gain by tenth, turnover, decay."""
    from tapeline.scan.evaluate import evaluate as judged
    from tapeline.scan.evaluate import write_sheet

    sheet, ics = judged(read_history(universe), score, load_settings(config).config.ml, horizon=horizon)
    write_sheet(sheet, ics, out)
    if as_json:
        typer.echo(msgspec.json.encode(sheet).decode())
    else:
        typer.echo(sheet.verdict)
        typer.echo(f"the tear sheet is {out}")
