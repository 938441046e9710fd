"""``poll`` asks the vendor for minute bars and prints them: once, or minute by minute."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import anyio
import msgspec
import typer

from tapeline.cli.settings import ConfigOption, JsonOption, load_settings, settings_path
from tapeline.cli.stopping import until_stopped
from tapeline.cli.watchlist import watchlist_path
from tapeline.core.config import Config
from tapeline.core.errors import BadInput
from tapeline.core.types import BAR_FIELDS, NS_PER_S, BarFrame, Tick

if TYPE_CHECKING:
    from tapeline.cli.vendor import Market, Vendor
    from tapeline.core.clock import Clock
    from tapeline.feed.poller import Poller
    from tapeline.feed.report import PollReport
    from tapeline.feed.watchlist import WatchedFile, WatchedList
    from tapeline.flow.channel import Inlet

SymbolsOption = Annotated[
    str, typer.Option("--symbols", help="AAPL,MSFT,...; without it the watchlist, else all that the vendor lists.")
]
Strategy = Literal["sequential", "concurrent", "batch", "hybrid"]
Mode = Literal["bars", "latest", "snapshots"]
REPORTS_WAITING = 4
"""Reports that may wait for a slow reader of our output before the poller waits, too."""


def add_to(app: typer.Typer) -> None:
    """Add the verb ``poll``."""
    app.command()(poll)


def poll(
    symbols: SymbolsOption = "",
    once: Annotated[bool, typer.Option("--once", help="The newest minute, and leave.")] = False,
    cycles: Annotated[int | None, typer.Option(min=1, help="Leave after so many cycles.")] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Listen to Alpaca's stream, too: bars come earlier, and the polls correct.")
    ] = False,
    strategy: Annotated[Strategy | None, typer.Option(help="How to ask; feed.strategy otherwise.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="What to ask for; feed.mode otherwise.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Ask the vendor, or the server in its place, for minute bars and print them."""
    read = partial(_settings, config, strategy, mode)
    wanted = tuple(symbol for part in symbols.split(",") if (symbol := part.strip().upper()))
    if once:
        anyio.run(partial(_once, read(), wanted, as_json))
    else:
        from tapeline.feed.watchlist import WatchedFile

        def watch_settings(poller: Poller) -> Callable[[], None]:
            return partial(_retune, WatchedFile(settings_path(config)), read, poller)

        anyio.run(until_stopped, partial(_watch, read(), wanted, as_json, cycles, stream, watch_settings))


def _settings(path: Path | None, strategy: Strategy | None, mode: Mode | None) -> Config:
    """Return the settings with what the command line chose."""
    config = load_settings(path).config
    chosen = {name: value for name, value in (("strategy", strategy), ("mode", mode)) if value is not None}
    return msgspec.structs.replace(config, feed=msgspec.structs.replace(config.feed, **chosen))


def _retune(file: WatchedFile, read: Callable[[], Config], poller: Poller) -> None:
    """Let the poller go on as a settings file that has changed says; one that cannot be used is named and left."""
    if not file.has_changed():
        return
    try:
        feed = read().feed
        poller.use(feed)
    except BadInput as error:
        typer.echo(f"the settings stay as they were: {error}", err=True)
    else:
        typer.echo(f"asking by strategy {feed.strategy} and mode {feed.mode} from now on", err=True)


async def _once(config: Config, wanted: tuple[str, ...], as_json: bool) -> None:
    from tapeline.cli.vendor import open_vendor

    async with open_vendor(config, os.environ) as vendor:
        symbols, unknown, unchecked = await vendor.known(wanted or _watchlist())
        if not symbols:
            _show_bars(as_json, (), (), unknown, unchecked)
            raise typer.Exit(1)
        reports = [await _newest_minute(vendor, market) for market in vendor.markets(symbols)]
    frames = [frame for report in reports for frame in report.frames]
    missing = [(symbol, reason) for report in reports for symbol, reason in report.missing]
    missing += [(symbol, reason) for report in reports for symbol, reason, _ in report.quarantined]
    traded = {symbol for frame in frames for symbol in frame.symbols}
    gone = {symbol for symbol, _ in missing}
    quiet = tuple(symbol for symbol in symbols if symbol not in traded | gone)
    requests, pages = (sum(getattr(report, name) for report in reports) for name in ("requests", "pages"))
    _show_bars(as_json, frames, quiet, (*unknown, *missing), unchecked, requests, pages)
    if missing and not traded:
        raise typer.Exit(1)


