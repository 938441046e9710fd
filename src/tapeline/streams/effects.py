"""What a run did, sorted by the entry that did it: closed bars, alerts, and the letter for what was left out.

In: a block, a run of it and what the processor made of it.  Out: ``EntryEffects`` per entry.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tapeline.core.types import BarFrame
from tapeline.kernels.ticks import HOLDS_FRAME
from tapeline.streams import frames
from tapeline.streams.blocks import Block, Run
from tapeline.streams.closed import pack_closed
from tapeline.streams.processor import Alert, LaneOutput, Refused, TicksOutput
from tapeline.streams.store import DeadLetter
from tapeline.streams.ticks import TickRows

log = logging.getLogger(__name__)

MAX_LETTER_BYTES = 1 << 20
"""Longest payload that a dead letter keeps; of a longer one its beginning is kept, and the reason says so."""


@dataclass(slots=True)
class EntryEffects:
    """What one entry did."""

    closed: list[BarFrame] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    letter: DeadLetter | None = None

    def packed(self) -> bytes:
        """Return the closed frames as one payload."""
        return pack_closed(tuple(self.closed))

    def add(self, output: LaneOutput) -> None:
        """Take in what a frame or a row did."""
        self.closed += output.closed
        self.alerts += output.alerts


def letter_of_entry(block: Block, i: int, reason: str) -> DeadLetter:
    """Return the dead letter of a whole entry; the payload is its fields."""
    return _letter(block.id(i), reason, frames.pack(block.parts(i)))


def to_effects(block: Block, run: Run, output: LaneOutput | TicksOutput, effects: dict[int, EntryEffects]) -> None:
    """Add what a run did to the entries that did it."""
    if isinstance(output, LaneOutput):
        i = run.first
        found = effects.setdefault(i, EntryEffects())
        found.add(output)
        if output.refused:
            found.letter = _letter_of_rows(block.id(i), output.refused)
        return
    for row, step in output.steps:
        effects.setdefault(int(run.entries[row]), EntryEffects()).add(step)
    if output.refused and isinstance(run.rows, TickRows):
        _refuse_ticks(block, run, run.rows, output, effects)


def _refuse_ticks(
    block: Block, run: Run, rows: TickRows, output: TicksOutput, effects: dict[int, EntryEffects]
) -> None:
    told: dict[int, list[str]] = {}
    lost: dict[int, list[int]] = {}
    for reason, refused in output.refused:
        entries, counts = np.unique(run.entries[refused], return_counts=True)
        for i, count in zip(entries.tolist(), counts.tolist(), strict=True):
            told.setdefault(i, []).append(f"{count} rows: {reason}")
        for row in refused.tolist():
            lost.setdefault(int(run.entries[row]), []).append(row)
    for i, reasons in told.items():
        if block.columns.kind[i] == HOLDS_FRAME:
            payload = frames.pack([frames.encode_ticks(rows.take(np.array(sorted(lost[i]), np.int64)))])
        else:
            payload, reasons = frames.pack(block.parts(i)), [reasons[0].removeprefix("1 rows: ")]
        effects.setdefault(i, EntryEffects()).letter = _letter(block.id(i), "; ".join(reasons), payload)


def warn_of_letters(where: str, letters: Sequence[DeadLetter]) -> None:
    """Log one line for what a batch sends to the dead letters, however much it is: the letters themselves say all."""
    if letters:
        more = f" and {len(letters) - 1:,} more" if len(letters) > 1 else ""
        log.warning("%s, entry %s%s: to the dead letters: %s", where, letters[0].id, more, letters[0].reason)


def _letter_of_rows(entry_id: str, refused: tuple[Refused, ...]) -> DeadLetter:
    """Return one dead letter for the rows that an entry lost; the payload is the frames of these rows."""
    reasons = "; ".join(f"{len(part.rows)} rows: {part.reason}" for part in refused)
    return _letter(entry_id, reasons, pack_closed(tuple(part.rows for part in refused)))


def _letter(entry_id: str, reason: str, payload: bytes) -> DeadLetter:
    if len(payload) > MAX_LETTER_BYTES:
        reason = f"{reason} (the first {MAX_LETTER_BYTES:,} of {len(payload):,} bytes are kept)"
        payload = payload[:MAX_LETTER_BYTES]
    return DeadLetter(entry_id, reason, payload)
