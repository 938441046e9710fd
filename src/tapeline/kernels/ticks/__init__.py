"""Ticks: the loops between a stream server's reply and the bars of a lane. numpy and numba only.

In: bytes of a reply, or rows of trades.  Out: columns, and bars folded in place.
"""

from __future__ import annotations

from tapeline.kernels.ticks.fold import CLOSED, DONE, LATE, NEEDS_ROW, fold_ticks
from tapeline.kernels.ticks.session import add_up, newest_rows
from tapeline.kernels.ticks.wire import (
    BY_HAND,
    GONE,
    HOLDS_FRAME,
    TICK,
    Columns,
    decode_entries,
    group_spans,
    scan_reply,
)

__all__ = [
    "BY_HAND",
    "CLOSED",
    "DONE",
    "GONE",
    "HOLDS_FRAME",
    "LATE",
    "NEEDS_ROW",
    "TICK",
    "Columns",
    "add_up",
    "decode_entries",
    "fold_ticks",
    "group_spans",
    "newest_rows",
    "scan_reply",
]
