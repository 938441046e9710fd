"""The steps of a change of the number of lanes, in memory and in Valkey. See ``change.Steps``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from tapeline.streams import keys, scripts
from tapeline.streams.change import Switch
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.server import as_text
from tapeline.streams.store import Entry, Saved
from tapeline.streams.valkey import ValkeyLaneStore

_AT_ONCE = 500
"""Symbols whose hot state moves in one round trip."""
_PARTS_BYTES = 32 << 20
"""What one step of staging sends at most, beside a part that is larger."""


class MemorySteps:
    """The steps in memory."""

    def __init__(self, store: MemoryLaneStore) -> None:
        self._store = store

    async def shut(self, lane: int, epoch: int) -> None:
        """See ``Steps``."""
        await anyio.lowlevel.checkpoint()
        self._store.lane(lane).epoch = epoch

    async def stage(self, lane: int, attempt: int, parts: Mapping[str, bytes]) -> None:
        """See ``Steps``."""
        await anyio.lowlevel.checkpoint()
        self._store.lane(lane).staged[attempt] = dict(parts)

    async def unstage(self, lane: int, attempt: int) -> None:
        """See ``Steps``."""
        await anyio.lowlevel.checkpoint()
        self._store.lane(lane).staged.pop(attempt, None)

    async def future(self, lane: int, attempt: int, epoch: int) -> Mapping[str, bytes]:
        """See ``Steps``."""
        await anyio.lowlevel.checkpoint()
        here = self._store.lane(lane)
        return here.saved.parts if here.switched == epoch else here.staged.get(attempt, {})

    async def move_hot(self, symbols: Sequence[str], lane: int, to: int) -> None:
        """See ``Steps``."""
        await anyio.lowlevel.checkpoint()
        source, target = self._store.lane(lane).hot, self._store.lane(to).hot
        for symbol in symbols:
            if symbol in source:
                target.setdefault(symbol, source.pop(symbol))

    async def switch(self, lane: int, switch: Switch) -> None:
        """See ``Steps``."""
        await anyio.lowlevel.checkpoint()
        here = self._store.lane(lane)
        if here.switched == switch.epoch:
            return
        here.switched = switch.epoch
        parts = here.staged.pop(switch.attempt, {}) if switch.attempt is not None else {}
        entry_id = here.saved.applied_id
        if switch.row is not None:
            entry_id = here.rows.add({keys.FRAME: switch.row})
            here.entries_applied += 1
            if switch.closed is not None:
                here.closed.append(Entry(entry_id, {keys.FRAME: switch.closed}))
        here.saved = Saved(parts, entry_id, entry_id)
        if switch.attempt is not None:
            here.watermark_ns, here.note = switch.watermark_ns, switch.note


class ValkeySteps:
    """The steps in Valkey."""

    def __init__(self, store: ValkeyLaneStore) -> None:
        self._store = store
        self._stage, self._switch = store.script(scripts.STAGE), store.script(scripts.SWITCH)
        self._shut, self._parts = store.script(scripts.SHUT), store.script(scripts.FUTURE)
        self._take, self._put = store.script(scripts.TAKE_HOT), store.script(scripts.PUT_HOT)
        self._drop = store.script(scripts.DROP)

    async def shut(self, lane: int, epoch: int) -> None:
        """See ``Steps``."""
        await self._store.run(self._shut, [keys.state(lane)], [epoch], keep=True)

    async def stage(self, lane: int, attempt: int, parts: Mapping[str, bytes]) -> None:
        """See ``Steps``. In pieces: until the layout says that all is staged, nobody takes it."""
        await self.unstage(lane, attempt)
        piece: list[Any] = []
        size = 0
        for name, part in parts.items():
            if piece and size + len(part) > _PARTS_BYTES:
                await self._store.run(self._stage, [keys.staged(lane, attempt)], piece, keep=True)
                piece, size = [], 0
            piece += [name, part]
            size += len(part)
        if piece:
            await self._store.run(self._stage, [keys.staged(lane, attempt)], piece, keep=True)

    async def unstage(self, lane: int, attempt: int) -> None:
        """See ``Steps``."""
        await self._store.run(self._drop, [keys.staged(lane, attempt)], [])

    async def future(self, lane: int, attempt: int, epoch: int) -> Mapping[str, bytes]:
        """See ``Steps``."""
        names = [keys.state(lane), keys.snapshot(lane), keys.staged(lane, attempt)]
        flat = await self._store.run(self._parts, names, [epoch])
        return {as_text(name): part for name, part in zip(flat[::2], flat[1::2], strict=True)}

    async def move_hot(self, symbols: Sequence[str], lane: int, to: int) -> None:
        """See ``Steps``. Put there first and then dropped here, so that it is never nowhere."""
        for cut in range(0, len(symbols), _AT_ONCE):
            some = symbols[cut : cut + _AT_ONCE]
            names = [keys.hot(lane, symbol) for symbol in some]
            found = await self._store.run(self._take, names, [])
            held = [(symbol, found[2 * i], found[2 * i + 1]) for i, symbol in enumerate(some) if found[2 * i + 1] > 0]
            if held:
                args = [part for _, value, life_ms in held for part in (value, life_ms)]
                await self._store.run(self._put, [keys.hot(to, symbol) for symbol, _, _ in held], args, keep=True)
                await self._store.run(self._drop, names, [])

    async def switch(self, lane: int, switch: Switch) -> None:
        """See ``Steps``."""
        await self._store.forward_alerts(lane)  # nobody may own the lane again
        names = [keys.state(lane), keys.snapshot(lane), keys.rows(lane), keys.closed(lane), keys.watermark(lane)]
        names += [keys.note(lane), keys.staged(lane, switch.attempt or 0)]
        mark = b"" if switch.watermark_ns is None else b"%d" % switch.watermark_ns
        args = [switch.epoch, int(switch.attempt is not None), switch.row or b"", switch.closed or b""]
        await self._store.run(self._switch, names, [*args, mark, switch.note or b""], keep=True)
