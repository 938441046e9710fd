"""What a row must be before it may touch a bar.

In: a frame.  Out: the frame without its bad rows, and the bad rows with a reason each.
Refuses prices that are not positive numbers, a high below a low, volumes below zero; never repairs one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapeline.core.types import BarFrame
from tapeline.streams.processor import Refused

_Mask = NDArray[np.bool_]

TOO_LATE = "too late: its bar is not kept any more"


def split_rows(frame: BarFrame, floor_ns: int) -> tuple[BarFrame, tuple[Refused, ...]]:
    """Return the rows that can be applied, and the others by reason.

    Parameters
    ----------
    frame
        As it arrived.
    floor_ns
        Rows that start before it come too late: the bars they belong to are not kept any more.
    """
    reasons = _reasons(frame, floor_ns)
    bad = np.logical_or.reduce(list(reasons.values()))
    if not bad.any():
        return frame, ()
    told = np.zeros(len(frame), np.bool_)
    refused = []
    for reason, mask in reasons.items():
        mine = mask & ~told
        told |= mask
        if mine.any():
            refused.append(Refused(reason, frame.take(mine)))
    return frame.take(~bad), tuple(refused)


def _reasons(frame: BarFrame, floor_ns: int) -> dict[str, _Mask]:
    """Return reason -> rows it applies to; comparisons are written so that NaN fails them."""
    prices = np.stack([frame.open, frame.high, frame.low, frame.close])
    with np.errstate(invalid="ignore"):
        positive: _Mask = np.logical_and.reduce((prices > 0) & (prices < np.inf))
        ordered = (frame.low <= np.minimum(frame.open, frame.close)) & (
            frame.high >= np.maximum(frame.open, frame.close)
        )
        has_volume = (frame.volume >= 0) & (frame.volume < np.inf)
        has_vwap = np.isnan(frame.vwap) | ((frame.vwap > 0) & (frame.vwap < np.inf))
    return {
        "a price that is not a positive number": np.logical_not(positive),
        "open or close outside low..high": ~ordered,
        "a volume that is not a number of at least zero": ~has_volume,
        "a vwap that is neither missing nor positive": ~has_vwap,
        TOO_LATE: frame.event_ns < floor_ns,
    }
