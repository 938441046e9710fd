"""Who is new among the candidates: scans in, an alert out.

In: one scan after another.  Out: the candidates that the scan before did not have, told to whoever was handed in, each
once in the watch's life: one that keeps crossing the edge is news the first time only.
Refuses to call anybody new without a scan to compare with, or by a partial scan, where scores lack a part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tapeline.core.types import Candidate
from tapeline.scan.result import ScanResult
from tapeline.scan.saved import Difference, Saved, difference, to_saved


class Alert(Protocol):
    """Somebody who is told of new entrants: a page, a log, a message."""

    async def __call__(self, entrants: tuple[Candidate, ...]) -> None:
        """Take them, best first; never empty."""
        ...


class EntrantWatch:
    """Compares each scan with the one before.

    Parameters
    ----------
    alert
        Who is told.
    before
        The last scan of an earlier life (``scan.saved.load``), so that a restart alerts nobody twice; None for none.
    """

    def __init__(self, alert: Alert, before: Saved | None = None) -> None:
        self._alert, self._before = alert, before
        self.change: Difference | None = None
        """What the last whole scan changed, whoever crosses the edge again included; None before the second."""
        self._told: set[str] = set()

    async def see(self, result: ScanResult) -> tuple[Candidate, ...]:
        """Tell of the entrants of a scan and return them; once the alert has been taken they are old."""
        return () if result.is_partial else await self.compare(result.candidates, result.as_of_ns)

    async def compare(self, candidates: Sequence[Candidate], as_of_ns: int) -> tuple[Candidate, ...]:
        """The same for the candidates of a whole scan, best first."""
        now = to_saved(candidates, as_of_ns)
        change = None if self._before is None else difference(self._before, now)
        new = set() if change is None else set(change.new) - self._told
        entrants = tuple(candidate for candidate in candidates if candidate.symbol in new)
        if entrants:
            await self._alert(entrants)
            self._told |= new
        self._before, self.change = now, change
        return entrants
