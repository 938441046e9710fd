"""Polling a whole market, measured at the vendor simulator: a process of its own, its wire, its clock, its limit.

In: nothing but sizes; the market is the simulator's.  Out: a dict that JSON can hold.
Refuses to count with the wall: seconds are the logical clock's, on which every answer takes 200 ms; requests, peaks and
refusals are counted by the server. Memory is this process's own.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import msgspec
from msgspec.structs import replace

from tapeline.core.calendar import SessionCalendar
from tapeline.core.clock import LogicalClock, actor
from tapeline.core.config import FeedConfig
from tapeline.core.config.secrets import AlpacaKeys
from tapeline.core.process import spawn
from tapeline.core.types import NS_PER_S
from tapeline.feed.gateway import Gateway
from tapeline.feed.poller import Poller
from tapeline.feed.replay import ReplayAuthority
from tapeline.feed.vendors.alpaca import AlpacaBars, alpaca_hosts

LATENCY_MS = 200.0
LIMIT = 200
"""Requests in any 60 s that the server takes; ours is the configured 180."""
TABLE = ((31, 1), (31, 10), (100, 10), (100, 25), (200, 25), (1_000, 400), (6_000, 400), (12_000, 400))
"""(symbols, symbols in one request): the polling document's five cases, and whole markets."""
PEER_SYMBOLS = 200
LONG_SYMBOLS = 6_000
CYCLES = 2
LONG_CYCLES, LONG_CYCLES_QUICK = 200, 20
WARM_CYCLES = 20
"""Cycles before memory is looked at: pools fill and buffers reach their size."""
REREAD_EVERY = 10
"""Cycles between two second readings: enough to see what they cost, and half the time."""
KEYS = AlpacaKeys("bench", "bench")
DAY = "2010-05-06"
START_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """What one case cost. ``cycle_s`` is on the logical clock; ``missing`` had neither a bar nor a known reason."""

    symbols: int
    batch: int
    cycles: int
    requests: int
    pages: int
    cycle_s: float
    peak_requests_60s: int
    http_429: int
    missing: int
    peak_rss_mb: float


def run(*, quick: bool) -> dict[str, Any]:
    """Measure and return ``results``, ``peers`` and the ``table``.

    Parameters
    ----------
    quick
        Fewer cycles for the growth of memory; the same table.
    """
    long_cycles = LONG_CYCLES_QUICK if quick else LONG_CYCLES
    cases = [anyio.run(_case, n, batch, long_cycles if n == LONG_SYMBOLS else CYCLES) for n, batch in TABLE]
    rows = [row for row, _ in cases]
    ((six, growth_mb),) = (case for case in cases if case[0].cycles == long_cycles)
    twelve = rows[-1]
    return {
        "results": {
            "cycle_s_6000": six.cycle_s,
            "requests_6000": six.requests,
            "http_429": sum(row.http_429 for row in rows),
            "missing": sum(row.missing for row in rows),
            "peak_requests_60s": max(row.peak_requests_60s for row in rows),
            "rss_growth_mb": growth_mb,
            "cycle_s_12000": twelve.cycle_s,
            "requests_12000": twelve.requests,
            "cycles": six.cycles,
        },
        "peers": {"batches_of_25_with_limit_2": anyio.run(_two_bars_a_batch)},
        "table": [asdict(row) for row in rows],
    }


