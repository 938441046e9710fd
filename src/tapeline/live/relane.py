"""A change of the number of lanes of a stream server, with everything it needs for its own duration.

In: an address and a number.  Out: the layout then. Where no worker lives the lanes are drained here.
Refuses what ``LaneChange`` refuses.
"""

from __future__ import annotations

import secrets
from functools import partial

import anyio

from tapeline.core.config import Config
from tapeline.core.errors import TapelineError
from tapeline.core.instruments import underlying_of
from tapeline.live.resplit import LaneStates
from tapeline.live.state import LaneState
from tapeline.streams.change import LaneChange
from tapeline.streams.change_steps import ValkeySteps
from tapeline.streams.ingress import ValkeyIngress
from tapeline.streams.layout import Layout
from tapeline.streams.valkey import ValkeyLaneStore, connect
from tapeline.streams.worker import run_worker


async def change_lanes(address: str, n_lanes: int, config: Config) -> Layout:
    """Lay the server at ``address`` out for ``n_lanes``, or go on with a change to it; return the layout then.

    Parameters
    ----------
    address
        ``redis://``, ``rediss://`` or ``unix://``, or the path of a unix socket.
    n_lanes
        How many there will be.
    config
        What its workers go by: states made with other timeframes or indicators are refused.
    """
    token = f"lanes-{secrets.token_hex(4)}"
    async with connect(address) as store:
        states, ingress = LaneStates(config.live), ValkeyIngress(store)
        change = LaneChange(store, ValkeySteps(store), ingress, states, underlying_of, config.streams, token)
        if await _lives_anybody(store, token, config.streams.lease_s):
            return await change.run(n_lanes)
        work = partial(
            run_worker,
            *(store, lambda _: LaneState(config.live), config.streams, f"{token}-worker"),
            hot_ttl_s=config.live.hot_ttl_s,
        )
        try:
            async with anyio.create_task_group() as group:
                worker = await group.start(work)
                try:
                    return await change.run(n_lanes)
                finally:
                    worker.stop()
        except BaseExceptionGroup as errors:
            told, _ = errors.split(TapelineError)
            if told is None:
                raise
            failed = first_of(told)
        raise failed


async def _lives_anybody(store: ValkeyLaneStore, token: str, lease_s: float) -> bool:
    """Tell whether a worker lives: one that was killed a moment ago is counted for the rest of its lease."""
    with anyio.move_on_after(1.5 * lease_s):
        while await store.heartbeat(token, 0.0):
            await anyio.sleep(lease_s / 10)
        return False
    return True


def first_of(errors: BaseException) -> BaseException:
    """Return the first error of a group, however deep."""
    while isinstance(errors, BaseExceptionGroup):
        errors = errors.exceptions[0]
    return errors
