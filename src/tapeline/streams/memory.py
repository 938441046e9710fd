"""Lanes in memory, for one process and its tasks, on asyncio and on trio.

In and out: as ``LaneStore`` says. It keeps nothing on disk.
Real time for leases is ``anyio.current_time``, so a test's clock moves it.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import anyio

from tapeline.streams import keys
from tapeline.streams.blocks import Block, reply_of
from tapeline.streams.layout import Layout, lane_count_error
from tapeline.streams.store import (
    BEGINNING,
    Commit,
    DeadLetter,
    Entry,
    LaneProgress,
    Saved,
    gone_error,
    id_before,
    id_key,
    layout_error,
    lease_error,
    moved_error,
)
from tapeline.streams.ticks import LATEST_NS
from tapeline.streams.trim import Step, next_cut

_CLOCK_MS = LATEST_NS // 1_000_000
"""Its clock stands at the end of time, so that no tick is ever ahead of it."""


@dataclass(slots=True)
class Stream:
    """Entries in order of their ids, and whoever waits for more."""

    entries: list[Entry] = field(default_factory=list)
    last_id: str = BEGINNING
    added: int = 0
    grew: anyio.Event | None = None

    def add(self, fields: Mapping[bytes, bytes]) -> str:
        """Append an entry under the next id and return that."""
        self.append(Entry(f"{_CLOCK_MS}-{self.added + 1}", dict(fields)))
        return self.last_id

    def append(self, entry: Entry) -> None:
        """Append an entry and wake who waits."""
        self.entries.append(entry)
        self.last_id = entry.id
        self.added += 1
        if self.grew is not None:
            self.grew.set()
            self.grew = None

    def after(self, entry_id: str, count: int) -> list[Entry]:
        """Return entries after an id."""
        start = bisect.bisect_right(self.entries, id_key(entry_id), key=lambda entry: id_key(entry.id))
        return self.entries[start : start + count]

    def holds(self, entry_id: str) -> bool:
        """Tell whether there is an entry of this id."""
        at = bisect.bisect_left(self.entries, id_key(entry_id), key=lambda entry: id_key(entry.id))
        return at < len(self.entries) and self.entries[at].id == entry_id

    async def wait_after(self, entry_id: str, count: int, block_s: float) -> list[Entry]:
        """Return entries after an id, waiting for the first."""
        await anyio.lowlevel.checkpoint()
        found = self.after(entry_id, count)
        if not found and block_s > 0:
            with anyio.move_on_after(block_s):
                while not (found := self.after(entry_id, count)):
                    self.grew = self.grew or anyio.Event()
                    await self.grew.wait()
        return found

    def drop_upto(self, entry_id: str) -> int:
        """Forget entries up to and with an id; return how many."""
        cut = bisect.bisect_right(self.entries, id_key(entry_id), key=lambda entry: id_key(entry.id))
        del self.entries[:cut]
        return cut


@dataclass(slots=True)
class Lane:
    """What is kept of a lane; see ``keys`` for what each thing is."""

    rows: Stream = field(default_factory=Stream)
    closed: Stream = field(default_factory=Stream)
    dead: list[DeadLetter] = field(default_factory=list)
    hot: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    saved: Saved = field(default_factory=Saved)
    entries_applied: int = 0
    steps: list[Step] = field(default_factory=list)
    watermark_ns: int | None = None
    note: bytes | None = None
    epoch: int | None = None
    switched: int = 0
    term: int = 0
    routed_id: str = BEGINNING
    staged: dict[int, Mapping[str, bytes]] = field(default_factory=dict)
    owner: str | None = None
    lease_ends_s: float = 0.0

    def holder(self) -> str | None:
        """Return whose the lane is."""
        return self.owner if anyio.current_time() < self.lease_ends_s else None


class MemoryLaneStore:
    """A ``LaneStore`` in memory. Every call is atomic and yields to other tasks before it acts."""

    def __init__(self) -> None:
        self._layout = Layout()
        self._lanes: dict[int, Lane] = {}
        self._workers: dict[str, float] = {}
        self._alerts: list[tuple[str, bytes]] = []
        self._losses: list[tuple[str, bytes]] = []

    def lane(self, lane: int) -> Lane:
        """Return all that is kept of a lane, to be changed in one step."""
        return self._lanes.setdefault(lane, Lane())

    async def claim_lanes(self, n_lanes: int) -> None:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        if not self._layout.lanes:
            self._layout = Layout(n_lanes, n_lanes)
        if self._layout.lanes != n_lanes:
            raise lane_count_error(self._layout, n_lanes)

    async def layout(self) -> Layout:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        return self._layout

    async def change_layout(self, before: Layout, after: Layout) -> bool:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        if self._layout != before:
            return False
        self._layout = after
        return True

    async def publish(
        self,
        lane: int,
        entries: Sequence[Mapping[bytes, bytes]],
        watermark_ns: int | None,
        *,
        note: bytes | None = None,
        epoch: int | None = None,
    ) -> list[str]:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        here = self.lane(lane)
        if epoch is not None and here.epoch not in (None, epoch):
            raise layout_error(lane)
        ids = [here.rows.add(fields) for fields in entries]
        if watermark_ns is not None:
            here.watermark_ns = watermark_ns
        if note is not None:
            here.note = note
        return ids

    async def note(self, lane: int) -> bytes | None:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        return self.lane(lane).note

    async def watermark(self, lane: int) -> int | None:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        return self.lane(lane).watermark_ns

    async def read(self, lane: int, after: str, *, count: int, block_s: float) -> Block:
        """See ``LaneStore``."""
        entries = await self.lane(lane).rows.wait_after(after, count, block_s)
        return Block(reply_of(keys.rows(lane), ((entry.id, entry.fields) for entry in entries)))

    async def read_closed(self, lane: int, after: str, *, count: int, block_s: float) -> list[Entry]:
        """See ``LaneStore``."""
        return await self.lane(lane).closed.wait_after(after, count, block_s)

    async def read_alerts(self, *, count: int) -> list[tuple[str, bytes]]:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        return self._alerts[-count:]

    async def tell_loss(self, loss_id: str, payload: bytes, *, most: int) -> None:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        if loss_id not in dict(self._losses):
            self._losses = [*self._losses, (loss_id, payload)][-most:]
            self._alerts.append((loss_id, payload))

    async def read_losses(self, *, count: int) -> list[tuple[str, bytes]]:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        return self._losses[-count:]

    async def read_dead(self, lane: int, after: str, *, count: int) -> list[DeadLetter]:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        return [letter for letter in self.lane(lane).dead if id_key(letter.id) > id_key(after)][:count]

    async def read_hot(self, lane: int, symbols: Sequence[str]) -> list[bytes | None]:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        now_s = anyio.current_time()
        found = [self.lane(lane).hot.get(symbol) for symbol in symbols]
        return [pair[0] if pair is not None and now_s < pair[1] else None for pair in found]

    async def heartbeat(self, worker_id: str, life_s: float) -> int:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        now_s = anyio.current_time()
        self._workers[worker_id] = now_s + life_s
        self._workers = {worker: end_s for worker, end_s in self._workers.items() if end_s > now_s}
        return len(self._workers)

    async def lease(self, lane: int, token: str, life_s: float) -> bool:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        here = self.lane(lane)
        if here.holder() not in (None, token):
            return False
        here.owner, here.lease_ends_s = token, anyio.current_time() + life_s
        return True

    async def release(self, lane: int, token: str) -> None:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        here = self.lane(lane)
        if here.owner == token:
            here.owner = None

    async def load(self, lane: int) -> Saved:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        return self.lane(lane).saved

    async def commit(self, lane: int, token: str, commit: Commit) -> None:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        here = self._owned(lane, token)
        saved = here.saved
        if saved.applied_id != commit.before_id:
            raise moved_error(lane, saved.applied_id)
        if not here.rows.holds(commit.applied_id):
            raise gone_error(lane, commit.applied_id)
        for entry_id, payload in commit.closed:
            here.closed.append(Entry(entry_id, {keys.FRAME: payload}))
        here.dead = [*here.dead, *commit.dead][-commit.max_dead :]
        ends_s = anyio.current_time() + commit.hot_ttl_s
        here.hot.update({symbol: (value, ends_s) for symbol, value in commit.hot.items()})
        here.entries_applied += commit.entries
        self._alerts = [*self._alerts, *commit.alerts][-commit.max_alerts :]
        snapshot = (saved.parts, saved.snapshot_id)
        if commit.parts is not None:
            parts = {name: part for name, part in {**saved.parts, **commit.parts}.items() if part}
            snapshot = (parts, commit.applied_id)
        here.saved = Saved(*snapshot, commit.applied_id, saved.failing_id, saved.failures)

    async def count_failure(self, lane: int, token: str, entry_id: str) -> int:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        here = self._owned(lane, token)
        saved = here.saved
        failures = saved.failures + 1 if saved.failing_id == entry_id else 1
        here.saved = Saved(saved.parts, saved.snapshot_id, saved.applied_id, entry_id, failures)
        return failures

    def _owned(self, lane: int, token: str) -> Lane:
        here = self.lane(lane)
        if here.holder() != token:
            raise lease_error(lane, here.holder())
        return here

    async def trim(self, lane: int, max_entries: int, since_ms: int = 0) -> int:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        here = self.lane(lane)
        upto = here.saved.snapshot_id
        here.steps, cut = next_cut(here.steps, here.entries_applied, upto, max_entries)
        return here.rows.drop_upto(max(cut, min(upto, id_before(since_ms), key=id_key), key=id_key))

    async def trim_closed(self, lane: int, upto: str) -> int:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        return self.lane(lane).closed.drop_upto(upto)

    async def progress(self, lane: int) -> LaneProgress:
        """See ``LaneStore``."""
        await anyio.lowlevel.checkpoint()
        here = self.lane(lane)
        return LaneProgress(
            lane=lane,
            owner=here.holder(),
            length=len(here.rows.entries),
            lag=here.rows.added - here.entries_applied,
            closed=len(here.closed.entries),
            dead=len(here.dead),
            last_id=here.rows.last_id,
            applied_id=here.saved.applied_id,
            snapshot_id=here.saved.snapshot_id,
            watermark_ns=here.watermark_ns,
        )
