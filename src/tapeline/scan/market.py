"""The front door of the scan: a grid in, the best symbols out, with models and all.

``scan_market`` is what ``tapeline.scan(grid)`` calls: it finds the models that the date may use, asks them and scans.
Refuses models that have seen the day; without usable ones it scans by factors alone and says so in ``notes``.
Symbols and bars of a file that could not be read are among the exclusions and the notes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from tapeline.core.config import MlConfig, ScanConfig
from tapeline.core.errors import BadInput, ConfigError
from tapeline.core.outcome import Kind
from tapeline.core.types import DAY_S
from tapeline.grid import BarGrid
from tapeline.grid.about import About as Company
from tapeline.grid.about import load_about
from tapeline.grid.history import About, History, date_of
from tapeline.ml.cross import group_codes
from tapeline.ml.features import CONTRACT, ReadColumns, read_columns
from tapeline.ml.fold_file import Models, NoModels, load_models
from tapeline.ml.forecast import NEVER, Forecast, Predict, make_forecast, predict_here
from tapeline.scan.factors import history_sessions
from tapeline.scan.own import NOTHING, Own
from tapeline.scan.panel import rows_until
from tapeline.scan.result import Exclusion, ScanResult
from tapeline.scan.scan import scan

SHIPPED: Literal["dated"] = "dated"
"""The newest fold whose training ended before the day of the scan."""
NAMED = 3
"""Symbols named in a note."""
Phase = Callable[[str], AbstractContextManager[None]]
"""Told the name of each phase, and entered while it runs; for profiles."""


@dataclass(frozen=True, eq=False)
class Scanned:
    """A scan and the forecast it rests on, for ``explain``."""

    result: ScanResult
    forecast: Forecast | None


def scan_market(
    grid: BarGrid | History,
    top: int = 50,
    *,
    models: Models | Literal["dated"] | None = SHIPPED,
    config: ScanConfig | None = None,
    ml: MlConfig | None = None,
    about: About | None = None,
    as_of_ns: int | None = None,
    where: str = "",
) -> ScanResult:
    """Scan the sessions of a grid.

    Parameters
    ----------
    grid
        Daily bars, oldest first; or a ``History``, which knows its symbols' sectors and what its file lacked: with it
        the rows are those of ``tapeline scan`` of the same file, day and settings. Not modified.
    top
        Candidates put forward, 1 or more.
    models
        Trained models; "dated" for the newest fold that the day may use; None for factors alone.
    config, ml
        Settings; the defaults unless given, whatever the configuration file says. ``top`` and ``where`` come from the
        call.
    about
        Sectors and kinds of the symbols, which some features compare by. Unless given, the history's; of a grid, those
        of the shipped names, and unknown for others.
    as_of_ns
        What the scan may know, UTC nanoseconds; everything in the grid unless given.
    where
        A condition that candidates must meet, e.g. ``"rsi_14 < 30"``.

    Returns
    -------
    ScanResult
        ``.table`` is a Polars frame of the candidates; ``.exclusions`` says who was left out, and why.

    Examples
    --------
    >>> import tapeline
    >>> from tapeline.grid.history import load_history
    >>> tapeline.scan(load_history(), top=3).table.height
    3
    """
    history = grid if isinstance(grid, History) else None
    days = history.grid if history is not None else grid
    if not isinstance(days, BarGrid):
        raise BadInput(f"a scan reads a BarGrid or a History, not {type(grid).__name__}; BarGrid.from_arrays makes one")
    if not isinstance(top, int) or isinstance(top, bool) or top < 1:
        raise BadInput(f"top is {top!r}: give the number of candidates to put forward, 1 or more")
    if not (models is None or models == SHIPPED or isinstance(models, Models)):
        raise BadInput(
            f"models is {models!r}: give trained models (tapeline.ml.fold_file.load_models), 'dated' or None"
        )
    if about is None:
        about = history.about if history is not None else about_of(load_about(), days.symbols)
    settings = msgspec.structs.replace(config or ScanConfig(), top=top, **({"where": where} if where else {}))
    found = run_scan(days, settings, ml or MlConfig(), models=models, about=about, as_of_ns=as_of_ns).result
    return found if history is None else told_of(found, history)


def told_of(result: ScanResult, history: History) -> ScanResult:
    """Return the scan of a history with the symbols and bars that its file did not give: none is dropped in silence."""
    exclusions = {symbol: Exclusion(Kind.ERROR, reason) for symbol, reason in history.refused.items()}
    for symbol, each in result.exclusions.items():
        doubt = history.doubts.get(symbol) if each.kind is not Kind.ABSTAINED else None
        exclusions[symbol] = replace(each, reason=f"{each.reason} ({doubt})") if doubt else each
    ranked = [f"{symbol} ({doubt})" for symbol, doubt in history.doubts.items() if symbol not in result.exclusions]
    more = f" and {len(ranked) - NAMED} more" if len(ranked) > NAMED else ""
    notes = (f"ranked on their other bars: {', '.join(ranked[:NAMED])}{more}",) if ranked else ()
    return replace(result, exclusions=dict(sorted(exclusions.items())), notes=(*result.notes, *notes))


def about_of(known: Mapping[str, Company], symbols: tuple[str, ...]) -> About:
    """Return what is known of the symbols of a grid, in its order."""
    found = [known.get(symbol, Company()) for symbol in symbols]
    return About(
        tuple(each.name for each in found), tuple(each.sector for each in found), tuple(each.kind for each in found)
    )


def run_scan(
    grid: BarGrid,
    config: ScanConfig,
    ml: MlConfig,
    *,
    models: Models | Literal["dated"] | None = SHIPPED,
    about: About | None = None,
    as_of_ns: int | None = None,
    own: Own = NOTHING,
    predict: Predict = predict_here,
    read: ReadColumns = read_columns,
    among: NDArray[np.bool_] | None = None,
    phase: Phase = lambda _: nullcontext(),
) -> Scanned:
    """Scan the sessions of a grid and keep the forecast; see ``scan_market``.

    ``predict`` says where the models are asked, ``read`` where indicators come from (``scan.cache``), ``among`` (bool,
    a symbol each) whom their opinions are compared with.
    ``config.time_budget_ms`` is counted from the call: models that have not been asked by then are left out.
    """
    if grid.timeframe_s != DAY_S:
        raise BadInput(f"a scan reads daily bars, this grid holds bars of {grid.timeframe_s} s")
    if about is not None and len(about.sectors) != len(grid.symbols):
        raise BadInput(f"sectors are given for {len(about.sectors)} symbols, the grid has {len(grid.symbols)}")
    started = time.perf_counter()
    budget_s = config.time_budget_ms / 1e3
    late = (lambda: time.perf_counter() - started > budget_s) if budget_s else NEVER
    moment = _newest(grid) if as_of_ns is None else as_of_ns
    notes: tuple[str, ...] = ()
    if models == SHIPPED:
        with phase("load models"):
            models, notes = dated_models(grid, moment, ml)
    forecast = None
    if models is not None:
        check_sessions(config)
        known = About.unknown(len(grid.symbols)) if about is None else about
        with phase("features and models"):
            forecast = make_forecast(
                grid,
                group_codes(known.sectors),
                models,
                ml,
                n_rows=rows_until(grid.event_ns, moment),
                predict=predict,
                read=read,
                out_of_time=late,
            )
            forecast = replace(forecast, among=among)
        notes = forecast.remarks()
    with phase("factors, screens, ranks"):
        result = scan(grid, None, config, moment, about=about, forecast=forecast, own=own)
    return Scanned(replace(result, notes=notes), forecast)


def check_sessions(config: ScanConfig) -> None:
    """Raise ConfigError when the scan looks back less than the models' features need."""
    sessions = history_sessions(config)
    if sessions < CONTRACT.bars:
        raise ConfigError(
            f"a scan looks back {sessions} sessions (scan.history_sessions, or scan.lookback_days calendar days), but "
            f"the models' features need {CONTRACT.bars}"
        )


def _newest(grid: BarGrid) -> int:
    return int(grid.event_ns[-1]) if grid.n_bars else 0


def dated_models(grid: BarGrid, moment_ns: int, ml: MlConfig) -> tuple[Models | None, tuple[str, ...]]:
    """Return the models that the day may use; without any, None and the reason."""
    rows = rows_until(grid.event_ns, moment_ns)
    if not rows:
        return None, ("no models are asked: there is no session yet",)
    try:
        return load_models(date_of(int(grid.event_ns[rows - 1])), ml.folder, device=ml.device), ()
    except NoModels as error:
        return None, (f"scanned by factors alone: {error}",)
