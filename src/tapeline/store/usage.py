"""What a home takes on the disk, by class, and what of it may go.

In: the folder of a home.  Out: bytes by class; files in the order in which they may be deleted.
Refuses nothing: what vanishes while it is counted takes nothing. Links are counted, never followed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path


class Part(StrEnum):
    """A class of what a home holds."""

    JOURNAL = "journal"
    """Ledger, decisions, dossiers, evidence, and the bars of the last days."""
    BARS = "bars"
    """Rolled bars."""
    STREAMS = "streams"
    """The embedded Valkey: lanes, ticks, hot state."""
    LOGS = "logs"
    RECORDINGS = "recordings"
    """What vendors answered, byte for byte."""
    CACHE = "cache"
    """Models and features that can be made again."""
    DAMAGED = "damaged"
    """Stores that were damaged and kept aside."""
    OTHER = "other"
    """Settings, watchlist, saved scans, the market's list."""


_FOLDERS = {
    "bars": Part.BARS,
    "valkey": Part.STREAMS,
    "marks": Part.STREAMS,
    "logs": Part.LOGS,
    "recordings": Part.RECORDINGS,
    "cache": Part.CACHE,
}
_OLD_LOG = re.compile(r".*\.log\.\d+")


def measure(home: Path) -> dict[Part, int]:
    """Return the bytes that each class takes; every class has a number."""
    sizes = dict.fromkeys(Part, 0)
    for path, stat in _files(home):
        sizes[_part_of(path.relative_to(home))] += stat.st_size
    return sizes


def expendable(home: Path) -> list[tuple[Part, Path, int]]:
    """Return (class, file, bytes) of what may go: older logs, recordings, caches, the oldest of each first."""
    order = (Part.LOGS, Part.RECORDINGS, Part.CACHE)
    found = []
    for path, stat in _files(home):
        part = _part_of(path.relative_to(home))
        if part in order and (part is not Part.LOGS or _OLD_LOG.fullmatch(path.name)):
            found.append((order.index(part), stat.st_mtime_ns, path, stat.st_size))
    return [(order[place], path, size) for place, _, path, size in sorted(found)]


def rotate(log: Path, max_bytes: int, keep: int) -> bool:
    """Begin a log anew when it is longer than ``max_bytes``, with ``keep`` older ones beside it; return whether it was.

    Whoever writes it keeps its file open, so the text is copied and the file emptied: its next line is the first. A
    line that is written in between is in neither.
    """
    if log.stat().st_size <= max_bytes:
        return False
    for number in range(keep - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    with log.open("rb") as text, log.with_name(f"{log.name}.1").open("wb") as copy:
        while chunk := text.read(1 << 20):
            copy.write(chunk)
    os.truncate(log, 0)
    return True


def _files(home: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for folder, _, names in os.walk(home):
        for name in names:
            path = Path(folder, name)
            try:
                yield path, path.lstat()
            except FileNotFoundError:
                continue


def _part_of(path: Path) -> Part:
    """Return the class of a file, by its path inside the home."""
    if len(path.parts) > 1:
        return _FOLDERS.get(path.parts[0], Part.OTHER)
    if ".corrupt-" in path.name:
        return Part.DAMAGED
    return Part.JOURNAL if path.name.startswith("journal.duckdb") else Part.OTHER
