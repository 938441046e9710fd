"""Another number of lanes: drain the old ones, split their states anew, and let the writers go on.

In: a store, and who can split states.  Out: the store laid out for the new number; closed bars, alerts, ids and dead
letters that are out stay as they are.
While it lasts nobody writes to a lane; the ingress takes ticks all the time. Up to the moment at which all new states
are staged nothing has changed but time, and whoever begins again begins anew; from then on every step can be made
again, so whoever begins again goes on. Refuses another number while a change to one can only go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import anyio

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import ConfigError, TapelineError, Unavailable
from tapeline.core.types import BarFrame
from tapeline.streams import frames
from tapeline.streams.closed import pack_closed
from tapeline.streams.ingress import Ingress
from tapeline.streams.lanes import Underlying, join_notes, lane_of
from tapeline.streams.layout import Layout
from tapeline.streams.router import Router
from tapeline.streams.store import LaneProgress, LaneStore

LOOK_EVERY_S = 0.02
STILL_S = 60.0
"""Lanes that are not drained and have not moved for this long, in real seconds, will not: no worker, or poison."""

Parts = Mapping[str, bytes]


class States(Protocol):
    """What is known of the states of lanes, as ``Processor`` saves them."""

    def symbols_of(self, parts: Parts) -> tuple[str, ...]:
        """Return the symbols of a state."""
        ...

    def time_of(self, parts: Parts) -> BarFrame | None:
        """Return a frame without rows that says how far time has come in a state; None before the first row."""
        ...

    def split(self, states: Sequence[Parts], lane_of: Callable[[str], int], n_lanes: int) -> Sequence[Parts]:
        """Return the state of each of ``n_lanes`` lanes, from those of all there are, as of one time."""
        ...


@dataclass(frozen=True, slots=True)
class Switch:
    """What a lane becomes.

    Attributes
    ----------
    epoch
        Of the layout that it is made for; a lane that is switched for that already stays as it is.
    attempt
        Whose staged state is taken; None for a lane that no symbol has any more: its state goes.
    row
        The entry that stands for all before it, so that nobody goes on with the state of before; None for none.
    closed
        What is told to whoever reads closed bars: how far time has come.
    watermark_ns, note
        The publisher's.
    """

    epoch: int
    attempt: int | None
    row: bytes | None
    closed: bytes | None
    watermark_ns: int | None
    note: bytes | None


class Steps(Protocol):
    """What a change does to a store, each step at once or not at all, and to be made again without harm."""

    async def shut(self, lane: int, epoch: int) -> None:
        """Let publishers of this epoch only write to a lane."""
        ...

    async def stage(self, lane: int, attempt: int, parts: Parts) -> None:
        """Keep the state that a lane will have, in place of any of that attempt."""
        ...

    async def unstage(self, lane: int, attempt: int) -> None:
        """Forget a staged state."""
        ...

    async def future(self, lane: int, attempt: int, epoch: int) -> Parts:
        """Return the state that a lane will have: the staged one, or its own once it is switched."""
        ...

    async def move_hot(self, symbols: Sequence[str], lane: int, to: int) -> None:
        """Move hot state with what is left of its life, unless there is some at the new place."""
        ...

    async def switch(self, lane: int, switch: Switch) -> None:
        """Make a lane what it becomes."""
        ...


@dataclass(slots=True)
class LaneChange:
    """A change to ``n_lanes``.

    Attributes
    ----------
    store, steps, ingress
        The server.
    states
        Splits states.
    underlying
        Names a symbol's underlying, as the publishers' does.
    config
        Sizes and times.
    token
        Unique among all routers.
    """

    store: LaneStore
    steps: Steps
    ingress: Ingress
    states: States
    underlying: Underlying
    config: StreamsConfig
    token: str

    async def run(self, n_lanes: int) -> Layout:
        """Lay the store out for ``n_lanes``, or go on with a change to it; return the layout then.

        Concurrency: needs live workers, which drain the lanes. Several at once do no harm, one of them gets through.

        Raises
        ------
        ConfigError
            When a change to another number can only go on.
        Unavailable
            When the lanes do not drain, or somebody else changes them. The old number stays.
        BadMessage
            When the states were made with other settings than ours. The old number stays.
        """
        layout = await self._begin(n_lanes)
        if not layout.is_changing:
            return layout
        if not layout.is_staged:
            try:
                layout = await self._stage(layout)
            except (TapelineError, anyio.get_cancelled_exc_class()):
                with anyio.move_on_after(self.config.lease_s, shield=True):
                    await self.store.change_layout(layout, layout.done(layout.lanes))
                raise
        await self._switch(layout)
        await self.store.change_layout(layout, layout.done(layout.next_lanes))  # False: another has ended it
        return await self.store.layout()

    async def _begin(self, n_lanes: int) -> Layout:
        while True:
            layout = await self.store.layout()
            if not layout.lanes:
                await self.store.claim_lanes(n_lanes)
                return await self.store.layout()
            if layout.is_staged and layout.next_lanes != n_lanes:
                raise ConfigError(
                    f"a change to {layout.next_lanes} lanes is half done: end it with `tapeline lanes --set "
                    f"{layout.next_lanes}` first"
                )
            if layout.is_staged or (not layout.is_changing and layout.lanes == n_lanes):
                return layout
            begun = replace(layout, next_lanes=n_lanes, attempt=layout.attempt + 1)
            if await self.store.change_layout(layout, begun):
                return begun

    async def _stage(self, layout: Layout) -> Layout:
        """Stop the writers, drain the lanes, and keep the states that the new lanes will have."""
        await self._stop_router(layout)
        for lane in range(max(layout.widest, layout.next_lanes)):
            await self.steps.shut(lane, layout.epoch + 1)
        drained = await self._drained(layout)
        n_lanes = layout.next_lanes
        split = self.states.split(drained, lambda symbol: lane_of(symbol, n_lanes, self.underlying), n_lanes)
        for lane, parts in enumerate(split):
            await self.steps.unstage(lane, layout.attempt - 1)
            await self.steps.stage(lane, layout.attempt, parts)
        staged = replace(layout, is_staged=True)
        if not await self.store.change_layout(layout, staged):
            raise Unavailable("somebody else changes the number of lanes now; look at `tapeline lanes`")
        return staged

    async def _stop_router(self, layout: Layout) -> None:
        """Take the right to route, end what a dead router began, and shut out every router of before."""
        with anyio.move_on_after(STILL_S):
            while not await self.ingress.lease(self.token, self.config.lease_s):
                await anyio.sleep(LOOK_EVERY_S)
            await Router(self.ingress, self.token, self.config).finish(layout.lanes)
            await self.ingress.lease(self.token, 0.001)
            return
        raise Unavailable(f"the router has not given way within {STILL_S:.0f} s")

    async def _drained(self, layout: Layout) -> list[Parts]:
        """Return the states of the lanes once everything is in them, and all are as far in time."""
        while True:
            for lane in range(layout.lanes):
                await self._drain(lane)
            states: list[Parts] = [(await self.store.load(lane)).parts for lane in range(layout.lanes)]
            times = [self.states.time_of(parts) for parts in states]
            newest = max((frame for frame in times if frame is not None), key=lambda f: f.as_of_ns, default=None)
            behind = [
                lane
                for lane, frame in enumerate(times)
                if newest is not None and (frame is None or frame.as_of_ns < newest.as_of_ns)
            ]
            if newest is None or not behind:
                return states
            for lane in behind:
                await self.store.publish(lane, [frames.to_fields(newest)], None, epoch=layout.epoch + 1)

    async def _drain(self, lane: int) -> None:
        """Return when everything in a lane is in its snapshot."""
        before: LaneProgress | None = None
        moved_s = anyio.current_time()
        while True:
            now = await self.store.progress(lane)
            if now.snapshot_id == now.last_id:
                return
            if before is None or (now.applied_id, now.snapshot_id) != (before.applied_id, before.snapshot_id):
                before, moved_s = now, anyio.current_time()
            if anyio.current_time() - moved_s > STILL_S:
                raise Unavailable(
                    f"lane {lane} is not drained: it has stood at {now.applied_id} for {STILL_S:.0f} s; start workers "
                    "with `tapeline process`, look at their logs, and try again"
                )
            await anyio.sleep(LOOK_EVERY_S)

    async def _switch(self, layout: Layout) -> None:
        """Put the staged states in place. Every step can be made again, also by several at once."""
        epoch, n_lanes = layout.epoch + 1, layout.next_lanes
        futures = [await self.steps.future(lane, layout.attempt, epoch) for lane in range(n_lanes)]
        times = [frame for parts in futures if (frame := self.states.time_of(parts)) is not None]
        for lane, parts in enumerate(futures):
            await self._move_hot(layout, lane, parts)
        marks = [await self.store.watermark(lane) for lane in range(layout.lanes)]
        known = [mark for mark in marks if mark is not None]
        switch = Switch(
            epoch=epoch,
            attempt=layout.attempt,
            row=frames.encode(times[0]) if times else None,
            closed=pack_closed((times[0],)) if times else None,
            watermark_ns=min(known) if len(known) == layout.lanes else None,
            note=join_notes([await self.store.note(lane) for lane in range(layout.lanes)]),
        )
        for lane in range(max(layout.widest, n_lanes)):
            await self.steps.switch(lane, switch if lane < n_lanes else replace(switch, attempt=None, closed=None))

    async def _move_hot(self, layout: Layout, lane: int, parts: Parts) -> None:
        moving: dict[int, list[str]] = {}
        for symbol in self.states.symbols_of(parts):
            moving.setdefault(lane_of(symbol, layout.lanes, self.underlying), []).append(symbol)
        for source, symbols in moving.items():
            if source != lane:
                await self.steps.move_hot(symbols, source, lane)