async def _newest_minute(vendor: Vendor, market: Market) -> PollReport:
    """Poll the last minute of the market that has ended, be it yesterday's."""
    from tapeline.feed.poller import Poller
    from tapeline.feed.report import MINUTE_NS

    config = msgspec.structs.replace(vendor.config.feed, extended_hours=False)
    now_ns = vendor.clock.now_ns() - round(config.publish_delay_s * NS_PER_S)
    session = market.calendar.next_session(now_ns)
    if now_ns < session.open_ns + MINUTE_NS:  # shut, or a minute has not ended yet
        session = market.calendar.previous_session(session.day)
    end_ns = min(now_ns - now_ns % MINUTE_NS, session.close_ns)
    poller = Poller(
        market.source,
        market.symbols,
        clock=vendor.clock,
        calendar=market.calendar,
        config=config,
        since_ns=end_ns - MINUTE_NS,
    )
    return await poller.cycle(end_ns)


def _show_bars(
    as_json: bool,
    frames: Sequence[BarFrame],
    quiet: tuple[str, ...],
    refused: Sequence[tuple[str, str]],
    unchecked: str,
    requests: int = 0,
    pages: int = 0,
) -> None:
    """Print bars, who had no trade, and who has none for what reason."""
    rows = [row for frame in frames for row in rows_of(frame)]
    if as_json:
        told = {
            "bars": rows,
            "no_trade": quiet,
            "refused": [{"symbol": symbol, "reason": reason} for symbol, reason in refused],
            "requests": requests,
            "pages": pages,
            "notes": [unchecked] if unchecked else [],
        }
        typer.echo(msgspec.json.encode(told).decode())
        return
    typer.echo(_line(["symbol", "start (UTC)", *BAR_FIELDS, "feed"]))
    for row in rows:
        numbers = [f"{row[name]:,.10g}" if row[name] is not None else "-" for name in BAR_FIELDS]
        typer.echo(_line([row["symbol"], row["t"], *numbers, f"{row['feed']} ({row['label']})"]))
    typer.echo(f"{len(rows)} bars, {requests} requests, {pages} pages")
    if quiet:
        typer.echo(f"no trade in this minute: {', '.join(quiet)}")
    for symbol, reason in refused:
        typer.echo(f"{symbol}: {reason}", err=True)
    if unchecked:
        typer.echo(unchecked, err=True)


def _line(cells: list[str]) -> str:
    """Return one line of the table: names to the left, numbers to the right."""
    symbol, start, *numbers, feed = cells
    return f"{symbol:<8} {start:<20} " + " ".join(f"{number:>13}" for number in numbers) + f"  {feed}"


