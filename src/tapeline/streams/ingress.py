"""The way in: one stream that producers write ticks of any symbol to, and what a router needs of it.

In: entries with single ticks or frames.  Out: blocks of them, and routes: the lanes' shares with the id up to which
they reach, moved at once or not at all under the router's lease.
Delivery: an entry is in its lanes exactly once, whenever a router dies. Refuses routes of whoever lost the lease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import anyio

from tapeline.streams import keys
from tapeline.streams.blocks import Block, reply_of
from tapeline.streams.memory import MemoryLaneStore, Stream
from tapeline.streams.store import BEGINNING, DeadLetter, LeaseLost, id_key
from tapeline.streams.server import as_text
from tapeline.streams.valkey import ValkeyLaneStore

GROUP = "tapeline"
"""Name of our consumer group on the ingress; its position is where the router stands, so that others can see it."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where the entries after ``before_id`` up to ``applied_id`` go.

    Attributes
    ----------
    before_id, applied_id, entries
        As in ``Commit``.
    rows
        (lane, fields of the entry that the lane gets), in order.
    dead
        Entries that hold no tick.
    acked
        Entries that were pending with somebody else in our group, and are in here.
    max_dead
        Dead letters kept; the oldest beyond are dropped.
    """

    before_id: str
    applied_id: str
    entries: int
    rows: tuple[tuple[int, Mapping[bytes, bytes]], ...]
    dead: tuple[DeadLetter, ...] = ()
    acked: tuple[str, ...] = ()
    max_dead: int = 100_000


@dataclass(frozen=True, slots=True)
class IngressProgress:
    """Where the ingress stands; ``length``, ``lag``, ``pending`` and ``dead`` are counted in entries."""

    owner: str | None
    length: int
    lag: int
    pending: int
    dead: int
    last_id: str
    applied_id: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """An entry that somebody else took and never acknowledged. No fields: it was deleted meanwhile."""

    id: str
    fields: Mapping[bytes, bytes]
    deliveries: int


class Ingress(Protocol):
    """The ingress of a store. Every method raises ``Unavailable`` when the server is not there."""

    async def write(self, entries: Sequence[Mapping[bytes, bytes]]) -> list[str]:
        """Append entries; return their ids."""
        ...

    async def read(self, after: str, *, count: int, block_s: float) -> Block:
        """Return entries after an id, waiting at most ``block_s`` real seconds for the first."""
        ...

    async def lease(self, token: str, life_s: float) -> bool:
        """Take or renew the right to route; False when somebody else has it. Makes stream and group where need be."""
        ...

    async def offset(self) -> str:
        """Return the id up to which everything is routed."""
        ...

    async def route(self, token: str, route: Route) -> None:
        """Make a route; raise ``LeaseLost``, and do nothing, when the right to is not ours."""
        ...

    async def claim(self, token: str, *, idle_s: float, count: int) -> list[Claimed]:
        """Take over entries that others in our group left pending for at least ``idle_s``."""
        ...

    async def trim(self, max_entries: int) -> int:
        """Drop what is routed, and what every other group has done with, when the stream is longer than that."""
        ...

    async def read_dead(self, after: str, *, count: int) -> list[DeadLetter]:
        """Return dead letters after an id, oldest first."""
        ...

    async def progress(self) -> IngressProgress:
        """Return where the ingress stands."""
        ...


def _lost(found: str) -> LeaseLost:
    return LeaseLost(f"the right to route is not ours any more: {found}")


class MemoryIngress:
    """The ingress of lanes in memory."""

    def __init__(self, store: MemoryLaneStore) -> None:
        self._store = store
        self._stream = Stream()
        self._offset = BEGINNING
        self._dead: list[DeadLetter] = []
        self._owner: str | None = None
        self._ends_s = 0.0
        self._entries = 0

    async def write(self, entries: Sequence[Mapping[bytes, bytes]]) -> list[str]:
        """See ``Ingress``."""
        await anyio.lowlevel.checkpoint()
        return [self._stream.add(fields) for fields in entries]

    async def read(self, after: str, *, count: int, block_s: float) -> Block:
        """See ``Ingress``."""
        found = await self._stream.wait_after(after, count, block_s)
        return Block(reply_of(keys.INGRESS, ((entry.id, entry.fields) for entry in found)))

    async def lease(self, token: str, life_s: float) -> bool:
        """See ``Ingress``."""
        await anyio.lowlevel.checkpoint()
        if self._holder() not in (None, token):
            return False
        self._owner, self._ends_s = token, anyio.current_time() + life_s
        return True

    def _holder(self) -> str | None:
        return self._owner if anyio.current_time() < self._ends_s else None

    async def offset(self) -> str:
        """See ``Ingress``."""
        await anyio.lowlevel.checkpoint()
        return self._offset

    async def route(self, token: str, route: Route) -> None:
        """See ``Ingress``."""
        await anyio.lowlevel.checkpoint()
        if self._holder() != token:
            raise _lost(f"its owner is {self._holder() or 'nobody'}")
        if self._offset != route.before_id:
            raise _lost(f"it stands at {self._offset}")
        for lane, fields in route.rows:
            self._store.append(lane, fields)
        self._dead = [*self._dead, *route.dead][-route.max_dead :]
        self._offset, self._entries = route.applied_id, self._entries + route.entries

    async def claim(self, token: str, *, idle_s: float, count: int) -> list[Claimed]:
        """See ``Ingress``. Nobody else reads memory."""
        del token, idle_s, count
        await anyio.lowlevel.checkpoint()
        return []

    async def trim(self, max_entries: int) -> int:
        """See ``Ingress``."""
        await anyio.lowlevel.checkpoint()
        return self._stream.drop_upto(self._offset) if len(self._stream.entries) > max_entries else 0

    async def read_dead(self, after: str, *, count: int) -> list[DeadLetter]:
        """See ``Ingress``."""
        await anyio.lowlevel.checkpoint()
        return [letter for letter in self._dead if id_key(letter.id) > id_key(after)][:count]

    async def progress(self) -> IngressProgress:
        """See ``Ingress``."""
        await anyio.lowlevel.checkpoint()
        stream = self._stream
        lag = stream.added - self._entries
        return IngressProgress(
            self._holder(), len(stream.entries), lag, 0, len(self._dead), stream.last_id, self._offset
        )


_ROUTE = f"""
local holder = redis.call('GET', KEYS[1])
if holder ~= ARGV[1] then return {{'owner', holder or ''}} end
local at = redis.call('HGET', KEYS[2], '{keys.APPLIED_ID.decode()}') or '0-0'
if at ~= ARGV[2] then return {{'moved', at}} end
local n = 8
for _ = 1, ARGV[6] do
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', '{keys.REASON.decode()}', ARGV[n], '{keys.PAYLOAD.decode()}',
             ARGV[n + 1])
  n = n + 2
