"""``poll``, minute by minute: a poller for each market, one printer for all of them.

In: settings and symbols.  Out: what is printed; how far it has come is kept in the home, after it was printed.
Refuses to skip what passed while it was away: it goes on from where an earlier one ended.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import anyio
import httpx2
import msgspec
import typer

from tapeline.cli.poll_record import Record, Replay
from tapeline.cli.poll_show import iso, show_report, show_streamed
from tapeline.cli.vendor import Market, Vendor, open_vendor
from tapeline.cli.watchlist import watchlist_path
from tapeline.core.clock import Clock, together
from tapeline.core.config import Config
from tapeline.core.config.secrets import alpaca_keys
from tapeline.core.errors import BadInput
from tapeline.core.home import default_home
from tapeline.core.types import NS_PER_S, BarFrame
from tapeline.feed.polled import Past, PolledFile
from tapeline.feed.poller import Poller
from tapeline.feed.polling import run_polling
from tapeline.feed.provisional import Provisional
from tapeline.feed.report import MINUTE_NS, PollReport
from tapeline.feed.vendors.alpaca_crypto import split_markets
from tapeline.feed.vendors.alpaca_stream import listen
from tapeline.feed.watchlist import WatchedList
from tapeline.flow.channel import Inlet, Outlet, channel

REPORTS_WAITING = 4
"""Reports that may wait for a slow reader of our output before the poller waits, too."""

WatchSettings = Callable[[Poller], Callable[[], None]]


@dataclass(frozen=True, slots=True)
class Cycle:
    """A report, and what is true once it was printed."""

    report: PollReport
    is_final: bool
    feed: str
    marks: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Marking:
    """Sends reports on together with how far the poller has come by them."""

    inlet: Inlet[Cycle]
    poller: Poller
    feed: str
    final_ns: int
    """How long after its end a minute is read a second time."""

    async def send(self, report: PollReport) -> None:
        is_final = not self.poller.rereads or report.started_ns >= report.frame.as_of_ns + self.final_ns
        await self.inlet.send(Cycle(report, is_final, self.feed, self.poller.watermarks()))

    def close(self) -> None:
        self.inlet.close()


async def watch(
    config: Config,
    wanted: tuple[str, ...],
    as_json: bool,
    cycles: int | None,
    with_stream: bool,
    follows: bool,
    watch_settings: WatchSettings,
    tape: Record | Replay | None = None,
) -> None:
    """Poll until stopped. A watchlist or settings that change on disk count from the next cycle on.

    With a ``tape`` nothing changes on the way: it begins now, or where it was recorded, whatever was polled before.
    """
    streamed = Provisional() if with_stream else None
    past = PolledFile(default_home(os.environ).path / "market" / "polled.json") if tape is None else None
    async with open_vendor(config, os.environ, tape) as vendor:
        symbols, unknown, unchecked = await vendor.known(wanted)
        for line in [f"{symbol}: {reason}" for symbol, reason in unknown] + [unchecked] * bool(unchecked):
            typer.echo(line, err=True)
        stocks, _ = split_markets(symbols)
        if with_stream and not stocks:
            raise BadInput("--stream is a stream of stocks, and none is polled: leave it out, or name one")
        ends: tuple[Inlet[Cycle], Outlet[Cycle]] = channel(vendor.clock, REPORTS_WAITING)
        inlet, outlet = ends
        markets = vendor.markets(symbols)
        with ExitStack() as open_ends:
            runs = []
            for market in markets:
                file = WatchedList(watchlist_path()) if follows else None
                follow = partial(listed_in, market, len(markets) == 1, file)
                end = open_ends.enter_context(inlet.clone())
                runs.append(partial(_poll_market, vendor, market, past, end, cycles, follow, watch_settings))
            inlet.close()
            async with anyio.create_task_group() as group:
                if streamed is not None:
                    group.start_soon(_listen, config, stocks, partial(_hear, as_json, streamed), vendor.clock)
                await together(vendor.clock, [*runs, partial(_show, as_json, outlet, past, streamed)])
                group.cancel_scope.cancel()


async def _show(as_json: bool, outlet: Outlet[Cycle], past: PolledFile | None, streamed: Provisional | None) -> None:
    """Print what comes, and remember that it was printed: killed in between, the next start prints it once more."""
    with outlet:
        while True:
            try:
                cycle = await outlet.receive()
            except anyio.EndOfStream:
                return
            with anyio.CancelScope(shield=True):
                news = streamed.news_of(cycle.report) if streamed is not None else cycle.report
                show_report(as_json, news, cycle.is_final)
                if past is not None:
                    await past.note(cycle.feed, cycle.marks)


async def _poll_market(
    vendor: Vendor,
    market: Market,
    past: PolledFile | None,
    inlet: Inlet[Cycle],
    cycles: int | None,
    follow: Callable[[], Sequence[str] | None],
    watch_settings: WatchSettings,
) -> None:
    """Poll one market by its own calendar, from where it was left; stocks and coins share the limit of the key."""
    clock, config = vendor.clock, vendor.config.feed
    if market.is_always_open:
        config = msgspec.structs.replace(config, extended_hours=False)
    feed = f"{market.source.feed} {_server(config.alpaca.base_url)}"
    now_ns = clock.now_ns()
    found = Past({}, ()) if past is None else past.marks(feed, market.symbols, now_ns, market.calendar)
    poller = Poller(
        market.source,
        market.symbols,
        clock=clock,
        calendar=market.calendar,
        config=config,
        since_ns=now_ns,
        marks=found.marks,
    )
    _say_past(found, market, now_ns)
    retune = watch_settings(poller)
    outbox = _Marking(inlet, poller, feed, round(config.reread_s * NS_PER_S))
    await run_polling(poller, outbox, clock=clock, cycles=cycles, symbols=follow, retune=retune)


def _say_past(found: Past, market: Market, now_ns: int) -> None:
    """Say where the poller goes on when minutes have passed since then, and who begins anew."""
    oldest_ns = min(found.marks.values(), default=now_ns)
    start_ns = max(oldest_ns, market.calendar.next_session(oldest_ns).open_ns)
    if start_ns + MINUTE_NS <= now_ns:
        typer.echo(f"going on from {iso(start_ns)}, where the poll before was left", err=True)
    if found.too_old:
        typer.echo(
            f"{len(found.too_old)} symbols begin now: when they were polled last is too long ago to fetch what passed",
            err=True,
        )


def _server(base_url: str) -> str:
    """Return who is asked, without credentials."""
    url = httpx2.URL(base_url)
    return url.host if url.port is None else f"{url.host}:{url.port}"


def listed_in(market: Market, is_alone: bool, file: WatchedList | None) -> Sequence[str] | None:
    """Return the market's part of a watchlist that has changed; None when it is as it was, or would be empty.

    Symbols of the other market, when this one ``is_alone``, are named: nobody polls them yet.
    """
    changed = file() if file is not None else None
    if changed is None:
        return None
    stocks, pairs = split_markets(changed)
    mine, others = (pairs, stocks) if market.is_always_open else (stocks, pairs)
    if others and is_alone:
        typer.echo(f"begin with the next start, as none of their market is polled: {', '.join(others[:20])}", err=True)
    return mine or None


def _hear(as_json: bool, streamed: Provisional, frame: BarFrame) -> None:
    show_streamed(as_json, streamed.streamed(frame))


async def _listen(config: Config, symbols: Sequence[str], hear: Callable[[BarFrame], None], clock: Clock) -> None:
    """Listen to the stream with the keys that the polls have."""
    keys = alpaca_keys(os.environ)
    assert keys is not None  # the vendor is open
    await listen(config.feed.alpaca, keys, symbols, hear, clock=clock, seed=config.node.seed)
