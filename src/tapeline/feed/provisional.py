"""Streamed bars beside polled ones: the stream is first, the poll is right.

In: frames of both.  Out: the rows of each that are news.
Refuses to say a bar twice: a polled bar that was streamed alike is no news, one that differs is its next revision, and
a streamed bar of a minute that was polled comes too late.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tapeline.core.types import BAR_FIELDS, MINUTE_S, NS_PER_S, BarFrame
from tapeline.feed.report import PollReport

MINUTE_NS = MINUTE_S * NS_PER_S
KEPT_NS = 30 * MINUTE_NS
"""How long a streamed bar may wait for the poll that confirms it."""
_Key = tuple[str, int]


class Provisional:
    """What has been streamed and not polled yet.

    Parameters
    ----------
    polled_ns
        How far the polls have come already; streamed bars that ended by then come too late.
    """

    def __init__(self, polled_ns: int = 0) -> None:
        self._told: dict[_Key, bytes] = {}
        self._raised: set[_Key] = set()  # whose polled bars are one revision further than the poll counts
        self._polled_ns = polled_ns

    def streamed(self, frame: BarFrame) -> BarFrame:
        """Return the rows of a streamed frame that are news: of minutes that were neither polled nor streamed."""
        fresh = []
        for row, (key, numbers) in enumerate(_rows(frame)):
            if key not in self._told and key[1] + MINUTE_NS > self._polled_ns:
                self._told[key] = numbers
                fresh.append(row)
        return frame.take(np.array(fresh, np.intp))

    def polled(self, frame: BarFrame) -> BarFrame:
        """Return the rows of a polled frame that are news; who was streamed otherwise has its revision raised by one,
        in this frame and in every later one.

        ``frame.as_of_ns`` is how far the poll reaches: streamed bars that ended by then come too late from now on.
        """
        self._polled_ns = max(self._polled_ns, frame.as_of_ns)
        if not self._told and not self._raised:
            return frame  # most polls of most nodes
        rows, revision = [], frame.revision.copy()
        for row, (key, numbers) in enumerate(_rows(frame)):
            before = self._told.pop(key, None)
            if before == numbers:
                continue
            if before is not None:
                self._raised.add(key)
            revision[row] += key in self._raised
            rows.append(row)
        oldest_ns = self._polled_ns - KEPT_NS
        self._told = {key: numbers for key, numbers in self._told.items() if key[1] >= oldest_ns}
        self._raised = {key for key in self._raised if key[1] >= oldest_ns}
        return replace(frame, revision=revision).take(np.array(rows, np.intp))

    def news_of(self, report: PollReport) -> PollReport:
        """Return a report whose frames hold only what is news."""
        frame, *others = [self.polled(frame) for frame in report.frames]
        return replace(report, frame=frame, others=tuple(others))


def _rows(frame: BarFrame) -> list[tuple[_Key, bytes]]:
    table = np.stack([getattr(frame, name) for name in BAR_FIELDS], axis=1)
    keys = zip(frame.symbols, frame.event_ns.tolist(), strict=True)
    return [(key, row.tobytes()) for key, row in zip(keys, table, strict=True)]
