"""Reading a minute once more, for the trades that were reported late.

In: the bars as they were first told, and as they are told half a minute later.  Out: the rows that differ, with their
revision; the symbols that did not trade.
Refuses to say again what has not changed: each (symbol, bar, revision) goes out once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from tapeline.core.types import BAR_FIELDS, MINUTE_S, NS_PER_S, BarFrame
from tapeline.feed.report import Part

MINUTE_NS = MINUTE_S * NS_PER_S
KEPT_MINUTES = 5
"""A minute that could not be read again within this time is left as it was first told."""
RETRY_NS = MINUTE_NS
"""Between two tries of a minute that has no second answer: no oftener, so that a vendor in trouble keeps its strength
for the newest minutes."""


@dataclass(frozen=True, slots=True)
class _Told:
    """A bar as it was told last: its numbers, byte for byte, and its revision."""

    numbers: bytes
    revision: int


class Reread:
    """What has been told and is not final yet. ``delay_ns`` after its end a minute is final; 0 means at once."""

    def __init__(self, delay_ns: int) -> None:
        self._delay_ns = delay_ns
        self._told: dict[int, dict[str, _Told]] = {}
        self._waiting: dict[int, set[str]] = {}
        self._rests_until_ns = 0

    def is_final(self, event_ns: int, now_ns: int) -> bool:
        """Return whether what is told at ``now_ns`` of a minute will not change any more."""
        return self._delay_ns == 0 or event_ns + MINUTE_NS + self._delay_ns <= now_ns

    def tell(self, part: Part, covered_ns: int, now_ns: int) -> None:
        """Take in what was told; minutes up to ``covered_ns`` that are not final wait to be read again."""
        self._forget(now_ns)
        for event_ns in range(part.start_ns, covered_ns, MINUTE_NS):
            if not self.is_final(event_ns, now_ns):
                self._waiting.setdefault(event_ns, set()).update(part.symbols)
                self._told.setdefault(event_ns, {})
        if self._told:
            self._keep(part.frame)

    def resume(self, event_ns: int, symbols: Iterable[str], told: Iterable[BarFrame]) -> None:
        """Take in a minute that was told before a restart; ``told`` holds its bars, of ``symbols`` and no others."""
        self._waiting.setdefault(event_ns, set()).update(symbols)
        self._told.setdefault(event_ns, {})
        for frame in told:
            self._keep(frame.take(frame.event_ns == event_ns))

    def rest(self, now_ns: int) -> None:
        """Leave a vendor alone for a while: the newest minutes come first."""
        self._rests_until_ns = now_ns + RETRY_NS

    def next_ns(self) -> int | None:
        """Return when the next minute is due, or None when none waits."""
        if not self._waiting:
            return None
        return max(min(self._waiting) + MINUTE_NS + self._delay_ns, self._rests_until_ns)

    def due(self, now_ns: int) -> list[tuple[int, frozenset[str]]]:
        """Return (minute, symbols) of everything that is due, oldest first; what gets no answer is due again later."""
        self._forget(now_ns)
        self.rest(now_ns)
        return [(m, frozenset(self._waiting[m])) for m in sorted(self._waiting) if self.is_final(m, now_ns)]

    def compare(self, part: Part) -> BarFrame:
        """Return the rows of a second answer that are new or differ, with their revision; its minutes are done with."""
        rows, revisions = [], []
        numbers = _numbers(part.frame)
        for row, (symbol, event_ns) in enumerate(zip(part.frame.symbols, part.frame.event_ns.tolist(), strict=True)):
            before = self._told.get(event_ns, {}).get(symbol)
            if before is None or before.numbers != numbers[row]:
                rows.append(row)
                revisions.append(0 if before is None else before.revision + 1)
        for event_ns in range(part.start_ns, part.end_ns, MINUTE_NS):
            waiting = self._waiting.get(event_ns, set())
            waiting.difference_update(part.symbols)
            if not waiting:
                self._waiting.pop(event_ns, None)
                self._told.pop(event_ns, None)
        changed = part.frame.take(np.array(rows, np.intp))
        return replace(changed, revision=np.array(revisions, np.int64))

    def drop(self, symbols: Iterable[str]) -> None:
        """Wait for these no longer."""
        gone = set(symbols)
        for event_ns in list(self._waiting):
            self._waiting[event_ns] -= gone
            if not self._waiting[event_ns]:
                del self._waiting[event_ns]

    def _keep(self, frame: BarFrame) -> None:
        numbers = _numbers(frame)
        for row, (symbol, event_ns) in enumerate(zip(frame.symbols, frame.event_ns.tolist(), strict=True)):
            kept = self._told.get(event_ns)
            if kept is not None:
                kept[symbol] = _Told(numbers[row], int(frame.revision[row]))

    def _forget(self, now_ns: int) -> None:
        """Let go of what nobody came to read again."""
        oldest_ns = now_ns - (KEPT_MINUTES * MINUTE_NS + self._delay_ns)
        for event_ns in [moment for moment in self._told if moment < oldest_ns]:
            self._told.pop(event_ns)
            self._waiting.pop(event_ns, None)


def _numbers(frame: BarFrame) -> list[bytes]:
    table = np.stack([getattr(frame, name) for name in BAR_FIELDS], axis=1)
    return [row.tobytes() for row in table]
