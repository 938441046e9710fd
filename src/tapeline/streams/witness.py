"""Whether the stream server still knows what it was seen to know; what it lost is told, never passed over.

In: where lanes and ingress stand, and the marks of before.  Out: marks; a loss as an error in the log, an alert
``<part>:lost_data:<id>`` and one line of ``LaneStore.read_losses``, each once per loss.
Bounded by the last look: what was accepted and lost within ``LOOK_EVERY_S`` was seen by nobody. Refuses nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
import msgspec

from tapeline.core.errors import Unavailable
from tapeline.streams.blocks import Block
from tapeline.streams.ingress import Ingress
from tapeline.streams.marks import INGRESS, Mark, Marks, lane_part
from tapeline.streams.store import LaneStore, id_key

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
"""Least time between two marks on disk: each is a sync."""
SHOW_EVERY_S = 5.0
"""Time within which a loss is shown."""
MAX_LOSSES = 1_000
"""Losses that are remembered on the server."""

Where = Callable[[], Awaitable[Mark]]
"""Tells where a stream stands."""
Read = Callable[[str], Awaitable[Block]]
"""Reads the first entry after an id."""


class Loss(msgspec.Struct, frozen=True):
    """What a server lost.

    Attributes
    ----------
    part
        ``lane-2``, or ``ingress``.
    seen_id
        Its newest entry that was seen before; it is gone.
    applied_id
        Id up to which effects were seen.
    known_id
        Id up to which the server knows of effects now.
    last_id
        Its newest entry now.
    """

    part: str
    seen_id: str
    applied_id: str
    known_id: str
    last_id: str
    pattern: str = "lost_data"

    @property
    def id(self) -> str:
        """Return what names the loss: the same whoever finds it, and however often."""
        return f"{self.part}:{self.pattern}:{self.seen_id}"

    @property
    def sentence(self) -> str:
        """Return what a person has to know."""
        return (
            f"{self.part} was seen up to {self.seen_id}, with effects up to {self.applied_id}, and the stream server "
            f"knows only {self.last_id} and {self.known_id}: it lost what came between; see its appendfsync. What the "
            "ingress still holds follows by itself, send the rest again"
        )


@dataclass(slots=True)
class Witness:
    """Looks at streams for one worker.

    Attributes
    ----------
    store, ingress
        What is looked at; None without an ingress.
    marks
        Where it is kept what was seen; None for this process's memory alone.
    lost
        Losses noticed.
    """

    store: LaneStore
    ingress: Ingress | None = None
    marks: Marks | None = None
    lost: int = 0
    _seen: dict[str, Mark] = field(default_factory=dict)
    _written: dict[str, Mark] = field(default_factory=dict)

    def saw(self, lane: int, applied_id: str) -> None:
        """Take note, in memory, of how far a lane was applied here."""
        part = lane_part(lane)
        self._seen[part] = self._seen.get(part, Mark()).joined(Mark(applied_id))

    async def look_at_lane(self, lane: int) -> None:
        """Compare what the server knows of a lane with what was seen, and keep it; before anything is applied to it.

        Raises ``Unavailable`` when the server is not there.
        """

        async def where() -> Mark:
            now = await self.store.progress(lane)
            return Mark(now.applied_id, now.last_id)

        async def read(after: str) -> Block:
            return await self.store.read(lane, after, count=1, block_s=0.0)

        await self._look(lane_part(lane), where, read)

    async def look_at_ingress(self) -> None:
        """Compare and keep what the server knows of the ingress, before anything is routed; as for a lane."""
        if self.ingress is None:
            return
        ingress = self.ingress

        async def where() -> Mark:
            now = await ingress.progress()
            return Mark(now.applied_id, now.last_id)

        async def read(after: str) -> Block:
            return await ingress.read(after, count=1, block_s=0.0)

        await self._look(INGRESS, where, read)

    async def _look(self, part: str, where: Where, read: Read) -> None:
        known = await where()
        seen = self._seen.get(part, Mark())
        if self.marks is not None:
            seen = seen.joined(self.marks.read(part))
        is_gone = id_key(known.applied_id) < id_key(seen.last_id) and not await _holds(read, seen.last_id)
        if is_gone:
            known = await where()  # it may have been applied and trimmed between the two questions
            is_gone = id_key(known.applied_id) < id_key(seen.last_id)
        if is_gone:
            await self._tell(Loss(part, seen.last_id, seen.applied_id, known.applied_id, known.last_id))
        elif id_key(known.applied_id) < id_key(seen.applied_id):
            text = "%s: the stream server forgot effects after %s; they follow again from its entries"
            log.warning(text, part, known.applied_id)
        self._seen[part] = known
        if self.marks is not None and self._written.get(part) != known:
            await anyio.to_thread.run_sync(self.marks.write, part, known)
            self._written[part] = known

    async def _tell(self, loss: Loss) -> None:
        self.lost += 1
        log.error("%s", loss.sentence)
        await self.store.tell_loss(loss.id, msgspec.json.encode(loss), most=MAX_LOSSES)


async def _holds(read: Read, entry_id: str) -> bool:
    """Tell whether a stream holds an entry."""
    milliseconds, sequence = id_key(entry_id)
    found = await read(f"{milliseconds}-{sequence - 1}" if sequence else f"{milliseconds - 1}-{2**63 - 1}")
    return len(found) > 0 and found.id(0) == entry_id


async def read_losses(store: LaneStore, *, count: int = 100) -> tuple[Loss, ...]:
    """Return the newest losses, oldest first, each once."""
    found = dict(await store.read_losses(count=count))
    return tuple(msgspec.json.decode(payload, type=Loss) for payload in found.values())


async def watch_losses(store: LaneStore, show: Callable[[str], None]) -> None:
    """Show, until cancelled, what was lost: the newest loss and how many came before it; nothing while there is none.

    It looks in real time, as whatever watches processes does.
    """
    while True:
        try:
            losses = await read_losses(store)
        except Unavailable as error:
            log.debug("losses are looked for again later: %s", error)
        else:
            before = f" (and {len(losses) - 1} before)" if len(losses) > 1 else ""
            show(f"lost data{before}: {losses[-1].sentence}" if losses else "")
        await anyio.sleep(SHOW_EVERY_S)
