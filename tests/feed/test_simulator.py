"""The feed against the real simulator: a process of its own, its wire, its clock, its rate limit."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import httpx2
import pytest
from msgspec.structs import replace
from tests.feed.worlds import CLOSE_NS, KEYS, MINUTE_NS, OPEN_NS
from tests.sim.running import running_simulator

from tapeline.core.calendar import SessionCalendar
from tapeline.core.clock import LogicalClock, actor
from tapeline.core.config import FeedConfig
from tapeline.core.types import NS_PER_S, Headline, Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.poller import Poller, PollReport
from tapeline.feed.replay import ReplayAuthority
from tapeline.feed.sync import fetch_history
from tapeline.feed.vendors.alpaca import AlpacaBars, alpaca_hosts
from tapeline.feed.vendors.google_news import GoogleNews, news_host

pytestmark = pytest.mark.process

CALENDAR = SessionCalendar()
Use = Callable[[LogicalClock, Gateway, FeedConfig], Awaitable[Any]]


def _with_feed(url: str, use: Use, config: FeedConfig) -> Any:
    """Run ``use`` as an actor of a clock that the simulator moves."""
    alpaca = replace(config.alpaca, base_url=url, trading_url=url)
    config = replace(config, alpaca=alpaca, news=replace(config.news, base_url=url))

    async def main() -> Any:
        async with ReplayAuthority(url) as authority, httpx2.AsyncClient(trust_env=False) as client:
            now_ns = (await client.get(f"{url}/sim/clock")).json()["now_ns"]
            clock = LogicalClock(now_ns, authority)
            hosts = [*alpaca_hosts(config, KEYS, clock), news_host(config, clock)]
            async with (
                Gateway(hosts, config=config, clock=clock, seed=7, replay=True) as gateway,
                actor(clock),
            ):
                found = await use(clock, gateway, config)
            stats = (await client.get(f"{url}/sim/stats")).json()
            return found, stats

    return anyio.run(main)


def test_history_and_a_morning_come_whole_inside_a_tight_limit() -> None:
    config = FeedConfig(requests_per_minute=4)

    async def use(clock: LogicalClock, gateway: Gateway, config: FeedConfig) -> tuple[Any, ...]:
        source = AlpacaBars(gateway, config.alpaca)
        assets = (await source.fetch_assets()).unwrap()
        market = (await source.fetch_clock()).unwrap()
        symbols = [asset.symbol for asset in assets if asset.tradable]
        history = await fetch_history(
            source, symbols, 120, dt.date(2010, 5, 5), clock=clock, calendar=CALENDAR, config=config
        )
        asked = source.requests
        poller = Poller(source, symbols, clock=clock, calendar=CALENDAR, config=config, since_ns=clock.now_ns())
        reports = [report async for report in _cycles(poller, clock, 10)]
        return market, symbols, history, asked, reports, gateway.stats

    with running_simulator(524) as url:
        (market, symbols, history, asked, reports, stats), seen = _with_feed(url, use, config)
    assert (market.next_open_ns, market.next_close_ns) == (OPEN_NS, CLOSE_NS)
    assert len(symbols) >= 501
    assert history.missing == ()
    assert (history.frame.timeframe_s, history.frame.label) == (86_400, Label.REAL)
    assert len(history.frame) > 110 * len(symbols)
    assert asked > config.requests_per_minute  # so the limiter had to wait
    for minute, report in enumerate(reports, 1):
        _check_minute(report, minute, len(symbols))
    assert sum(host.limited + host.failures for host in stats.values()) == 0
    assert seen["refused_429"] == 0
    assert seen["peak_requests_per_60_s"]["data"] == config.requests_per_minute


async def _cycles(poller: Poller, clock: LogicalClock, count: int) -> AsyncIterator[PollReport]:
    for _ in range(count):
        await clock.sleep_until(poller.next_poll_ns(clock.now_ns()))
        yield await poller.cycle(clock.now_ns())


def _check_minute(report: PollReport, minute: int, n_symbols: int) -> None:
    """Every symbol has its bar of that minute, or is known not to have traded."""
    frame = report.frame
    assert report.missing == ()
    assert (report.requests, report.pages) == (2, 2)
    assert frame.as_of_ns == OPEN_NS + minute * MINUTE_NS
    assert set(frame.event_ns.tolist()) == {OPEN_NS + (minute - 1) * MINUTE_NS}
    assert list(frame.symbols) == sorted(set(frame.symbols))
    assert len(frame) + len(report.no_trade) == n_symbols
    assert frame.label is Label.BRIDGED
    assert report.ended_ns - report.started_ns < 3 * NS_PER_S


def test_the_news_of_the_crash_come_without_a_look_ahead() -> None:
    async def use(clock: LogicalClock, gateway: Gateway, config: FeedConfig) -> list[tuple[Headline, ...]]:
        news = GoogleNews(gateway, config.news, clock=clock)
        found = []
        for moment_ns in (OPEN_NS + 30 * MINUTE_NS, OPEN_NS + 330 * MINUTE_NS):
            await clock.sleep_until(moment_ns)
            outcome = await news.fetch_headlines("AAPL")
            found.append(outcome.value or ())
            assert all(headline.event_ns <= moment_ns for headline in found[-1])
        return found

    with running_simulator(60) as url:
        (morning, afternoon), _ = _with_feed(url, use, FeedConfig())
    assert afternoon
    assert {headline.label for headline in afternoon} == {Label.SIMULATED}
    assert set(morning) <= set(afternoon)


def test_two_runs_of_one_seed_see_the_same_bytes() -> None:
    async def use(clock: LogicalClock, gateway: Gateway, config: FeedConfig) -> list[object]:
        source = AlpacaBars(gateway, config.alpaca)
        symbols = [asset.symbol for asset in (await source.fetch_assets()).unwrap()]
        poller = Poller(source, symbols, clock=clock, calendar=CALENDAR, config=config, since_ns=clock.now_ns())
        seen: list[object] = []
        async for report in _cycles(poller, clock, 5):
            frame = report.frame
            columns = [frame.event_ns.tobytes(), frame.close.tobytes(), frame.volume.tobytes()]
            seen.append([frame.symbols, columns, report.requests, report.started_ns, report.ended_ns])
        return seen

    def one_run() -> list[object]:
        with running_simulator(60) as url:
            found: list[object] = _with_feed(url, use, FeedConfig(batch_size=7, max_concurrent_batches=4))[0]
            return found

    assert one_run() == one_run()
