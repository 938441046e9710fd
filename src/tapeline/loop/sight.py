"""What the scans of a session go by besides bars: settings, sectors, the user's own parts, the models' opinion.

In: settings, the sessions up to the last one.  Out: ``Sight``: the same all day, as only a finished day has features.
Refuses models that have seen the session; without usable ones scans go by factors alone, and ``notes`` says so.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import anyio.to_thread

from tapeline.core.calendar import Session
from tapeline.core.config import Config, ScanConfig
from tapeline.core.types import NS_PER_S
from tapeline.grid import BarGrid
from tapeline.grid.about import About as Company
from tapeline.grid.history import About
from tapeline.ml.cross import group_codes
from tapeline.ml.features import CONTRACT, read_columns
from tapeline.ml.fold_file import Models, NoModels, load_models
from tapeline.ml.forecast import NEVER, Forecast, make_forecast
from tapeline.scan.cache import FeatureCache
from tapeline.scan.factors import check_model_weights, history_sessions
from tapeline.scan.market import about_of
from tapeline.scan.own import NOTHING, Own
from tapeline.scan.panel import rows_until
from tapeline.scan.result import ScanResult
from tapeline.scan.scan import scan


@dataclass(frozen=True, slots=True)
class Sight:
    """What every scan of a session is given beside the bars; ``notes`` are sentences for a person."""

    config: ScanConfig
    about: About
    forecast: Forecast | None = None
    own: Own = NOTHING
    notes: tuple[str, ...] = ()

    def scan(
        self,
        days: BarGrid,
        minutes: BarGrid | None,
        as_of_ns: int,
        session: Session,
        also: Collection[str] = (),
    ) -> ScanResult:
        """Scan as of ``as_of_ns``; see ``tapeline.scan.scan.scan``."""
        result = scan(
            days,
            minutes,
            self.config,
            as_of_ns,
            session=session,
            also=also,
            about=self.about,
            forecast=self.forecast,
            own=self.own,
        )
        return replace(result, notes=self.notes)


async def open_sight(
    config: Config,
    companies: Mapping[str, Company],
    own: Own,
    days: BarGrid,
    before: Session,
    features: FeatureCache | None = None,
) -> Sight:
    """Return what the scans of the session after ``before`` go by; ``days`` ends with ``before``.

    ``features`` are taken from an earlier life of the node where they still fit, and kept for the next one.
    """
    about = about_of(companies, days.symbols)
    models, notes = await _models(config, days, before)
    sight = Sight(config.scan, about, own=own, notes=notes)
    if models is None:
        return sight
    check_model_weights(config.scan.model_weights, models.targets)
    if features is not None:
        await features.load()
    started, budget_s = time.perf_counter(), config.scan.time_budget_ms / 1e3
    forecast = make_forecast(
        days,
        group_codes(about.sectors),
        models,
        config.ml,
        n_rows=rows_until(days.event_ns, before.close_ns),
        read=read_columns if features is None else features.columns,
        out_of_time=(lambda: time.perf_counter() - started > budget_s) if budget_s else NEVER,
    )
    if features is not None:
        await features.save()
    drifted = forecast.drifted()
    drift = (f"the market has drifted from what training saw in: {', '.join(drifted)}",) if drifted else ()
    return replace(sight, forecast=forecast, notes=(*forecast.remarks(), *drift))


async def _models(config: Config, days: BarGrid, before: Session) -> tuple[Models | None, tuple[str, ...]]:
    """Return the newest models that had not seen the last finished session; without any, None and the reason."""
    if not any(config.scan.model_weights.values()):
        return None, ("scanned by factors alone: scan.model_weights gives no model a weight",)
    if (sessions := history_sessions(config.scan)) < CONTRACT.bars:
        lack = f"a scan looks back {sessions} sessions, and the models' features need {CONTRACT.bars}"
        return None, (f"scanned by factors alone: {lack}",)
    rows = rows_until(days.event_ns, before.close_ns)
    if not rows:
        return None, ("scanned by factors alone: there is no finished session yet",)
    newest = dt.datetime.fromtimestamp(int(days.event_ns[rows - 1]) // NS_PER_S, dt.UTC).date()
    as_of = min(newest, before.day)
    try:  # in a thread, as the library of the trees takes a while to load
        load = lambda: load_models(as_of, config.ml.folder, device=config.ml.device)  # noqa: E731
        return await anyio.to_thread.run_sync(load), ()
    except NoModels as error:
        return None, (f"scanned by factors alone: {error}",)
