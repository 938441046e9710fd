"""A small vendor in memory: Alpaca's bars with pages, and a way to run a test as an actor of a logical clock."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import anyio
import httpx2

from tapeline.core.clock import LogicalClock, actor
from tapeline.core.config import FeedConfig
from tapeline.core.config.secrets import AlpacaKeys
from tapeline.core.types import NS_PER_S
from tapeline.feed.gateway import Gateway
from tapeline.feed.vendors.alpaca import AlpacaBars, alpaca_hosts

T = TypeVar("T")

MINUTE_NS = 60 * NS_PER_S
OPEN_NS = int(datetime(2010, 5, 6, 13, 30, tzinfo=UTC).timestamp()) * NS_PER_S
CLOSE_NS = OPEN_NS + 390 * MINUTE_NS
KEYS = AlpacaKeys("key-id-123", "secret-456")
BACKENDS = ("asyncio", "trio")

Handler = Callable[[httpx2.Request], httpx2.Response]


def run(main: Callable[[LogicalClock], Awaitable[T]], *, start_ns: int = OPEN_NS, backend: str = "asyncio") -> T:
    """Run ``main`` as the one actor of a fresh logical clock."""

    async def outer() -> T:
        clock = LogicalClock(start_ns)
        with anyio.fail_after(20):
            async with actor(clock):
                return await main(clock)

    return anyio.run(outer, backend=backend)


def iso(moment_ns: int) -> str:
    return datetime.fromtimestamp(moment_ns / NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * NS_PER_S


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    return httpx2.Response(status, headers=dict(headers or {}), content=json.dumps(body).encode())


@dataclass
class FakeVendor:
    """Serves minute bars as Alpaca does: rows symbol by symbol, ``limit`` over all of them, page tokens.

    ``rows`` maps a symbol to the minutes it traded in. ``faults`` may answer a request in the vendor's place. A request
    that names one of the ``bad`` symbols is refused as a whole. ``late`` maps (symbol, minute) to the price that its
    bar shows from 20 s after its end on.
    """

    clock: LogicalClock
    rows: dict[str, list[int]]
    page_rows: int = 10_000
    latency_ms: float = 200.0
    label: str | None = None
    faults: Callable[[httpx2.Request], httpx2.Response | None] = lambda _request: None
    bad: set[str] = field(default_factory=set)
    late: dict[tuple[str, int], float] = field(default_factory=dict)
    arrivals: list[int] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.arrivals.append(self.clock.now_ns())
        self.asked.append(dict(request.url.params))
        reply = self.faults(request)
        if reply is None:
            params = dict(request.url.params)
            refused = sorted(self.bad & set(params["symbols"].split(",")))
            if refused:
                reply = answer({"message": f"invalid symbol: {refused[0]}"}, 400)
            elif request.url.path.endswith(("/latest", "/snapshots")):
                reply = self._newest(params, is_snapshot=request.url.path.endswith("/snapshots"))
            else:
                reply = self._bars(params)
        reply.headers.setdefault("X-Replay-Latency-Ms", str(self.latency_ms))
        return reply

    def _bars(self, params: dict[str, str]) -> httpx2.Response:
        start_ns, end_ns = parse_iso(params["start"]), parse_iso(params["end"])
        length_ns = MINUTE_NS if params["timeframe"] == "1Min" else 1_440 * MINUTE_NS
        found = [
            (symbol, event_ns)
            for symbol in sorted(params["symbols"].split(","))
            for event_ns in sorted(self.rows.get(symbol, []))
            if start_ns <= event_ns <= end_ns and event_ns + length_ns <= self.clock.now_ns()
        ]
        first = int(params.get("page_token", "0"))
        count = min(int(params["limit"]), self.page_rows)
        bars: dict[str, list[dict[str, Any]]] = {}
        for symbol, event_ns in found[first : first + count]:
            bars.setdefault(symbol, []).append(self._bar(symbol, event_ns))
        more = first + count < len(found)
        headers = {"X-Tapeline-Label": self.label} if self.label else {}
        return answer({"bars": bars, "next_page_token": str(first + count) if more else None}, headers=headers)

    def _bar(self, symbol: str, event_ns: int) -> dict[str, Any]:
        is_corrected = self.clock.now_ns() >= event_ns + MINUTE_NS + 20 * NS_PER_S
        return wire_bar(event_ns, self.late.get((symbol, event_ns), 10.0) if is_corrected else 10.0)

    def _newest(self, params: dict[str, str], *, is_snapshot: bool) -> httpx2.Response:
        bars = {}
        for symbol in sorted(params["symbols"].split(",")):
            ended = [event for event in self.rows.get(symbol, []) if event + MINUTE_NS <= self.clock.now_ns()]
            if ended:
                bars[symbol] = self._bar(symbol, max(ended))
        if not is_snapshot:
            return answer({"bars": bars})
        trade, quote = {"t": iso(self.clock.now_ns()), "p": 10.5, "s": 7}, {"bp": 10.25, "ap": 0}
        return answer({s: {"minuteBar": bar, "latestTrade": trade, "latestQuote": quote} for s, bar in bars.items()})

    def peak(self, window_s: int = 60) -> int:
        """Return the most requests that ever arrived in one window, both of its ends included."""
        window_ns = window_s * NS_PER_S
        return max((sum(1 for b in self.arrivals if a <= b <= a + window_ns) for a in self.arrivals), default=0)


def wire_bar(event_ns: int, price: float = 10.0, **other: object) -> dict[str, Any]:
    bar = {"t": iso(event_ns), "o": price, "h": price + 1, "l": price - 1, "c": price, "v": 100, "n": 3, "vw": price}
    return {**bar, **other}


def gateway_to(handler: Handler, clock: LogicalClock, config: FeedConfig, *, replay: bool = True) -> Gateway:
    """Return a gateway with Alpaca's two hosts, both answered by ``handler``."""
    hosts = alpaca_hosts(config, KEYS, clock)
    return Gateway(hosts, config=config, clock=clock, transport=httpx2.MockTransport(handler), replay=replay)


def bars_of(gateway: Gateway, config: FeedConfig) -> AlpacaBars:
    return AlpacaBars(gateway, config.alpaca)
