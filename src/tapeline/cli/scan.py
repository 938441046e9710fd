"""``scan`` ranks a whole universe and shows the best, who was left out, and where the time went."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import typer

from tapeline.cli.settings import ConfigOption, JsonOption, load_settings
from tapeline.cli.show import Progress
from tapeline.cli.train import UniverseOption
from tapeline.core.config import Config, MlConfig, ScanConfig
from tapeline.core.errors import BadInput
from tapeline.core.home import default_home

if TYPE_CHECKING:
    from tapeline.scan.market import Scanned
    from tapeline.scan.saved import Difference

_Section = TypeVar("_Section", ScanConfig, MlConfig)
PHASES = 5
READING = ("import", "read data", "load models")
"""Phases in which nothing is computed."""
SHOWN = 10
"""Names of each kind of change, and reasons of exclusion, that are shown."""

DayOption = Annotated[
    dt.datetime | None, typer.Option("--as-of", formats=["%Y-%m-%d"], help="Session to look back from; else the last.")
]


def add_to(app: typer.Typer) -> None:
    """Add the verb ``scan``."""
    app.command()(scan)


def scan(
    universe: UniverseOption = None,
    as_of: DayOption = None,
    top: Annotated[int | None, typer.Option(min=1, help="Candidates to show; the settings' number else.")] = None,
    where: Annotated[str, typer.Option(help='A condition, e.g. "rsi_14 < 30 and dollar_volume_20 > 5e6".')] = "",
    sector_neutral: Annotated[bool, typer.Option("--sector-neutral", help="Compare within sectors.")] = False,
    lazy: Annotated[bool, typer.Option("--lazy", help="A cheap stage first.")] = False,
    incremental: Annotated[
        bool, typer.Option("--incremental", help="Scan the session before, then go on with the last one's bars.")
    ] = False,
    engine: Annotated[str, typer.Option(help="local or ray; the faster one else.")] = "",
    address: Annotated[str, typer.Option(help="Of a Ray cluster; one is started here without it.")] = "",
    lookback_days: Annotated[int, typer.Option(min=0, help="Calendar days to look back; 0 for the settings.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda, for the models.")] = "",
    explain: Annotated[int, typer.Option(min=0, help="Rows whose models are explained in words.")] = 0,
    options: Annotated[
        bool, typer.Option("--options", help="Look at the option chains of the best scan.options_max_symbols.")
    ] = False,
    fundamentals: Annotated[
        bool, typer.Option("--fundamentals", help="Fetch company figures of the best scan.fundamentals_max_symbols.")
    ] = False,
    save: Annotated[str, typer.Option(help="Keep the scan under this name and show what changed since.")] = "",
    out: Annotated[Path | None, typer.Option(help="File to write: .parquet, .csv or .json.")] = None,
    profile: Annotated[bool, typer.Option("--profile", help="Show where the time went.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank every symbol of a universe and show the best, with everything that made each score."""
    if lazy and incremental:
        raise BadInput("--lazy and --incremental are two ways to scan: choose one")
    if device not in ("", "cpu", "cuda"):
        raise BadInput(f"--device is {device!r}: choose cpu or cuda")
    if engine not in ("", "local", "ray"):
        raise BadInput(f"--engine is {engine!r}: choose local or ray")
    settings = load_settings(config).config
    changes: dict[str, Any] = {"top": top, "where": where, "sector_neutral": sector_neutral}
    changes["lookback_days"] = lookback_days
    changes = {key: value for key, value in changes.items() if value}
    if device:
        settings = msgspec.structs.replace(settings, ml=_changed(settings.ml, {"device": device}))
    with Progress("scan", quiet=as_json) as progress:
        phases = _Phases(progress)
        scanned, told = _run(
            settings, changes, phases, (universe, as_of.date() if as_of else None), engine, address, lazy, incremental
        )
        if options or fundamentals:
            scanned, told = _closer(settings, scanned, told, phases, (options, fundamentals, universe))
        words = _words(scanned, explain if settings.scan.use_explainability else 0)
        progress.update(PHASES, PHASES)
    changed = _kept(scanned, save, out)
    if as_json:
        rows = scanned.result.rows()
        envelope = {**told, "rows": rows, "explained": words, "changed": changed, "phases_ms": phases.ms}
        typer.echo(msgspec.json.encode(envelope).decode())
    else:
        _show(scanned, told, words, changed)
        if profile:
            _show_phases(phases.ms)


