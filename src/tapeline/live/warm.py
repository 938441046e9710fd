"""The loops over ticks, compiled by one use: a reply of the server on its way into a bar.

In: nothing.  Out: machine code on disk. Calls what a worker calls, with arrays of the same layout, because another
layout would be compiled anew.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tapeline.core.config import LiveConfig
from tapeline.kernels.ticks import scan_reply
from tapeline.live.state import LaneState
from tapeline.streams.blocks import Block, reply_of
from tapeline.streams.ticks import TickRows

_TICK = {b"symbol": b"A", b"price": b"1", b"volume": b"1", b"exchange_timestamp": b"1600000000"}


def warm(progress: Callable[[int, int], None] | None = None) -> int:
    """Compile every loop over ticks and keep the machine code on disk; return how many there are.

    ``progress`` is called with (loops done, loops in all) after each.
    """
    reply = reply_of(b"rows", [("1600000000000-0", _TICK)])
    steps: tuple[Callable[[], None], ...] = (
        lambda: _scan(reply),
        lambda: _scan(bytearray(reply)),
        lambda: _fold(reply),
    )
    for done, step in enumerate(steps, 1):
        step()
        if progress is not None:
            progress(done, len(steps))
    return len(steps)


def _scan(reply: bytes | bytearray) -> None:
    scan_reply(np.frombuffer(reply, np.uint8), 0, 1)


def _fold(reply: bytes) -> None:
    """Decode, fold and look: all are made by one tick through a lane."""
    runs, _ = Block(reply).decode()
    state = LaneState(LiveConfig())
    for run in runs:
        if isinstance(run.rows, TickRows):
            state.apply_ticks(run.rows)
    state.take_hot()
