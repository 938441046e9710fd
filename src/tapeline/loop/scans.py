"""The scans of a session: what they go by, what the last one found, who was new, what a closer look told.

In: one scan after another.  Out: what those who watch are shown.
Refuses to decide anything: decisions take the scan itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from tapeline.core.types import Candidate, CycleRecord
from tapeline.loop.sight import Sight
from tapeline.scan.entrants import EntrantWatch
from tapeline.scan.result import ScanResult
from tapeline.scan.saved import Difference
from tapeline.scan.second import SecondLook

MAX_ENTRANTS = 100
"""New entrants that are remembered."""


class Scans:
    """The scans of one session.

    Attributes
    ----------
    sight
        What each scan goes by.
    last
        The last one; None before the first.
    entrants
        Candidates that the scan before them had not, each once a session, newest last.
    look
        The last closer look, and ``looked_ns``, when it began; 0 before the first.
    """

    def __init__(self, sight: Sight) -> None:
        self.sight = sight
        self.last: ScanResult | None = None
        self.entrants: deque[Candidate] = deque(maxlen=MAX_ENTRANTS)
        self.look, self.looked_ns = SecondLook(), 0
        self._watch = EntrantWatch(self._alert)

    @property
    def change(self) -> Difference | None:
        """What the last whole scan changed; None before the second."""
        return self._watch.change

    async def take(self, result: ScanResult) -> None:
        """Take the newest scan, and tell of its entrants."""
        self.last = result
        await self._watch.see(result)

    async def recall(self, records: Iterable[CycleRecord]) -> None:
        """Take the scans of an earlier life from its records, oldest first, so that nobody is new twice."""
        for record in records:
            await self._watch.compare(record.candidates, record.as_of_ns)

    async def _alert(self, entrants: tuple[Candidate, ...]) -> None:
        self.entrants.extend(entrants)