class _Phases:
    """Wall time of each phase, and a progress line over them."""

    def __init__(self, progress: Progress) -> None:
        self.ms: dict[str, float] = {}
        self.compiles = False
        """The next phase that computes compiles its kernels first."""
        self._progress = progress

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        waits = self.compiles and name not in READING
        note = f"{name}; compiling the indicators before, this once (a minute or so)" if waits else name
        self._progress.update(min(len(self.ms), PHASES - 1), PHASES, note)
        started = time.perf_counter()
        yield
        self.compiles &= not waits
        self.ms[name] = self.ms.get(name, 0.0) + 1e3 * (time.perf_counter() - started)


def _changed(section: _Section, changes: dict[str, Any]) -> _Section:
    return msgspec.convert(msgspec.to_builtins(section) | changes, type(section))


def _run(
    settings: Config,
    changes: dict[str, Any],
    phases: _Phases,
    data: tuple[Path | None, dt.date | None],
    engine: str,
    address: str,
    lazy: bool,
    incremental: bool,
) -> tuple[Scanned, dict[str, Any]]:
    """Return the scan, and what else is told of it."""
    with phases("import"):
        from tapeline.grid.history import load_history
        from tapeline.scan.engines import open_engine
        from tapeline.scan.incremental import scan_by_step
        from tapeline.scan.lazy import scan_lazily
        from tapeline.scan.market import run_scan, told_of
        from tapeline.scan.own import load_wanted
        from tapeline.scan.warm import is_compiled
    phases.compiles = not is_compiled()
    with phases("read data"):
        history = load_history(*data)
        by_strategy, own = load_wanted(settings.scan)
        wanted = _changed(by_strategy, changes)  # the command line has the last word
    run = scan_by_step if incremental else scan_lazily if lazy else run_scan
    with open_engine(engine, address, n_symbols=len(history.grid.symbols)) as chosen:
        where: dict[str, Any] = {"going": chosen.columns} if incremental else {"read": chosen.read}
        where |= {"predict": chosen.predict, "phase": phases}
        scanned = run(history.grid, wanted, settings.ml, about=history.about, own=own, **where)
        told = {"day": str(history.days[-1]), "engine": chosen.name, **chosen.report()}
    found = told_of(scanned.result, history)
    scanned = replace(scanned, result=found)
    told["symbols"] = len(history.grid.symbols) + len(history.refused)
    told |= {"scored": found.n_scored, "excluded": len(found.exclusions), "abstained": found.n_abstained}
    drifted = scanned.forecast.drifted() if scanned.forecast is not None else ()
    return scanned, told | {"left_out": found.left_out, "notes": found.notes, "drifted": drifted}


def _closer(
    settings: Config,
    scanned: Scanned,
    told: dict[str, Any],
    phases: _Phases,
    asked: tuple[bool, bool, Path | None],
) -> tuple[Scanned, dict[str, Any]]:
    """Return the scan with what the second stage found of its candidates, and what is told of it."""
    with phases("options, companies"):
        import anyio

        from tapeline.cli.closer import Wish, look

        options, companies, universe = asked
        candidates = scanned.result.candidates
        wish = Wish(options, companies, dt.date.fromisoformat(told["day"]), universe)
        found = anyio.run(look, settings, os.environ, candidates, wish)
    result = replace(scanned.result, more=found.columns(candidates))
    return replace(scanned, result=result), told | {"missing": found.missing}


