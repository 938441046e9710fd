"""What the grid says of itself: what a frame did to it, and the grid on the wire. Values only."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from tapeline.core.types import DAY_S, F64, NS_PER_S

DAY_BEGINS_S = 5 * 3600
"""When an exchange's day begins, in seconds after midnight UTC: midnight in New York, asleep in every American session.
In India it is 66,600 (18:30 UTC)."""


def session_number(event_ns: ArrayLike, day_begins_s: int = DAY_BEGINS_S) -> F64:
    """Return the number of the session that bars belong to: days since 1970 that begin at ``day_begins_s``."""
    since = np.asarray(event_ns, np.int64) - day_begins_s * NS_PER_S
    return np.asarray(since // (DAY_S * NS_PER_S), np.float64)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a frame did to the grid, in bars, except ``rows``: rows that are new."""

    rows: int = 0
    new: int = 0
    revised: int = 0
    ignored: int = 0
    """Same or lower revision: the grid already knew."""
    late: int = 0
    """Older than the oldest bar of a full ring."""
    unknown: int = 0
    """Symbols that are not in the universe."""

    def __add__(self, other: Applied) -> Applied:
        return Applied(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A grid on the wire; arrays are the bytes of C-order, oldest bar first."""

    symbols: tuple[str, ...]
    timeframe_s: int
    capacity: int
    dropped: int
    tracked: tuple[str, ...]
    event_ns: bytes
    bars: bytes
    revision: bytes
    anchor: bytes
    cold: bytes
    day_begins_s: int = DAY_BEGINS_S
