"""A process that polls a simulator and fills the lanes of a Valkey; it says each cycle and may be killed any time."""

from __future__ import annotations

import sys

import anyio
import httpx2
from msgspec.structs import replace
from tests.feed.worlds import KEYS, MINUTE_NS, OPEN_NS

from tapeline.core.calendar import SessionCalendar
from tapeline.core.clock import LogicalClock, actor
from tapeline.core.config import FeedConfig
from tapeline.feed.gateway import Gateway
from tapeline.feed.poller import Poller
from tapeline.feed.replay import ReplayAuthority
from tapeline.feed.vendors.alpaca import AlpacaBars, alpaca_hosts
from tapeline.streams.lanes import Publisher
from tapeline.streams.limits import connect_limits
from tapeline.streams.valkey import connect

LANES, MINUTES = 3, 8
END_NS = OPEN_NS + MINUTES * MINUTE_NS
CONFIG = FeedConfig(batch_size=9, requests_per_minute=30, reread_s=0.0)


async def poll(url: str, valkey: str) -> None:
    """Poll until every minute is covered."""
    config = replace(CONFIG, alpaca=replace(CONFIG.alpaca, base_url=url, trading_url=url))
    async with (
        ReplayAuthority(url) as authority,
        httpx2.AsyncClient(trust_env=False) as client,
        connect(valkey) as store,
        connect_limits(valkey) as state,
    ):
        clock = LogicalClock((await client.get(f"{url}/sim/clock")).json()["now_ns"], authority)
        hosts = alpaca_hosts(config, KEYS, clock, state)
        async with Gateway(hosts, config=config, clock=clock, seed=7, replay=True) as gateway, actor(clock):
            source, publisher = AlpacaBars(gateway, config.alpaca), Publisher(store, LANES)
            await publisher.open()
            symbols = [asset.symbol for asset in (await source.fetch_assets()).unwrap()]
            marks = await publisher.marks_of(symbols)
            calendar = SessionCalendar()
            poller = Poller(
                source, symbols, clock=clock, calendar=calendar, config=config, since_ns=OPEN_NS, marks=marks
            )
            sys.stdout.write("begun\n")
            while poller.covered_ns < END_NS:
                await clock.sleep_until(poller.next_poll_ns(clock.now_ns()))
                report = await poller.cycle(clock.now_ns())
                await publisher.publish(report.frame, poller.watermarks())
                sys.stdout.write("cycle\n")
                sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(poll, sys.argv[1], sys.argv[2])
