"""The way in: one stream that producers write ticks of any symbol to, and what a router needs of it.

In: entries with single ticks or frames.  Out: blocks of them, and routes: the lanes' shares, and the id up to which
they reach.
Delivery: an entry's rows are in its lanes exactly once, whenever a router dies. Each lane remembers, in the step that
takes the rows, up to which entry it has them; the ingress moves on after all lanes have theirs. So a new router asks
the lanes first, under a term that shuts every older router out, and leaves out what they have. Nothing of it needs two
keys of different slots in one step: it holds on a cluster as on one server. Beside the ingress stands what each lane
was given: a lane that knows less, because another server took over or came back without the last of it, gets it again
from the ingress. Refuses routes of whoever lost the right.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import anyio

from tapeline.streams import keys, scripts
from tapeline.streams.blocks import Block, reply_of
from tapeline.streams.layout import Layout
from tapeline.streams.memory import MemoryLaneStore, Stream
from tapeline.streams.server import as_text
from tapeline.streams.store import BEGINNING, DeadLetter, LeaseLost, id_before, id_key
from tapeline.streams.trim import Step, next_cut
from tapeline.streams.valkey import ValkeyLaneStore

log = logging.getLogger(__name__)

GROUP = "tapeline"
"""Name of our consumer group on the ingress; its position is where the router stands, so that others can see it."""

Rows = Mapping[int, Sequence[bytes]]
"""lane -> frames, in order."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a router begins.

    Attributes
    ----------
    term
        Shuts every older router out of the lanes.
    offset
        Id up to which all lanes have everything.
    routed
        lane -> id up to which it has everything: after the offset, where a router died between two lanes.
    """

    term: int
    offset: str
    routed: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Route:
    """That the entries after ``before_id`` up to ``applied_id`` are in their lanes.

    Attributes
    ----------
    before_id, applied_id, entries
        As in ``Commit``.
    dead
        Entries that hold no tick.
    max_dead
        Dead letters kept; the oldest beyond are dropped.
    """

    before_id: str
    applied_id: str
    entries: int
    dead: tuple[DeadLetter, ...] = ()
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


class Ingress(Protocol):
    """The ingress of a store. Every method raises ``Unavailable`` when the server is not there."""

    async def layout(self) -> Layout:
        """Return how many lanes there are."""
        ...

    async def write(self, entries: Sequence[Mapping[bytes, bytes]]) -> list[str]:
        """Append entries; return their ids."""
        ...

    async def read(self, after: str, *, count: int, block_s: float) -> Block:
        """Return entries after an id, waiting at most ``block_s`` real seconds for the first."""
        ...

    async def lease(self, token: str, life_s: float) -> bool:
        """Take or renew the right to route; False when somebody else has it, or when it has to be opened again, because
        lanes may have lost what they were given. Makes stream and group where need be.
        """
        ...

    async def open(self, token: str, n_lanes: int) -> Standing:
        """Begin a term; raise ``LeaseLost`` when the right to route is not ours."""
        ...

    async def put(self, term: int, upto: str, rows: Rows) -> None:
        """Give lanes their rows, and everything up to an entry with them; ``LeaseLost`` after another term began.

        Each lane takes its own in one step; when it fails between two lanes, ``open`` tells who has what.
        """
        ...

    async def move(self, token: str, route: Route) -> None:
        """Move on; raise ``LeaseLost``, and do nothing, when the right to is not ours."""
        ...

    async def tidy(self, token: str, *, idle_s: float, count: int) -> int:
        """Acknowledge what others in our group took and left for at least ``idle_s``: it is, or will be, routed.

        The router reads every entry, whoever else has. Returns how many; those deleted meanwhile are forgotten, too.
        """
        ...

    async def trim(self, max_entries: int, since_ms: int = 0) -> int:
        """Drop what is routed, and what every other group has done with: all but the newest ``max_entries`` of it, and
        what came before ``since_ms`` of the server's clock.
        """
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
        self._term = 0
        self._dead: list[DeadLetter] = []
        self._owner: str | None = None
        self._ends_s = 0.0
        self._entries = 0
        self._steps: list[Step] = []

    async def layout(self) -> Layout:
        """See ``Ingress``."""
        return await self._store.layout()

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

    def _check_owner(self, token: str) -> None:
        if self._holder() != token:
            raise _lost(f"its owner is {self._holder() or 'nobody'}")

    async def open(self, token: str, n_lanes: int) -> Standing:
        """See ``Ingress``."""
        await anyio.lowlevel.checkpoint()
        self._check_owner(token)
        self._term += 1
        term, offset, routed = self._term, self._offset, {}
        for lane in range(n_lanes):
            await anyio.lowlevel.checkpoint()
            here = self._store.lane(lane)
            if here.term > term:
                raise _lost("a newer router has begun")
            here.term = term
            routed[lane] = here.routed_id
        return Standing(term, offset, routed)

    async def put(self, term: int, upto: str, rows: Rows) -> None:
        """See ``Ingress``."""
        for lane, payloads in rows.items():
            await self.put_lane(term, upto, lane, payloads)

    async def put_lane(self, term: int, upto: str, lane: int, payloads: Sequence[bytes]) -> None:
        """Give one lane its rows."""
        await anyio.lowlevel.checkpoint()
        here = self._store.lane(lane)
        if here.term != term:
            raise _lost("a newer router has begun")
        for payload in payloads:
            here.rows.add({keys.FRAME: payload})
        here.routed_id = upto

    async def move(self, token: str, route: Route) -> None:
        """See ``Ingress``."""
        await anyio.lowlevel.checkpoint()
        self._check_owner(token)
        if self._offset != route.before_id:
            raise _lost(f"it stands at {self._offset}")
        self._dead = [*self._dead, *route.dead][-route.max_dead :]
        self._offset, self._entries = route.applied_id, self._entries + route.entries

    async def tidy(self, token: str, *, idle_s: float, count: int) -> int:
        """See ``Ingress``. Nobody else reads memory."""
        del token, idle_s, count
        await anyio.lowlevel.checkpoint()
        return 0

    async def trim(self, max_entries: int, since_ms: int = 0) -> int:
        """See ``Ingress``."""
        await anyio.lowlevel.checkpoint()
        self._steps, cut = next_cut(self._steps, self._entries, self._offset, max_entries)
        return self._stream.drop_upto(max(cut, min(self._offset, id_before(since_ms), key=id_key), key=id_key))

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


class ValkeyIngress:
    """The ingress of lanes in Valkey."""

    def __init__(self, store: ValkeyLaneStore) -> None:
        self._store = store
        self._open, self._fence = store.script(scripts.OPEN_ROUTE), store.script(scripts.FENCE_ROUTE)
        self._put, self._move = store.script(scripts.PUT), store.script(scripts.MOVE_ROUTE)
        self._rewind = store.script(scripts.REWIND_ROUTE)
        self._reached: dict[int, str] = {}
        """lane -> id up to which it has everything, as this router knows."""
        self._opened_at: int | None = None
        self._given: set[int] = set()
        """Lanes that were given something since the ingress moved on."""

    async def layout(self) -> Layout:
        """See ``Ingress``."""
        return await self._store.layout()

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
        if self._opened_at is not None and self._opened_at != self._store.changes:
            self._opened_at = None
            return False
        groups = await self._store.groups(keys.INGRESS)
        if GROUP not in {as_text(group["name"]) for group in groups}:
            await self._store.make_group(keys.INGRESS, GROUP, await self._offset())
        return True

    async def _offset(self) -> str:
        return as_text(await self._store.field(keys.ROUTER, keys.APPLIED_ID)) or BEGINNING

    async def _checked(self, reply: Any) -> list[str]:
        """Return what a fenced script answered, or raise why it did nothing."""
        verdict, *details = (as_text(part) for part in await reply)
        if verdict == "owner":
            raise _lost(f"its owner is {details[0] or 'nobody'}")
        if verdict == "term":
            raise _lost("a newer router has begun, or the lane was emptied")
        if verdict == "moved":
            raise _lost(f"it stands at {details[0]}")
        return details

    async def open(self, token: str, n_lanes: int) -> Standing:
        """See ``Ingress``."""
        self._opened_at, changes = None, self._store.changes
        names = [keys.ROUTER_LEASE, keys.ROUTER, keys.ROUTED]
        term, offset, *flat = await self._checked(self._store.run(self._open, names, [token]))
        given = dict(zip(map(int, flat[::2]), flat[1::2], strict=True))
        reached: dict[int, str] = {}
        for lane in range(n_lanes):
            (at,) = await self._checked(self._store.run(self._fence, [keys.state(lane)], [term]))
            reached[lane] = at or BEGINNING
        self._reached, self._given = dict(reached), set()
        less = {lane: at for lane, at in reached.items() if id_key(at) < id_key(given.get(lane, BEGINNING))}
        if less:
            offset = await self._go_back(token, offset, less)
        self._opened_at = changes
        return Standing(int(term), offset, reached)

    async def _go_back(self, token: str, offset: str, less: Mapping[int, str]) -> str:
        """Let the ingress stand where lanes stand that lost what they were given after it; return that id."""
        back = min(offset, *less.values(), key=id_key)
        some = ", ".join(map(str, less))
        log.warning("lane %s has lost rows that it was given; it gets those after ingress entry %s again", some, back)
        n, at = 0, back
        while len(block := await self.read(at, count=10_000, block_s=0.0)):
            n += sum(id_key(block.id(i)) <= id_key(offset) for i in range(len(block)))
            at = block.id(len(block) - 1)
            if id_key(at) >= id_key(offset):
                break
        args: list[Any] = [token, offset, back, n, *(part for pair in less.items() for part in pair)]
        names = [keys.ROUTER_LEASE, keys.ROUTER, keys.ROUTED]
        await self._checked(self._store.run(self._rewind, names, args, keep=True))
        return back

    async def put(self, term: int, upto: str, rows: Rows) -> None:
        """See ``Ingress``. One server takes all lanes' rows in one call, a cluster in one per lane.

        Refused, too, when a lane does not stand where we left it: ``open`` tells where it does.
        """
        if self._store.is_cluster and self._store.waits(keys.INGRESS):
            # A lane may not have rows of an entry that the ingress forgets: whoever sent it would send it again.
            await self._store.write(keys.ROUTER, [("HSET", keys.ROUTER, keys.READ_ID, upto)])
        lanes = list(rows)
        for some in [[lane] for lane in lanes] if self._store.is_cluster else [lanes]:
            if not some:
                continue
            names = [key for lane in some for key in (keys.state(lane), keys.rows(lane))]
            args: list[Any] = [term, upto]
            for lane in some:
                args += [self._reached.get(lane, BEGINNING), len(rows[lane]), *rows[lane]]
            await self._checked(self._store.run(self._put, names, args, keep=True))
            self._reached |= dict.fromkeys(some, upto)
            self._given.update(some)

    async def move(self, token: str, route: Route) -> None:
        """See ``Ingress``."""
        names = [keys.ROUTER_LEASE, keys.ROUTER, keys.ROUTER_DEAD, keys.INGRESS, keys.ROUTED]
        args: list[Any] = [token, route.before_id, route.applied_id, route.entries, route.max_dead, GROUP]
        args += [len(self._given), *self._given]
        args += [part for letter in route.dead for part in (letter.reason, letter.payload)]
        await self._checked(self._store.run(self._move, names, args))
        self._given.clear()

    async def tidy(self, token: str, *, idle_s: float, count: int) -> int:
        """See ``Ingress``."""
        return await self._store.acknowledge_left(keys.INGRESS, GROUP, token, idle_s, count)

    async def trim(self, max_entries: int, since_ms: int = 0) -> int:
        """See ``Ingress``."""
        offset, cut = await self._store.find_cut(keys.ROUTER, keys.APPLIED_ID, max_entries)
        cut = max(cut, min(offset, id_before(since_ms), key=id_key), key=id_key)
        return await self._store.trim_ingress(keys.INGRESS, cut) if cut != BEGINNING else 0

    async def read_dead(self, after: str, *, count: int) -> list[DeadLetter]:
        """See ``Ingress``."""
        return await self._store.letters(keys.ROUTER_DEAD, after, count=count)

    async def progress(self) -> IngressProgress:
        """See ``Ingress``."""
        return IngressProgress(*await self._store.ingress_progress(GROUP))