end
for _ = 1, ARGV[7] do
  redis.call('XACK', KEYS[4], '{GROUP}', ARGV[n])
  n = n + 1
end
for i = 5, #KEYS do
  redis.call('XADD', KEYS[i], '*', '{keys.FRAME.decode()}', ARGV[n])
  n = n + 1
end
redis.call('HSET', KEYS[2], '{keys.APPLIED_ID.decode()}', ARGV[3])
redis.call('HINCRBY', KEYS[2], '{keys.ENTRIES_APPLIED.decode()}', ARGV[4])
redis.pcall('XGROUP', 'SETID', KEYS[4], '{GROUP}', ARGV[3])
return {{'ok', ''}}
"""


class ValkeyIngress:
    """The ingress of lanes in Valkey, on one server: the script touches the ingress and the lanes together."""

    def __init__(self, store: ValkeyLaneStore) -> None:
        self._store = store
        self._route = store.script(_ROUTE)

    async def write(self, entries: Sequence[Mapping[bytes, bytes]]) -> list[str]:
        """See ``Ingress``."""
        return await self._store.append(keys.INGRESS, entries)

    async def read(self, after: str, *, count: int, block_s: float) -> Block:
        """See ``Ingress``."""
        return await self._store.read_block(keys.INGRESS, after, count=count, block_s=block_s)

    async def lease(self, token: str, life_s: float) -> bool:
        """See ``Ingress``."""
        if not await self._store.lease_key(keys.ROUTER_LEASE, token, life_s):
            return False
        groups = await self._store.groups(keys.INGRESS)
        if GROUP not in {as_text(group["name"]) for group in groups}:
            await self._store.make_group(keys.INGRESS, GROUP, await self.offset())
        return True

    async def offset(self) -> str:
        """See ``Ingress``."""
        return as_text(await self._store.field(keys.ROUTER, keys.APPLIED_ID)) or BEGINNING

    async def route(self, token: str, route: Route) -> None:
        """See ``Ingress``."""
        names = [keys.ROUTER_LEASE, keys.ROUTER, keys.ROUTER_DEAD, keys.INGRESS]
        names += [keys.rows(lane) for lane, _ in route.rows]
        args: list[Any] = [token, route.before_id, route.applied_id, route.entries, route.max_dead]
        args += [len(route.dead), len(route.acked)]
        args += [part for letter in route.dead for part in (letter.reason, letter.payload)]
        args += [*route.acked, *(fields[keys.FRAME] for _, fields in route.rows)]
        verdict, detail = (as_text(part) for part in await self._store.run(self._route, names, args))
        if verdict != "ok":
            raise _lost(f"its owner is {detail or 'nobody'}" if verdict == "owner" else f"it stands at {detail}")

    async def claim(self, token: str, *, idle_s: float, count: int) -> list[Claimed]:
        """See ``Ingress``."""
        return [Claimed(*found) for found in await self._store.claim(keys.INGRESS, GROUP, token, idle_s, count)]

    async def trim(self, max_entries: int) -> int:
        """See ``Ingress``."""
        return await self._store.trim_ingress(keys.INGRESS, await self.offset(), max_entries)

    async def read_dead(self, after: str, *, count: int) -> list[DeadLetter]:
        """See ``Ingress``."""
        return await self._store.letters(keys.ROUTER_DEAD, after, count=count)

    async def progress(self) -> IngressProgress:
        """See ``Ingress``."""
        return IngressProgress(*await self._store.ingress_progress(GROUP))
