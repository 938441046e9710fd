"""``audit lookahead`` alters the future and shows that no feature of the past moves."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from tapeline.cli.settings import JsonOption
from tapeline.cli.train import UniverseOption, read_history

audits = typer.Typer(no_args_is_help=True, help="Proofs that can be run.", rich_markup_mode=None)


def add_to(app: typer.Typer) -> None:
    """Add the verb ``audit`` and its parts."""
    app.add_typer(audits, name="audit")


@audits.callback()
def common() -> None:
    """Proofs that can be run."""


@audits.command()
def lookahead(
    universe: UniverseOption = None,
    moments: Annotated[int, typer.Option(min=1, max=50, help="At how many moments the future is altered.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Decides how the future is altered.")] = 7,
    as_json: JsonOption = False,
) -> None:
    """Change every bar after a moment, and show which features up to it changed: none may."""
    import numpy as np

    from tapeline.core.errors import TapelineError
    from tapeline.ml.audit import audit_lookahead
    from tapeline.ml.cross import group_codes
    from tapeline.ml.features import CONTRACT, feature_history

    history = read_history(universe)
    sectors = group_codes(history.about.sectors)
    rows = np.unique(np.linspace(history.grid.n_bars // 2, history.grid.n_bars - 2, moments).astype(int)).tolist()
    found = audit_lookahead(history.grid, lambda grid: feature_history(grid, sectors), CONTRACT.names, rows, seed)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        days = ", ".join(str(history.days[row]) for row in found.rows)
        typer.echo(f"{found.features} features, {found.cells:,} cells; the future altered after {days}")
        typer.echo("nothing known before has changed" if not found.peeks else f"{len(found.peeks)} peeks at the future")
    if found.peeks:
        worst = found.peeks[0]
        raise TapelineError(
            f"{worst.feature} knew the future: {worst.cells} of its cells up to row {worst.row} changed"
        )