def _words(scanned: Scanned, rows: int) -> list[str]:
    from tapeline.scan.explain import explain as explained

    if scanned.forecast is None or not rows:
        return []
    symbols = [candidate.symbol for candidate in scanned.result.candidates[:rows]]
    return [f"{each.symbol}: {sentence}" for each in explained(scanned.forecast, symbols) for sentence in each.words]


def _kept(scanned: Scanned, save: str, out: Path | None) -> Difference | None:
    from tapeline.scan.saved import save as keep

    if out is not None:
        from tapeline.scan.table import write_table

        write_table(scanned.result, out)
    return keep(scanned.result, default_home(os.environ).path / "scans", save) if save else None


def _show(scanned: Scanned, told: dict[str, Any], words: list[str], changed: Difference | None) -> None:
    from rich.console import Console
    from rich.table import Table

    found, console = scanned.result, Console()
    title = f"{told['day']}: {told['scored']} of {told['symbols']} symbols ranked, {told['excluded']} left out"
    table = Table(
        "#", "symbol", "sector", "score", "entry", "stop", "target", "models", "what made the score", title=title
    )
    for row, candidate in zip(found.rows(), found.candidates, strict=True):
        parts = sorted(candidate.contributions, key=lambda part: -abs(part[1]))[:3]
        models = " ".join("-" if row[name] is None else f"{row[name]:.2f}" for name in found.values)
        prices = (f"{row[name]:.2f}" for name in ("entry", "stop", "target"))
        made = ", ".join(f"{name} {points:+.2f}" for name, points in parts)
        table.add_row(str(row["rank"]), row["symbol"], row["sector"], f"{row['score']:+.3f}", *prices, models, made)
    console.print(table)
    for line in [*words, *_closer_words(found.rows()), *_remarks(found.notes, told, changed)]:
        typer.echo(line)
    reasons = Counter(str(each.kind) for each in found.exclusions.values())
    for symbol, each in list(found.exclusions.items())[:SHOWN]:
        typer.echo(f"  {symbol}: {each.reason}")
    if len(found.exclusions) > SHOWN:
        rest = ", ".join(f"{count} {kind}" for kind, count in sorted(reasons.items()))
        typer.echo(f"  ... {len(found.exclusions)} left out in all: {rest}")


def _closer_words(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line of each candidate's option and one of its company, where they were looked at."""
    for row in rows:
        if "option_note" in row:
            yield f"{row['symbol']}: {row['option'] or 'no option'}: {row['option_note']}"
        if "company_note" in row:
            figures = (("P/E", "pe_ratio"), ("growth %", "revenue_growth_pct"), ("margin %", "profit_margin_pct"))
            known = [f"{name} {row[key]:.1f}" for name, key in figures if row[key] is not None]
            yield f"{row['symbol']}: company: {', '.join([*known, row['company_note']])}"


def _remarks(notes: tuple[str, ...], told: dict[str, Any], changed: Difference | None) -> Iterator[str]:
    yield from notes
    if told["abstained"]:
        yield f"the models abstain on {told['abstained']} ranked symbols"
    if told["drifted"]:
        yield f"the market has drifted from what training saw in: {', '.join(told['drifted'])}"
    if told["left_out"]:
        yield f"partial: the time budget left out {', '.join(told['left_out'])}"
    for reason, count in told.get("missing", {}).items():
        yield f"{count} without an answer: {reason}"
    if told["engine"] == "ray":
        yield f"ray: started in {told['ray_start_s']} s, workers busy {told['ray_worker_busy_pct']} %"
    if changed is not None:
        moved = ", ".join(f"{symbol} {old}->{new}" for symbol, old, new in changed.moved[:SHOWN])
        yield f"new: {', '.join(changed.new) or '-'}; gone: {', '.join(changed.dropped) or '-'}; moved: {moved or '-'}"


def _show_phases(phases_ms: dict[str, float]) -> None:
    for name, took_ms in phases_ms.items():
        typer.echo(f"{took_ms:10.1f} ms  {name}")
