"""How far a person's poller has come, in a file of the home, so that the next one goes on from there.

In: watermarks of symbols, after what they cover has been told.  Out: those that a later start may go on from.
Refuses marks of before the session before this one: a poller is no history (``sync`` is), and marks ahead of the clock,
which are those of a simulator that was started anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tapeline.core.calendar import SessionCalendar
from tapeline.feed.shared_file import SharedFile

KEPT_FEEDS = 16
"""Feeds that are remembered, the last used ones."""

Marks = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Past:
    """Marks to go on from, and the symbols that were polled too long ago and begin anew."""

    marks: Mapping[str, int]
    too_old: tuple[str, ...]


class PolledFile:
    """Watermarks of each feed and symbol, in UTC nanoseconds."""

    def __init__(self, path: Path) -> None:
        self._file: SharedFile[Marks] = SharedFile(path, Marks)

    def marks(self, feed: str, symbols: Iterable[str], now_ns: int, calendar: SessionCalendar) -> Past:
        """Return the marks of these ``symbols`` that a poller may go on from, and whose are too old for that."""
        oldest_ns = calendar.previous_session(calendar.next_session(now_ns).day).open_ns
        kept = self._file.read().get(feed, {})
        known = {symbol: kept[symbol] for symbol in symbols if kept.get(symbol, now_ns + 1) <= now_ns}
        recent = {symbol: mark for symbol, mark in known.items() if mark >= oldest_ns}
        return Past(recent, tuple(sorted(known.keys() - recent.keys())))

    async def note(self, feed: str, marks: Mapping[str, int]) -> None:
        """Remember that everything up to these marks has been told; other symbols keep theirs."""
        async with self._file.changing() as kept:
            kept[feed] = {**kept.pop(feed, {}), **marks}
            for name in list(kept)[:-KEPT_FEEDS]:
                del kept[name]
