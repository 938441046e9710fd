"""A bad day at the simulator: refusals, floods, stalls, cut answers and unknown symbols, and every bar all the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.feed.test_simulator import CALENDAR, _cycles, _with_feed
from tests.feed.worlds import MINUTE_NS, OPEN_NS
from tests.sim.running import running_simulator

from tapeline.core.clock import LogicalClock
from tapeline.core.config import FeedConfig
from tapeline.core.types import NS_PER_S
from tapeline.feed.gateway import Gateway
from tapeline.feed.poller import Poller
from tapeline.feed.vendors.alpaca import AlpacaBars

MINUTES = 10
BARS = "/v2/stocks/bars"
PLAN = {
    "latency": {BARS: {"median_ms": 200.0}},
    "fault": [
        {"kind": "status", "status": 500, "probability": 0.10, "route": BARS},
        {"kind": "status", "status": 429, "probability": 0.05, "route": BARS, "burst_s": 2.0},
        {"kind": "stall", "probability": 0.02, "route": BARS},
        {"kind": "truncate", "probability": 0.03, "route": BARS},
    ],
}
CONFIG = FeedConfig(batch_size=5, breaker_failures=20)


@pytest.mark.process
def test_every_obtainable_bar_arrives_exactly_once_and_no_cycle_outlasts_its_deadline(tmp_path: Path) -> None:
    async def poll(clock: LogicalClock, gateway: Gateway, config: FeedConfig) -> tuple[Counter[Any], list[int], Any]:
        source = AlpacaBars(gateway, config.alpaca)
        known = [asset.symbol for asset in (await source.fetch_assets()).unwrap()]
        symbols = [*known, "NOT_A_SYMBOL"]
        poller = Poller(source, symbols, clock=clock, calendar=CALENDAR, config=config, since_ns=clock.now_ns())
        found: Counter[Any] = Counter()
        took_ns = []
        async for report in _cycles(poller, clock, 2 * MINUTES):
            rows = zip(report.frame.symbols, report.frame.event_ns.tolist(), report.frame.close.tolist(), strict=True)
            found.update(row for row in rows if row[1] < OPEN_NS + MINUTES * MINUTE_NS)
            took_ns.append(report.ended_ns - report.started_ns)
            if poller.covered_ns >= OPEN_NS + MINUTES * MINUTE_NS:
                break
        return found, took_ns, poller.quarantine

    async def truth(clock: LogicalClock, gateway: Gateway, config: FeedConfig) -> Counter[Any]:
        source = AlpacaBars(gateway, config.alpaca)
        known = [asset.symbol for asset in (await source.fetch_assets()).unwrap()]
        await clock.sleep_until(OPEN_NS + (MINUTES + 1) * MINUTE_NS)
        frame = (await source.fetch_bars(known, OPEN_NS, OPEN_NS + MINUTES * MINUTE_NS)).unwrap()
        return Counter(zip(frame.symbols, frame.event_ns.tolist(), frame.close.tolist(), strict=True))

    plan = tmp_path / "plan.json"
    plan.write_bytes(msgspec.json.encode(PLAN))
    with running_simulator(60, "--faults", str(plan)) as url:
        (found, took_ns, quarantine), seen = _with_feed(url, poll, CONFIG)
    with running_simulator(60) as url:
        expected, _ = _with_feed(url, truth, CONFIG)
    assert found == expected
    assert len(expected) > 500
    assert max(took_ns) <= CONFIG.cycle_s * NS_PER_S
    assert set(quarantine) == {"NOT_A_SYMBOL"}
    assert {"status_500", "status_429", "truncate"} <= set(seen["faults"])
    assert seen["peak_requests_per_60_s"]["data"] <= CONFIG.requests_per_minute
