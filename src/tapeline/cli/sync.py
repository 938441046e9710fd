"""``sync`` brings assets, daily bars and corporate actions up to date."""

from __future__ import annotations

import datetime as dt
import os
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import msgspec
import typer

from tapeline.cli.poll import SymbolsOption, wanted_symbols
from tapeline.cli.settings import ConfigOption, JsonOption, load_settings
from tapeline.cli.show import Progress
from tapeline.cli.stopping import until_stopped
from tapeline.core.config import Config
from tapeline.core.errors import BadInput
from tapeline.core.home import Home, default_home
from tapeline.core.types import DAY_S, NS_PER_S, BarFrame

if TYPE_CHECKING:
    from tapeline.cli.vendor import Vendor
    from tapeline.core.calendar import SessionCalendar
    from tapeline.feed.option_book import BookChanges
    from tapeline.feed.reach import Reach
    from tapeline.store.journal import Journal

NEAR = dt.timedelta(days=10)
"""A symbol that did not trade on the very first days reaches back far enough."""


def add_to(app: typer.Typer) -> None:
    """Add the verb ``sync``."""
    app.command()(sync)


def sync(
    symbols: SymbolsOption = None,
    sessions: Annotated[int, typer.Option(min=1, max=5_000, help="Daily bars of each symbol.")] = 300,
    options: Annotated[
        bool, typer.Option("--options", help="Option contracts of --symbols, too; one request or more each.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Fetch what is missing of the market's list, its daily bars and its corporate actions; can be broken off."""
    settings = load_settings(config).config
    wanted = wanted_symbols(symbols)
    if options and not wanted:
        raise BadInput("--options needs --symbols: the whole market's options would take a request or more a symbol")
    work = partial(_sync, settings, default_home(os.environ), wanted, sessions, options, as_json)
    anyio.run(until_stopped, work)


async def _sync(
    config: Config, home: Home, wanted: tuple[str, ...], sessions: int, options: bool, as_json: bool
) -> None:
    from tapeline.cli.vendor import open_vendor
    from tapeline.store.journal import Journal

    with home.claim():
        async with (
            await Journal.open(home.journal_path, commit_rows=config.store.commit_rows) as journal,
            open_vendor(config, os.environ) as vendor,
        ):
            told = await _bring_up_to_date(vendor, journal, home, wanted, sessions, quiet=as_json)
            if options:
                changes = await _options(vendor, home, wanted)
                told["missing"] += [{"symbol": s, "reason": f"options: {reason}"} for s, reason in changes.missing]
                told["options"] = {name: getattr(changes, name) for name in ("contracts", "complete", "listed", "gone")}
    if as_json:
        typer.echo(msgspec.json.encode(told).decode())
        return
    typer.echo(
        f"{told['symbols']} symbols until {told['until']}: {told['bars']} bars fetched, {told['complete']} symbols "
        f"were complete, {len(told['missing'])} missing, {told['splits']} splits, {told['requests']} requests"
    )
    if "options" in told:
        of = told["options"]
        typer.echo(f"{of['contracts']} option contracts, {of['listed']} of them new, {of['gone']} gone")
    for what, names in told["changes"].items():
        if names:
            typer.echo(f"{what}: {', '.join(str(name) for name in names[:20])}{' ...' if len(names) > 20 else ''}")
    for entry in told["missing"][:20]:
        typer.echo(f"{entry['symbol']}: {entry['reason']}", err=True)


async def _bring_up_to_date(
    vendor: Vendor, journal: Journal, home: Home, wanted: tuple[str, ...], sessions: int, *, quiet: bool
) -> dict[str, Any]:
    from tapeline.feed.assets import compare_assets, read_assets, write_assets
    from tapeline.feed.catch_up import CaughtUp, catch_up_days
    from tapeline.feed.home_file import write_json
    from tapeline.feed.reach import Reach
    from tapeline.feed.sync import first_day
    from tapeline.feed.vendors.alpaca import DATA_HOST
    from tapeline.store.batch import JournalBatch

    async def keep(frame: BarFrame) -> None:
        await journal.write(JournalBatch(frames=(frame,)))

    folder = home.path / "market"
    before, reach = read_assets(folder / "assets.json"), Reach(folder / "reach.json")
    symbols, unknown, unchecked = await vendor.known(wanted)
    assets = (await vendor.bars.fetch_assets()).value or ()
    found = CaughtUp()
    for market in vendor.markets(symbols):
        last = _last_day(vendor, market.calendar)
        first = first_day(market.calendar, sessions, last)
        with Progress("daily bars", quiet=quiet) as progress:
            found += await catch_up_days(
                market.daily,
                market.symbols,
                await journal.read(partial(_known_days, first, reach)),
                sessions,
                last,
                clock=vendor.clock,
                calendar=market.calendar,
                config=vendor.config.feed,
                keep=keep,
                progress=progress.update,
                answered=reach.note,
            )
    last = _last_day(vendor, vendor.calendar)
    first = first_day(vendor.calendar, sessions, last)
    splits = await vendor.bars.fetch_splits(symbols, first, last)
    if splits.value is not None:
        write_json(folder / "splits.json", splits.value)
    if assets:
        write_assets(folder / "assets.json", assets)
    missing = [*unknown, *found.missing, *([] if splits.is_value else [("splits", splits.reason)])]
    return {
        "symbols": len(symbols),
        "until": last,
        "bars": found.bars,
        "complete": found.complete,
        "splits": len(splits.value or ()),
        "missing": [{"symbol": symbol, "reason": reason} for symbol, reason in missing],
        "changes": msgspec.to_builtins(compare_assets(before, assets)),
        "requests": vendor.gateway.stats[DATA_HOST].requests,
        "notes": [unchecked] if unchecked else [],
    }


async def _options(vendor: Vendor, home: Home, wanted: tuple[str, ...]) -> BookChanges:
    """Keep the contracts on the stocks among ``wanted`` until a year from now; return what has changed."""
    from tapeline.feed.home_file import write_json
    from tapeline.feed.option_book import read_book, update_book
    from tapeline.feed.vendors.alpaca_crypto import split_markets
    from tapeline.feed.vendors.alpaca_options import AlpacaOptions

    path = home.path / "market" / "options.json"
    stocks, _ = split_markets((await vendor.known(wanted))[0])
    day = vendor.calendar.next_session(vendor.clock.now_ns()).day
    book, changes = await update_book(read_book(path), AlpacaOptions(vendor.gateway), stocks, day)
    write_json(path, book)
    return changes


def _last_day(vendor: Vendor, calendar: SessionCalendar) -> dt.date:
    """Return the last session that has ended."""
    running = calendar.next_session(vendor.clock.now_ns())
    return calendar.previous_session(running.day).day


def _known_days(first: dt.date, reach: Reach, connection: Any) -> dict[str, dt.date]:
    """Return the last day that the journal has of each symbol whose bars reach back to ``first``, or that has none of
    earlier, as the vendor has said."""
    rows = connection.execute(
        "SELECT symbol, min(event_ns), max(event_ns) FROM bars WHERE timeframe_s = ? GROUP BY symbol", [DAY_S]
    ).fetchall()
    return {
        symbol: _day(last_ns)
        for symbol, first_ns, last_ns in rows
        if _day(first_ns) <= first + NEAR or reach.covers(symbol, first)
    }


def _day(event_ns: int) -> dt.date:
    return dt.datetime.fromtimestamp(event_ns // NS_PER_S, dt.UTC).date()
