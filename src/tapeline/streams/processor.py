"""What a worker does with a lane's frames, as a contract: ``live`` keeps it, ``app`` hands it in.

In: one frame at a time, in stream order.  Out: closed bars and refused rows of that frame, hot state when asked.
Must be a function of the frames alone: no clock, no randomness, so that replaying gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tapeline.core.types import I64, BarFrame
from tapeline.streams.ticks import TickRows

HotRow = dict[str, float | int | str]
"""Newest values of one symbol by name. A missing number is absent, never NaN."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows that were left out, and why; the rest of their frame was applied."""

    reason: str
    rows: BarFrame


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that was found. ``id`` follows from what it is, so that finding it twice is finding it once."""

    id: str
    values: HotRow


@dataclass(frozen=True, slots=True)
class LaneOutput:
    """What one frame did. ``closed`` holds new bars and, with a higher revision, corrected ones."""

    closed: tuple[BarFrame, ...] = ()
    refused: tuple[Refused, ...] = ()
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True)
class TicksOutput:
    """What rows of ticks did.

    Attributes
    ----------
    steps
        (row, what it did), in order; rows without an effect to the outside are left out.
    refused
        (reason, int64 rows that were left out).
    """

    steps: tuple[tuple[int, LaneOutput], ...] = ()
    refused: tuple[tuple[str, I64], ...] = ()


class Processor(Protocol):
    """The state of one lane."""

    def apply(self, frame: BarFrame) -> LaneOutput:
        """Apply one frame; raise ``BadMessage``, and change nothing, when the whole frame makes no sense."""
        ...

    def apply_ticks(self, rows: TickRows) -> TicksOutput:
        """Apply ticks one after the other; how they are cut into calls must not change anything."""
        ...

    def take_hot(self) -> Mapping[str, HotRow]:
        """Return the newest values of every symbol that changed since the last call."""
        ...

    def take_snapshot(self) -> Mapping[str, bytes]:
        """Return the parts of the state that changed since the last call, all at first; empty bytes: it is gone.

        Restoring all parts elsewhere continues to the bit.
        """
        ...

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take over a state; raise ``BadMessage`` when it is not one of ours."""
        ...


ProcessorFactory = Callable[[int], Processor]
"""Makes the empty processor of a lane."""
