"""The router: from the ingress to the lanes, exactly once and in order.

In: entries with single ticks or frames of any symbol.  Out: one frame per lane and batch, and dead letters.
One router at a time, by lease; the lanes know what they have of each entry, and a new router asks them (``ingress``).
It never waits for a lane: lanes are streams. Refuses to dead-letter the world, as a lane does (``poison``).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator

import anyio
import anyio.lowlevel
import numpy as np

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import Unavailable
from tapeline.core.instruments import underlying_of
from tapeline.core.types import I64, BarFrame
from tapeline.streams import frames
from tapeline.streams.blocks import Block, Run
from tapeline.streams.effects import letter_of_entry, warn_of_letters
from tapeline.streams.ingress import Ingress, Route
from tapeline.streams.lanes import lane_of
from tapeline.streams.poison import POISON_WINDOW, Poisoned, PoisonWatch
from tapeline.streams.store import DeadLetter, LeaseLost, days_before, id_key
from tapeline.streams.ticks import TickRows

log = logging.getLogger(__name__)

ROUNDS_PER_LEASE = 3
IDLE_BLOCK_S = 0.25
MAX_ENTRIES_AT_ONCE = 10_000
CLAIM_IDLE_S = 30.0
"""An entry that somebody else in our group has held this long is acknowledged: we route it whoever else reads it."""


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
        self._n_lanes, self._term = config.lanes, 0
        self._routed: dict[int, tuple[int, int]] = {}
        self._poison = PoisonWatch("the ingress", config.max_poison_pct)
        self.entries = self.rows = self.dead = 0

    def stop(self) -> None:
        """Ask ``run`` to finish with the batch in hand."""
        self._stopping = True

    async def run(self) -> None:
        """Route whenever the right to is ours, until told to stop. A lost server is waited for.

        Raises
        ------
        Poisoned
            When most of the ingress cannot be read. The right to route is given back, the entries stay.
        """
        poisoned: Poisoned | None = None
        pause_s = self._config.lease_s / ROUNDS_PER_LEASE
        while not (self._stopping or poisoned):
            try:
                if await self._renew():
                    await self._work()
            except LeaseLost as error:
                log.info("%s", error)
            except Unavailable as error:
                log.warning("the router waits for the stream server: %s", error)
            except Poisoned as error:
                poisoned = error
            if not (self._stopping or poisoned):
                await anyio.sleep(pause_s)
        try:
            await self._give_back()
        except Unavailable as error:
            log.warning("the right to route was not given back, it runs out by itself: %s", error)
        if poisoned is not None:
            raise poisoned

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
        layout = await self._ingress.layout()
        if layout.is_changing:
            await self._give_back()  # whoever changes the lanes needs it
            return
        self._spread_over(layout.lanes or self._config.lanes)
        offset = await self._open()
        count = max(self._config.batch_size, POISON_WINDOW)  # so that poison is known as such before any letter of it
        while not self._stopping:
            if anyio.current_time() - self._renewed_s > self._config.lease_s / ROUNDS_PER_LEASE:
                if not await self._renew() or await self._ingress.layout() != layout:
                    return
                await self._ingress.trim(self._config.max_entries, days_before(offset, self._config.tick_days))
                await self._ingress.tidy(self._token, idle_s=CLAIM_IDLE_S, count=self._config.batch_size)
            block = await self._ingress.read(offset, count=count, block_s=IDLE_BLOCK_S)
            if not len(block):
                continue
            read_s, full = anyio.current_time(), len(block) == count
            offset = await self._send(offset, block)
            count = min(2 * count, MAX_ENTRIES_AT_ONCE) if full else self._config.batch_size
            if not full:
                await anyio.sleep_until(read_s + self._config.batch_ms / 1000)  # a batch filled while we worked

    async def finish(self, n_lanes: int) -> None:
        """Give every lane what others have of the same entries, where a router died between two lanes.

        Afterwards no router of before can write to a lane. The right to route must be ours.
        """
        self._spread_over(n_lanes)
        offset = await self._open()
        while self._routed:
            block = await self._ingress.read(offset, count=MAX_ENTRIES_AT_ONCE, block_s=0.0)
            if not len(block):
                return
            offset = await self._send(offset, block)

    async def _give_back(self) -> None:
        await self._ingress.lease(self._token, 0.001)

    def _spread_over(self, n_lanes: int) -> None:
        if n_lanes != self._n_lanes:
            self._n_lanes = n_lanes
            self._lane_by_symbol.clear()

    async def _open(self) -> str:
        """Begin a term; return where the ingress stands, and keep which lanes have more than that."""
        standing = await self._ingress.open(self._token, self._n_lanes)
        offset = id_key(standing.offset)
        self._term = standing.term
        self._poison = PoisonWatch(
            "the ingress", self._config.max_poison_pct
        )  # what was read and not routed is read again
        self._routed = {lane: id_key(at) for lane, at in standing.routed.items() if id_key(at) > offset}
        return standing.offset

    async def _send(self, offset: str, block: Block) -> str:
        """Route a block that begins after ``offset``; return where the ingress stands then."""
        last_id = block.id(len(block) - 1)
        rows, dead = self._split(block)
        await self._ingress.put(self._term, last_id, rows)
        route = Route(offset, last_id, len(block), dead, self._config.max_dead_letters)
        await self._ingress.move(self._token, route)
        self._routed = {lane: at for lane, at in self._routed.items() if at > id_key(last_id)}
        self.entries += route.entries
        self.dead += len(dead)
        warn_of_letters("the ingress", dead)
        return last_id

    def _split(self, block: Block) -> tuple[dict[int, list[bytes]], tuple[DeadLetter, ...]]:
        """Return each lane's frames, without the rows that it has, and the entries that hold none."""
        runs, bad = block.decode()
        self._poison.judge(len(block), bad)
        found: dict[int, list[bytes]] = {}
        for run in runs:
            self.rows += len(run.rows)
            parts = self._ticks(block, run, run.rows) if isinstance(run.rows, TickRows) else self._bars(run.rows)
            for lane, payload in parts:
                if not self._has(lane, block.id(run.last)):
                    found.setdefault(lane, []).append(payload)
        return found, tuple(letter_of_entry(block, i, reason) for i, reason in sorted(bad.items()))

    def _has(self, lane: int, entry_id: str) -> bool:
        """Tell whether a lane has the rows of an entry already."""
        return bool(self._routed) and id_key(entry_id) <= self._routed.get(lane, (0, 0))

    def _ticks(self, block: Block, run: Run, rows: TickRows) -> Iterator[tuple[int, bytes]]:
        lanes = self._lanes(rows.symbols)[rows.symbol]
        for lane in np.unique(lanes).tolist():
            mine = np.flatnonzero(lanes == lane)
            if lane in self._routed:
                new = [row for row in mine.tolist() if not self._has(lane, block.id(int(run.entries[row])))]
                mine = np.array(new, np.int64)
            for cut in range(0, mine.size, frames.MAX_ROWS):
                yield lane, frames.encode_ticks(rows.take(mine[cut : cut + frames.MAX_ROWS]))

    def _bars(self, frame: BarFrame) -> Iterator[tuple[int, bytes]]:
        lanes = self._lanes(frame.symbols)
        for lane in range(self._n_lanes):  # also without rows: time passes there too
            yield lane, frames.encode(frame.take(lanes == lane))

    def _lanes(self, symbols: Iterable[str]) -> I64:
        known = self._lane_by_symbol
        found = []
        for symbol in symbols:
            if symbol not in known:
                known[symbol] = lane_of(symbol, self._n_lanes, underlying_of)
            found.append(known[symbol])
        return np.array(found, np.int64)
