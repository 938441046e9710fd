"""The look-ahead audit: alter the future, and nothing that was known before may move.

In: a grid and a way to make features of it.  Out: ``Audit``, with every cell that knew what it could not know.
Refuses to be satisfied with one altered future: every field of every later bar is changed, at several moments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tapeline.core.errors import BadInput
from tapeline.core.types import BAR_FIELDS, F64
from tapeline.grid import BarGrid
from tapeline.ml.features import F32

MakeFeatures = Callable[[BarGrid], F32]
"""A grid to features of every row, float32 (n_bars, n_symbols, n_features)."""


@dataclass(frozen=True, slots=True)
class Peek:
    """A feature that changed when only the future did: where, and how many cells at or before that row."""

    feature: str
    row: int
    cells: int


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit looked at and found; clean when ``peeks`` is empty."""

    features: int
    rows: tuple[int, ...]
    cells: int
    peeks: tuple[Peek, ...]


def audit_lookahead(grid: BarGrid, make: MakeFeatures, names: Sequence[str], rows: Sequence[int], seed: int) -> Audit:
    """Alter everything after each of ``rows`` and compare the features up to it, bit by bit.

    Parameters
    ----------
    make
        Features of all rows of a grid.
    rows
        The last known row of each trial; one row at least must come after it.
    seed
        Decides how the future is altered.
    """
    if not rows or not all(0 <= row < grid.n_bars - 1 for row in rows):
        raise BadInput(f"rows to audit must lie in 0..{grid.n_bars - 2}: something has to come after them")
    known = make(grid)
    peeks: list[Peek] = []
    for row in rows:
        again = make(with_other_future(grid, row, seed))[: row + 1]
        before = known[: row + 1]
        moved = (again != before) & ~(np.isnan(again) & np.isnan(before))
        counts = moved.sum(axis=(0, 1))
        peeks += [Peek(names[int(i)], row, int(counts[i])) for i in np.flatnonzero(counts)]
    cells = sum((row + 1) * known.shape[1] * known.shape[2] for row in rows)
    return Audit(len(names), tuple(rows), cells, tuple(peeks))


def with_other_future(grid: BarGrid, row: int, seed: int) -> BarGrid:
    """Return a grid that is the same up to ``row`` and another one after it: other prices, volumes and absences."""
    rng = np.random.default_rng([seed, row])
    shape = (grid.n_bars - row - 1, len(grid.symbols))
    factor = np.exp(rng.normal(0.0, 0.3, shape))
    absent = rng.random(shape) < 0.1
    fields: dict[str, F64] = {}
    for name in BAR_FIELDS:
        field = np.array(grid.field(name))
        field[row + 1 :] *= factor if name not in ("volume", "trades") else 1.0 / factor
        field[row + 1 :][absent] = np.nan
        fields[name] = field
    return BarGrid.from_arrays(
        grid.symbols,
        grid.event_ns,
        open=fields["open"],
        high=fields["high"],
        low=fields["low"],
        close=fields["close"],
        volume=fields["volume"],
        vwap=fields["vwap"],
        trades=fields["trades"],
        timeframe_s=grid.timeframe_s,
    )
