"""What the stream benchmark is measured against: the document's design, written straightforwardly, and FastStream.

In: the socket of a server that holds single ticks in the ingress stream.  Out: ticks a second. Each is a process of its
own that prints one number. Refuses nothing; a peer that is not installed reports nothing.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import math
import sys
import time
from collections import deque
from typing import Any

from redis.asyncio import Redis

from tapeline.core.errors import BadInput
from tapeline.core.instruments import Instrument, InstrumentKind, parse_symbol
from tapeline.kernels.greeks import greeks, implied_vol
from tapeline.streams.keys import INGRESS

WORKERS, BATCH = 5, 50
YEARS = 0.4


class Baseline:
    """The document's processor: for each tick parse, indicators, Greeks, store, acknowledge."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.prices: dict[str, deque[float]] = {}
        self.last: dict[str, float] = {}
        self.parsed: dict[str, Instrument | None] = {}
        self.done = 0

    async def tick(self, fields: dict[bytes, bytes]) -> None:
        """Do one tick, the way the document says."""
        symbol, price = fields[b"symbol"].decode(), float(fields[b"last_price"])
        values: dict[Any, Any] = {
            "last_price": price,
            "volume": float(fields[b"volume"]),
            **self.indicators(symbol, price),
        }
        if symbol not in self.parsed:
            try:
                self.parsed[symbol] = parse_symbol(symbol)
            except BadInput:
                self.parsed[symbol] = None
        found = self.parsed[symbol]
        if found is not None and found.kind is InstrumentKind.OPTION and found.underlying in self.last:
            values |= self.greeks(found, price)
        self.last[symbol] = price
        await self.client.hset(f"ticks:{symbol}", mapping=values)
        await self.client.expire(f"ticks:{symbol}", 300)

    def indicators(self, symbol: str, price: float) -> dict[str, float]:
        """Return the averages and the relative strength of the last 100 prices."""
        prices = self.prices.setdefault(symbol, deque(maxlen=100))
        prices.append(price)
        if len(prices) < 20:
            return {}
        window = list(prices)
        changes = [b - a for a, b in zip(window[-15:], window[-14:], strict=False)]
        gain, loss = sum(c for c in changes if c > 0), -sum(c for c in changes if c < 0)
        return {"sma_20": sum(window[-20:]) / 20, "rsi_14": 100.0 * gain / (gain + loss) if gain + loss else 50.0}

    def greeks(self, option: Instrument, price: float) -> dict[str, float]:
        """Return volatility and Greeks of one option."""
        right, spot, strike = option.right or "C", self.last[option.underlying], float(option.strike or 0)
        vol = float(implied_vol(str(right), price, spot, strike, YEARS, 0.04)[0])
        if math.isnan(vol):
            return {}
        values = greeks(str(right), spot, strike, YEARS, 0.04, vol)
        return {"iv": vol, **{name: float(values[name]) for name in ("delta", "gamma", "theta", "vega")}}

    async def worker(self, name: str, ends_s: float) -> None:
        """Read batches and do them one tick after the other, until the time is over."""
        while time.perf_counter() < ends_s:
            found: Any = await self.client.xreadgroup("peer", name, {INGRESS: ">"}, count=BATCH, block=1000)
            if not found:
                return
            for entry_id, fields in found[0][1]:
                await self.tick(fields)
                await self.client.xack(INGRESS, "peer", entry_id)
                self.done += 1


async def baseline(socket_path: str, seconds: float) -> float:
    """Return how many ticks a second the document's design does."""
    async with Redis(unix_socket_path=socket_path, protocol=2) as client:
        await client.xgroup_create(INGRESS, "peer", "0")
        peer = Baseline(client)
        started = time.perf_counter()
        await asyncio.gather(*(peer.worker(f"w{i}", started + seconds) for i in range(WORKERS)))
        return peer.done / (time.perf_counter() - started)


async def faststream(socket_path: str, seconds: float) -> float:
    """Return how many ticks a second FastStream hands to a subscriber that does nothing with them but count."""
    redis = importlib.import_module("faststream.redis")
    broker = redis.RedisBroker(f"unix://{socket_path}", logger=None)
    peer = Baseline(Redis(unix_socket_path=socket_path, protocol=2))
    stream = redis.StreamSub(INGRESS.decode(), group="faststream", consumer="one", last_id=">", max_records=BATCH)

    @broker.subscriber(stream=stream)  # type: ignore[untyped-decorator, unused-ignore]
    async def take(message: Any) -> None:
        del message
        peer.done += 1

    await peer.client.xgroup_create(INGRESS, "faststream", "0")
    await broker.start()
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    done, took_s = peer.done, time.perf_counter() - started
    await broker.stop()
    await peer.client.aclose()
    return done / took_s


def main() -> None:
    """Run the peer that the command line names and print its rate."""
    name, socket_path, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    if name == "faststream" and importlib.util.find_spec("faststream") is None:
        rate = None
    else:
        rate = asyncio.run((baseline if name == "baseline" else faststream)(socket_path, seconds))
    sys.stdout.write(json.dumps(rate) + "\n")


if __name__ == "__main__":
    main()
