"""A scan that goes on: bars in, and only that recomputed whose inputs changed.

In: frames of daily bars.  Out: the same ``Scanned`` as a full scan of the same grid, to the bit.
What a symbol's own bars decide (fields, indicators) is recomputed for the symbols that changed; ranks, sector medians,
models and scores depend on everybody and are recomputed for all. Refuses to guess what changed: bars go through
``apply``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from tapeline.core.config import MlConfig, ScanConfig
from tapeline.core.errors import BadInput
from tapeline.core.types import BAR_FIELDS, BarFrame, Label
from tapeline.grid import Applied, BarGrid
from tapeline.grid.history import About
from tapeline.ml.cross import group_codes
from tapeline.ml.features import build_features
from tapeline.ml.fold_file import Models
from tapeline.ml.forecast import Predict, judge, predict_here
from tapeline.scan.market import Phase, Scanned, check_sessions, dated_models
from tapeline.scan.own import NOTHING, Own
from tapeline.scan.reading import GoingColumns, LocalColumns
from tapeline.scan.scan import scan


class Scanner:
    """A grid that is scanned again and again.

    Parameters
    ----------
    columns
        The grid and its columns: ``LocalColumns(grid)``, or those of another engine.
    config, ml, models, about, own, predict
        As for ``run_scan``, models of a date or None; they stay the same over the scanner's life.
    """

    def __init__(
        self,
        columns: GoingColumns,
        config: ScanConfig,
        ml: MlConfig,
        models: Models | None,
        *,
        about: About | None = None,
        own: Own = NOTHING,
        predict: Predict = predict_here,
    ) -> None:
        if models is not None:
            check_sessions(config)
        self.columns = columns
        self._config, self._ml, self._models, self._own, self._predict = config, ml, models, own, predict
        self._about = About.unknown(len(columns.grid.symbols)) if about is None else about
        self._sectors = group_codes(self._about.sectors)

    @property
    def grid(self) -> BarGrid:
        """Everything that has been applied."""
        return self.columns.grid

    @property
    def recomputed(self) -> int:
        """Symbols whose own values the last scan computed."""
        return self.columns.recomputed

    def apply(self, frame: BarFrame) -> Applied:
        """Take bars in; see ``BarGrid.apply``."""
        return self.columns.apply(frame)

    def adjust(self, symbol: str, ex_ns: int, ratio: float) -> int:
        """Apply a corporate action; see ``BarGrid.adjust``."""
        return self.columns.adjust(symbol, ex_ns, ratio)

    def scan(self) -> Scanned:
        """Return the scan of everything that has been applied."""
        forecast = None
        if self._models is not None:
            features = build_features(self.columns.columns(), self._sectors)
            forecast = judge(self.grid.symbols, features, self._models, self._ml, predict=self._predict)
        moment = int(self.grid.event_ns[-1]) if self.grid.n_bars else 0
        result = scan(self.grid, None, self._config, moment, about=self._about, forecast=forecast, own=self._own)
        return Scanned(result if forecast is None else replace(result, notes=forecast.remarks()), forecast)


def scan_by_step(
    grid: BarGrid,
    config: ScanConfig,
    ml: MlConfig,
    *,
    about: About | None = None,
    own: Own = NOTHING,
    predict: Predict = predict_here,
    going: Callable[[BarGrid], GoingColumns] = LocalColumns,
    phase: Phase = lambda _: nullcontext(),
) -> Scanned:
    """Scan all sessions of a grid but the last, apply the last one's bars, and return the scan that goes on from there.

    The same as ``run_scan`` of the grid, to the bit; ``going`` says where columns are computed, ``phase`` is
    told of both parts.
    """
    if grid.n_bars < 2:
        raise BadInput("a scan by step needs two sessions at least: one to begin with, and one to go on with")
    models, notes = dated_models(grid, int(grid.event_ns[-1]), ml)
    before = rows_of(grid, slice(0, grid.n_bars - 1))
    scanner = Scanner(going(before), config, ml, models, about=about, own=own, predict=predict)
    with phase("session before"):
        scanner.scan()
    with phase("step"):
        scanner.apply(newest_frame(grid))
        found = scanner.scan()
    return replace(found, result=replace(found.result, notes=(*notes, *found.result.notes)))


def rows_of(grid: BarGrid, rows: slice) -> BarGrid:
    """Return a grid of some rows, with room for as many as ``grid`` holds."""
    field = {name: grid.field(name)[rows] for name in BAR_FIELDS}
    return BarGrid.from_arrays(
        grid.symbols,
        grid.event_ns[rows],
        open=field["open"],
        high=field["high"],
        low=field["low"],
        close=field["close"],
        volume=field["volume"],
        vwap=field["vwap"],
        trades=field["trades"],
        timeframe_s=grid.timeframe_s,
        n_bars=grid.n_bars,
    )


def newest_frame(grid: BarGrid) -> BarFrame:
    """Return the newest row of a grid as a frame of the bars that traded."""
    event_ns = int(grid.event_ns[-1])
    cols = np.flatnonzero(~np.isnan(grid.last("close")))
    columns = {name: grid.last(name)[cols] for name in BAR_FIELDS}
    return BarFrame(
        timeframe_s=grid.timeframe_s,
        feed="history",
        label=Label.REAL,
        as_of_ns=event_ns,
        symbols=tuple(grid.symbols[int(col)] for col in cols),
        event_ns=np.full(len(cols), event_ns, np.int64),
        revision=np.zeros(len(cols), np.int64),
        **columns,
    )
