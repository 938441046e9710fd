"""The router: from the ingress to the lanes, exactly once and in order.

In: entries with single ticks or frames of any symbol.  Out: one frame per lane and batch, and dead letters.
One router at a time, by lease; what its route says moves in one step with the id up to which it reaches. It never waits
for a lane: lanes are streams.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

import anyio
import anyio.lowlevel
import numpy as np

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import Unavailable
from tapeline.core.instruments import underlying_of
from tapeline.core.types import I64, BarFrame
from tapeline.streams import frames
from tapeline.streams.blocks import Block, reply_of
from tapeline.streams.effects import letter_of_entry
from tapeline.streams.ingress import Claimed, Ingress, Route
from tapeline.streams.lanes import lane_of
from tapeline.streams.store import DeadLetter, LeaseLost
from tapeline.streams.ticks import TickRows

log = logging.getLogger(__name__)

ROUNDS_PER_LEASE = 3
IDLE_BLOCK_S = 0.25
MAX_ENTRIES_AT_ONCE = 10_000
CLAIM_IDLE_S = 30.0
"""An entry that somebody else in our group has held this long is taken over."""


class Router:
    """Spreads the ingress over the lanes. ``run`` returns after ``stop``.

    Parameters
    ----------
    ingress
        What is read.
    token
        Unique among all routers.
    config
        Sizes and times.
    before
        Awaited each time it takes the work up, before anything is routed.
    """

    def __init__(
        self,
        ingress: Ingress,
        token: str,
        config: StreamsConfig,
        *,
        before: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint,
    ) -> None:
        self._ingress, self._token, self._config = ingress, token, config
        self._lane_by_symbol: dict[str, int] = {}
        self._stopping = self.is_working = False
        self._before = before
        self._renewed_s = 0.0
        self.entries = self.rows = self.dead = 0

    def stop(self) -> None:
        """Ask ``run`` to finish with the batch in hand."""
        self._stopping = True

    async def run(self) -> None:
        """Route whenever the right to is ours, until told to stop. A lost server is waited for."""
        pause_s = self._config.lease_s / ROUNDS_PER_LEASE
        while not self._stopping:
            try:
                if await self._renew():
                    await self._work()
            except LeaseLost as error:
                log.info("%s", error)
            except Unavailable as error:
                log.warning("the router waits for the stream server: %s", error)
            if not self._stopping:
                await anyio.sleep(pause_s)
        try:
            await self._ingress.lease(self._token, 0.001)
        except Unavailable as error:
            log.warning("the right to route was not given back, it runs out by itself: %s", error)

    async def _renew(self) -> bool:
        self._renewed_s = anyio.current_time()
        return await self._ingress.lease(self._token, self._config.lease_s)

    async def _work(self) -> None:
        self.is_working = True
        try:
            await self._before()
            await self._route()
        finally:
            self.is_working = False

    async def _route(self) -> None:
        offset = await self._ingress.offset()
        await self._take_over(offset)
        count = self._config.batch_size
        while not self._stopping:
            if anyio.current_time() - self._renewed_s > self._config.lease_s / ROUNDS_PER_LEASE:
                if not await self._renew():
                    return
                await self._ingress.trim(self._config.max_entries)
                await self._take_over(offset)
            block = await self._ingress.read(offset, count=count, block_s=IDLE_BLOCK_S)
            if not len(block):
                continue
            read_s, last_id = anyio.current_time(), block.id(len(block) - 1)
            rows, dead = self._split(block)
            await self._send(Route(offset, last_id, len(block), rows, dead, max_dead=self._config.max_dead_letters))
            offset, full = last_id, len(block) == count
            count = min(2 * count, MAX_ENTRIES_AT_ONCE) if full else self._config.batch_size
            if not full:
                await anyio.sleep_until(read_s + self._config.batch_ms / 1000)  # a batch filled while we worked

    async def _send(self, route: Route) -> None:
        await self._ingress.route(self._token, route)
        self.entries += route.entries
        self.dead += len(route.dead)
        for letter in route.dead:
            log.warning("ingress entry %s goes to the dead letters: %s", letter.id, letter.reason)

    async def _take_over(self, offset: str) -> None:
        """Route what others in our group took and never acknowledged: who read it died, or knew no better."""
        claimed = await self._ingress.claim(self._token, idle_s=CLAIM_IDLE_S, count=self._config.batch_size)
        if not claimed:
            return
        tired = [entry for entry in claimed if entry.deliveries > self._config.max_deliveries or not entry.fields]
        fresh = [entry for entry in claimed if entry not in tired]
        block = Block(reply_of(b"claimed", ((entry.id, entry.fields) for entry in fresh)))
        rows, dead = self._split(block)
        dead += tuple(_tired(entry) for entry in tired)
        acked = tuple(entry.id for entry in claimed)
        await self._send(Route(offset, offset, 0, rows, dead, acked, self._config.max_dead_letters))

    def _split(self, block: Block) -> tuple[tuple[tuple[int, Mapping[bytes, bytes]], ...], tuple[DeadLetter, ...]]:
        runs, bad = block.decode()
        rows: list[tuple[int, Mapping[bytes, bytes]]] = []
        for run in runs:
            self.rows += len(run.rows)
            rows += self._ticks(run.rows) if isinstance(run.rows, TickRows) else self._bars(run.rows)
        return tuple(rows), tuple(letter_of_entry(block, i, reason) for i, reason in sorted(bad.items()))

    def _ticks(self, rows: TickRows) -> Iterator[tuple[int, Mapping[bytes, bytes]]]:
        lanes = self._lanes(rows.symbols)[rows.symbol]
        for lane in np.unique(lanes).tolist():
            mine = np.flatnonzero(lanes == lane)
            for cut in range(0, mine.size, frames.MAX_ROWS):
                yield lane, frames.ticks_to_fields(rows.take(mine[cut : cut + frames.MAX_ROWS]))

    def _bars(self, frame: BarFrame) -> Iterator[tuple[int, Mapping[bytes, bytes]]]:
        lanes = self._lanes(frame.symbols)
        for lane in range(self._config.lanes):  # also without rows: time passes there too
            yield lane, frames.to_fields(frame.take(lanes == lane))

    def _lanes(self, symbols: Iterable[str]) -> I64:
        known = self._lane_by_symbol
        found = []
        for symbol in symbols:
            if symbol not in known:
                known[symbol] = lane_of(symbol, self._config.lanes, underlying_of)
            found.append(known[symbol])
        return np.array(found, np.int64)


def _tired(entry: Claimed) -> DeadLetter:
    reason = f"delivered {entry.deliveries} times and never acknowledged" if entry.fields else "deleted while pending"
    return DeadLetter(entry.id, reason, frames.pack_fields(entry.fields))
