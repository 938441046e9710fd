"""What a worker does with a lane's frames, as a contract: ``live`` keeps it, ``app`` hands it in.

In: one frame at a time, in stream order.  Out: closed bars and refused rows of that frame, hot state when asked.
Must be a function of the frames alone: no clock, no randomness, so that replaying gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tapeline.core.types import BarFrame

HotRow = dict[str, float | int | str]
"""Newest values of one symbol by name. A missing number is absent, never NaN."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows that were left out, and why; the rest of their frame was applied."""

    reason: str
    rows: BarFrame


@dataclass(frozen=True, slots=True)
class LaneOutput:
    """What one frame did. ``closed`` holds new bars and, with a higher revision, corrected ones."""

    closed: tuple[BarFrame, ...] = ()
    refused: tuple[Refused, ...] = ()


class Processor(Protocol):
    """The state of one lane."""

    def apply(self, frame: BarFrame) -> LaneOutput:
        """Apply one frame; raise ``BadMessage``, and change nothing, when the whole frame makes no sense."""
        ...

    def take_hot(self) -> Mapping[str, HotRow]:
        """Return the newest values of every symbol that changed since the last call."""
        ...

    def snapshot(self) -> bytes:
        """Return the whole state. Restoring it elsewhere continues to the bit."""
        ...

    def restore(self, snapshot: bytes) -> None:
        """Take over a state; raise ``BadMessage`` when it is not one of ours."""
        ...


ProcessorFactory = Callable[[int], Processor]
"""Makes the empty processor of a lane."""
