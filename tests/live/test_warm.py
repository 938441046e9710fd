"""What ``warm`` compiles is what a worker uses: a lane compiles nothing more after it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapeline.core.config import LiveConfig
from tapeline.kernels.ticks import fold, scan_reply, session, wire
from tapeline.live.state import LaneState
from tapeline.live.warm import warm
from tapeline.streams.blocks import Block, reply_of
from tapeline.streams.ticks import TickRows

LOOPS: tuple[Any, ...] = (fold.fold_ticks, wire._decode, wire._group, wire._scan, session.newest_rows, session.add_up)


def test_after_warm_a_lane_compiles_nothing() -> None:
    told: list[tuple[int, int]] = []
    assert warm(lambda done, total: told.append((done, total))) == 3
    assert told == [(1, 3), (2, 3), (3, 3)]
    before = [len(loop.signatures) for loop in LOOPS]
    fields = {
        b"tradingsymbol": b"B",
        b"last_price": b"2",
        b"volume": b"3",
        b"bid": b"1",
        b"exchange_timestamp": b"1790000000",
    }
    reply = reply_of(b"key", [("1790000000000-1", fields), ("1790000000000-2", {**fields, b"symbol": b"C"})])
    scan_reply(np.frombuffer(bytearray(reply), np.uint8), 0, 1)
    runs, _ = Block(reply).decode()
    assert isinstance(runs[0].rows, TickRows)
    state = LaneState(LiveConfig())
    state.apply_ticks(runs[0].rows)
    assert set(state.take_hot()) == {"B", "C"}
    assert [len(loop.signatures) for loop in LOOPS] == before