async def _case(n_symbols: int, batch: int, cycles: int) -> tuple[Row, float]:
    """Poll for some cycles; return the worst of each figure, and how our memory grew after the warm cycles."""
    config = FeedConfig(batch_size=batch, strategy="sequential" if batch == 1 else "hybrid")
    requests = pages = missing = took_ns = 0
    warm_mb = 0.0
    with simulator(n_symbols) as url:
        async with market(url, config) as (clock, source):
            listed = (await source.fetch_assets()).unwrap()
            symbols = sorted(asset.symbol for asset in listed)[:n_symbols]
            poller = Poller(
                source, symbols, clock=clock, calendar=SessionCalendar(), config=config, since_ns=clock.now_ns()
            )
            for cycle in range(cycles):
                await clock.sleep_until(poller.next_poll_ns(clock.now_ns()))
                report = await poller.cycle(clock.now_ns())
                requests, pages = max(requests, report.requests), max(pages, report.pages)
                took_ns = max(took_ns, report.ended_ns - report.started_ns)
                missing += len(symbols) - len(report.frame) - len(report.no_trade)
                if cycle % REREAD_EVERY == 0:
                    await _read_again(poller, clock)
                if cycle == min(WARM_CYCLES, cycles // 2):
                    warm_mb = rss_mb()
            growth_mb = round(rss_mb() - warm_mb, 2)
        seen = httpx2.get(f"{url}/sim/stats", trust_env=False).json()
    row = Row(
        symbols=len(symbols),
        batch=batch,
        cycles=cycles,
        requests=requests,
        pages=pages,
        cycle_s=round(took_ns / NS_PER_S, 3),
        peak_requests_60s=seen["peak_requests_per_60_s"]["data"],
        http_429=seen["refused_429"],
        missing=missing,
        peak_rss_mb=round(peak_rss_mb(), 1),
    )
    return row, growth_mb


async def _read_again(poller: Poller, clock: LogicalClock) -> None:
    due_ns = poller.next_reread_ns()
    if due_ns is not None:
        await clock.sleep_until(due_ns)
        await poller.reread(clock.now_ns())


async def _two_bars_a_batch() -> dict[str, int]:
    """Ask for 200 symbols as the document's poller does: 25 a request, ``limit`` 2, no start, one page."""
    with simulator(PEER_SYMBOLS) as url:
        async with market(url, FeedConfig()) as (clock, source):
            symbols = sorted(asset.symbol for asset in (await source.fetch_assets()).unwrap())
            session = SessionCalendar().next_session(clock.now_ns())
            await clock.sleep_until(session.open_ns + 600 * NS_PER_S)
        newest = 0
        headers = {"APCA-API-KEY-ID": KEYS.key_id, "APCA-API-SECRET-KEY": KEYS.secret_key}
        with httpx2.Client(base_url=url, headers=headers, trust_env=False) as client:
            for at in range(0, len(symbols), 25):
                asked: dict[str, str | int] = {
                    "symbols": ",".join(symbols[at : at + 25]),
                    "timeframe": "1Min",
                    "limit": 2,
                    "feed": "iex",
                }
                bars = client.get("/v2/stocks/bars", params=asked).json()["bars"]
                newest += sum(rows[-1]["t"].endswith("13:39:00Z") for rows in bars.values())
    return {"symbols": len(symbols), "symbols_with_the_newest_bar": newest}


@contextmanager
def simulator(n_symbols: int) -> Iterator[str]:
    """Run a simulator of so many symbols whose bars take ``LATENCY_MS``; yield its address."""
    latency = {"latency": {"/v2/stocks/bars": {"median_ms": LATENCY_MS, "sigma": 0.0}}}
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        plan.write_bytes(msgspec.json.encode(latency))
        argv = [sys.executable, "-m", "tapeline.sim", "--port", "0", "--day", DAY, "--symbols", str(n_symbols)]
        argv += ["--data-limit", str(LIMIT), "--faults", str(plan)]
        with spawn(argv, name="the simulator", pipe_stdout=True) as child:
            yield msgspec.json.decode(child.read_line(START_TIMEOUT_S))["url"]


@asynccontextmanager
async def market(url: str, config: FeedConfig) -> AsyncIterator[tuple[LogicalClock, AlpacaBars]]:
    """Open the adapter to the simulator at ``url``, on the simulator's clock. The body is an actor."""
    config = replace(config, alpaca=replace(config.alpaca, base_url=url, trading_url=url))
    async with ReplayAuthority(url) as authority:
        clock = LogicalClock(httpx2.get(f"{url}/sim/clock", trust_env=False).json()["now_ns"], authority)
        hosts = alpaca_hosts(config, KEYS, clock)
        async with Gateway(hosts, config=config, clock=clock, replay=True) as gateway, actor(clock):
            yield clock, AlpacaBars(gateway, config.alpaca)


def rss_mb() -> float:
    """Return the memory that this process holds now, in MB; its peak where the system tells no more."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return peak_rss_mb()
    return int(statm.read_text().split()[1]) * resource.getpagesize() / 1e6


def peak_rss_mb() -> float:
    """Return the most memory that this process ever held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
