"""Kept ticks of the ingress once more, in a group of their own: what they make now, beside what they made then.

In: a stream server and a span of time.  Out: bars, alerts and hot state under the group's name, and their digest.
Nothing that is live is touched: no key of a lane, no alert of ``alerts:stream``, no position of another group. Each
replay begins with empty lanes, so a window that begins inside a session has the indicators of its own bars alone.
The same window of the same entries under the same settings gives the same bytes.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import msgspec

from tapeline.core.config import Config
from tapeline.live.tape import Replay
from tapeline.streams.blocks import Block
from tapeline.streams.closed import pack_closed
from tapeline.streams.ingress import ValkeyIngress
from tapeline.streams.processor import Alert
from tapeline.streams.replays import ReplayGroup, replay_group
from tapeline.streams.ticks import TickRows
from tapeline.streams.valkey import ValkeyLaneStore, connect
from tapeline.streams.worker import fresh_lanes

_AT_ONCE = 5_000
"""Entries of a read: a second of 5,000 ticks."""


class Replayed(msgspec.Struct, frozen=True):
    """What a replay made.

    Attributes
    ----------
    group
        Under whose name it is on the server.
    first_id, last_id
        The entries that it began and ended with; empty when there were none.
    entries, ticks, refused, bars, alerts
        Counts; ``refused`` are entries that cannot be read and ticks that cannot be applied.
    digest
        Of every closed bar and alert of every lane in order.
    """

    group: str
    first_id: str = ""
    last_id: str = ""
    entries: int = 0
    ticks: int = 0
    refused: int = 0
    bars: int = 0
    alerts: int = 0
    digest: str = ""


async def replay_ingress(address: str, config: Config, begin_ms: int, end_ms: int, group: str = "") -> Replayed:
    """Apply the entries that came from ``begin_ms`` on and before ``end_ms`` (epoch, the server's clock).

    Parameters
    ----------
    address
        The stream server.
    config
        ``live`` says what lanes do, ``streams.lanes`` how many a fresh server gets.
    begin_ms, end_ms
        Milliseconds in the ids of the entries.
    group
        Name of the results; by default it follows from the window. What an earlier replay left there is replaced.

    Raises
    ------
    BadInput
        When a replay into this group runs.
    """
    name = group or f"{begin_ms}-{end_ms}"
    after = f"{begin_ms - 1}-{2**63 - 1}" if begin_ms else "0-0"
    async with (
        connect(address) as store,
        replay_group(store, name, secrets.token_hex(8), after=after, ttl_s=config.live.hot_ttl_s) as results,
    ):
        run = _Run(store, results, Replay(config.live, (await store.layout()).lanes or fresh_lanes(config.streams)))
        return await run.through(after, end_ms)


@dataclass(slots=True)
class _Run:
    """One way through the kept entries."""

    store: ValkeyLaneStore
    results: ReplayGroup
    replay: Replay
    entries: int = 0
    unread: int = 0
    first_id: str = ""
    last_id: str = ""

    async def through(self, after: str, end_ms: int) -> Replayed:
        ingress, is_inside = ValkeyIngress(self.store), True
        while is_inside and len(block := await ingress.read(after, count=_AT_ONCE, block_s=0.0)):
            n = int((block.columns.ids[:, 0] < end_ms).sum())
            is_inside = n == len(block)
            if n:
                after = block.id(n - 1)
                self.first_id, self.last_id = self.first_id or block.id(0), after
                self.entries += n
                closed, alerts = self._apply(block, n)
                told = [(alert.id, msgspec.json.encode(alert.values)) for alert in alerts]
                await self.results.write(after, msgspec.json.encode(self._summary()), closed, told)
        hot = {symbol: msgspec.json.encode(row) for symbol, row in self.replay.hot().items()}
        await self.results.write(after, msgspec.json.encode(self._summary()), hot=hot)
        return self._summary()

    def _apply(self, block: Block, n: int) -> tuple[list[bytes], list[Alert]]:
        """Apply the first ``n`` entries; return one payload for each time that bars closed, and the alerts."""
        runs, bad = block.decode()
        self.unread += sum(i < n for i in bad)
        closed: list[bytes] = []
        alerts: list[Alert] = []
        for run in runs:
            if run.first >= n:
                continue
            rows = run.rows
            if isinstance(rows, TickRows) and run.last >= n:
                rows = rows.take((run.entries < n).nonzero()[0])
            made = self.replay.apply(rows)
            closed += [pack_closed((bars,)) for bars in made.closed]
            alerts += made.alerts
        return closed, alerts

    def _summary(self) -> Replayed:
        made = self.replay
        counts = self.entries, made.ticks, made.refused + self.unread, made.bars, made.alerts
        return Replayed(self.results.name, self.first_id, self.last_id, *counts, made.digest)
