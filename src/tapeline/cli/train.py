"""``train`` grows the models, fold by fold, and writes their card: what they were worth on days they had not seen."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from tapeline.cli.settings import ConfigOption, JsonOption, load_settings
from tapeline.cli.show import Progress
from tapeline.core.errors import BadInput

if TYPE_CHECKING:
    from tapeline.grid.history import History

UniverseOption = Annotated[
    Path | None, typer.Option(help="A universe file of `tapeline sample`; the shipped 524 names without it.")
]
DEFAULT_FOLDER = Path("models")


def read_history(universe: Path | None, until: dt.date | None = None) -> History:
    """Return the sessions of a universe, and tell on standard error which symbols and bars were left out, and why."""
    from tapeline.grid.history import load_history

    history = load_history(universe, until)
    for symbol, reason in [*history.refused.items(), *history.doubts.items()]:
        typer.echo(f"{symbol}: {reason}", err=True)
    return history


def add_to(app: typer.Typer) -> None:
    """Add the verb ``train``."""
    app.command()(train)


def train(
    universe: UniverseOption = None,
    until: Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last session to know.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the folds and their card.")] = DEFAULT_FOLDER,
    seed: Annotated[int, typer.Option(min=0, help="Same data and seed, same models.")] = 7,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the models by purged, embargoed walk-forward and say what they are worth."""
    from tapeline.core.types import Label
    from tapeline.ml.card import build_card, write_card
    from tapeline.ml.fold_file import write_fold
    from tapeline.ml.train import build_table
    from tapeline.ml.train import train as grow_folds

    settings = load_settings(config).config.ml
    if device not in ("", "cpu", "cuda"):
        raise BadInput(f"--device is {device!r}: choose cpu or cuda")
    if device:
        settings = msgspec.convert({**msgspec.to_builtins(settings), "device": device}, type(settings))
    table = build_table(read_history(universe, until.date() if until else None))
    label = Label.REAL if universe is None else Label.RESAMPLED
    with Progress("training", quiet=as_json) as progress:
        judged = grow_folds(table, settings, seed=seed, label=label, progress=progress.update)
    for fold in judged:
        write_fold(fold.file, out)
    card = build_card(table, judged)
    _, page = write_card(card, table, judged, out)
    if as_json:
        typer.echo(msgspec.json.encode(card).decode())
        return
    for target in card.targets:
        typer.echo(f"{target.target:>10}  {target.verdict}")
    typer.echo(card.verdict)
    typer.echo(f"{len(judged)} folds in {out}; the card is {page}")