def rows_of(frame: BarFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON can hold them; NaN becomes null."""
    rows = []
    for bar in frame.bars():
        numbers = {name: getattr(bar, name) for name in BAR_FIELDS}
        told = {name: None if number != number else number for name, number in numbers.items()}
        head = {"symbol": bar.symbol, "t": iso(bar.event_ns), "event_ns": bar.event_ns}
        rows.append({**head, **told, "feed": bar.feed, "label": bar.label.value, "revision": bar.revision})
    return rows


async def _watch(
    config: Config,
    wanted: tuple[str, ...],
    as_json: bool,
    cycles: int | None,
    with_stream: bool,
    watch_settings: Callable[[Poller], Callable[[], None]],
) -> None:
    """Poll until stopped. A watchlist or settings that change on disk count from the next cycle on."""
    from tapeline.cli.vendor import open_vendor
    from tapeline.core.clock import together
    from tapeline.feed.provisional import Provisional
    from tapeline.feed.vendors.alpaca_crypto import split_markets
    from tapeline.feed.watchlist import WatchedList
    from tapeline.flow.channel import Outlet, channel

    streamed = Provisional()

    def hear(frame: BarFrame) -> None:
        _show_streamed(as_json, streamed.streamed(frame))

    async def show(outlet: Outlet[PollReport]) -> None:
        with outlet:
            while True:
                try:
                    report = await outlet.receive()
                except anyio.EndOfStream:
                    return
                _show_report(as_json, streamed.news_of(report) if with_stream else report)

    async with open_vendor(config, os.environ) as vendor:
        symbols, unknown, unchecked = await vendor.known(wanted or _watchlist())
        for line in [f"{symbol}: {reason}" for symbol, reason in unknown] + [unchecked] * bool(unchecked):
            typer.echo(line, err=True)
        stocks, _ = split_markets(symbols)
        if with_stream and not stocks:
            raise BadInput("--stream is a stream of stocks, and none is polled: leave it out, or name one")
        ends: tuple[Inlet[PollReport], Outlet[PollReport]] = channel(vendor.clock, REPORTS_WAITING)
        inlet, outlet = ends
        markets = vendor.markets(symbols)
        with ExitStack() as open_ends:
            runs = []
            for market in markets:
                file = None if wanted else WatchedList(watchlist_path())
                follow = partial(_listed_in, market, len(markets) == 1, file)
                end = open_ends.enter_context(inlet.clone())
                runs.append(partial(_poll_market, vendor, market, end, cycles, follow, watch_settings))
            inlet.close()
            async with anyio.create_task_group() as group:
                if with_stream:
                    group.start_soon(_listen, config, stocks, hear, vendor.clock)
                await together(vendor.clock, [*runs, partial(show, outlet)])
                group.cancel_scope.cancel()


async def _poll_market(
    vendor: Vendor,
    market: Market,
    inlet: Inlet[PollReport],
    cycles: int | None,
    follow: Callable[[], Sequence[str] | None],
    watch_settings: Callable[[Poller], Callable[[], None]],
) -> None:
    """Poll one market from now on, by its own calendar; stocks and coins share the limit of the key."""
    from tapeline.feed.poller import Poller
    from tapeline.feed.polling import run_polling

    clock, config = vendor.clock, vendor.config.feed
    if market.is_always_open:
        config = msgspec.structs.replace(config, extended_hours=False)
    poller = Poller(
        market.source, market.symbols, clock=clock, calendar=market.calendar, config=config, since_ns=clock.now_ns()
    )
    retune = watch_settings(poller)
    await run_polling(poller, inlet, clock=clock, cycles=cycles, symbols=follow, retune=retune)


def _listed_in(market: Market, is_alone: bool, file: WatchedList | None) -> Sequence[str] | None:
    """Return the market's part of a watchlist that has changed; None when it is as it was, or would be empty.

    Symbols of the other market, when this one ``is_alone``, are named: nobody polls them yet.
    """
    from tapeline.feed.vendors.alpaca_crypto import split_markets

    changed = file() if file is not None else None
    if changed is None:
        return None
    stocks, pairs = split_markets(changed)
    mine, others = (pairs, stocks) if market.is_always_open else (stocks, pairs)
    if others and is_alone:
        typer.echo(f"begin with the next start, as none of their market is polled: {', '.join(others[:20])}", err=True)
    return mine or None


async def _listen(config: Config, symbols: Sequence[str], hear: Callable[[BarFrame], None], clock: Clock) -> None:
    """Listen to the stream with the keys that the polls have."""
    from tapeline.core.config.secrets import alpaca_keys
    from tapeline.feed.vendors.alpaca_stream import listen

    keys = alpaca_keys(os.environ)
    assert keys is not None  # the vendor is open
    await listen(config.feed.alpaca, keys, symbols, hear, clock=clock, seed=config.node.seed)


def _show_streamed(as_json: bool, frame: BarFrame) -> None:
    """Print bars of the stream, which a poll may correct."""
    for row in rows_of(frame):
        typer.echo(
            msgspec.json.encode(row).decode()
            if as_json
            else f"{row['t']}: {row['symbol']} closes at {row['close']:,.10g}, streamed"
        )


def _show_report(as_json: bool, report: PollReport) -> None:
    """Print one report: every bar as a line of JSON, or one line on the cycle."""
    for alert in report.alerts:
        typer.echo(alert, err=True)
    for symbol, reason, _ in report.quarantined:
        typer.echo(f"{symbol} is left out for a while: {reason}", err=True)
    if report.missing:
        symbol, reason = report.missing[0]
        typer.echo(f"{len(report.missing)} symbols missing, asked for again: {symbol}: {reason}", err=True)
    if as_json:
        for frame in report.frames:
            for row in rows_of(frame):
                typer.echo(msgspec.json.encode(row).decode())
        for tick in report.quotes:
            quote = {name: None if number != number else number for name, number in _quote_of(tick)}
            typer.echo(msgspec.json.encode({"symbol": tick.symbol, "t": iso(tick.event_ns), **quote}).decode())
        return
    bars = sum(len(frame) for frame in report.frames)
    took_s = (report.ended_ns - report.started_ns) / 1e9
    revised = sum(int((frame.revision > 0).sum()) for frame in report.frames)
    typer.echo(
        f"{iso(report.frame.as_of_ns)}: {bars} bars, {revised} of them revised, {len(report.no_trade)} without trade, "
        f"{len(report.missing)} missing, {report.requests} requests in {took_s:.2f} s, feed {report.frame.feed}"
        + (f", {len(report.quotes)} quotes" if report.quotes else "")
    )


def _quote_of(tick: Tick) -> tuple[tuple[str, float], ...]:
    """Return the newest price of a snapshot, and what is bid and asked."""
    return ("price", tick.price), ("bid", tick.bid), ("ask", tick.ask)


def _watchlist() -> tuple[str, ...]:
    from tapeline.feed.watchlist import read_watchlist

    return read_watchlist(watchlist_path())


def iso(moment_ns: int) -> str:
    """Return a moment as UTC text, to the second."""
    return dt.datetime.fromtimestamp(moment_ns // NS_PER_S, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
