"""Scans kept by name, and what changed between two of them.

In: a scan and a folder.  Out: a small JSON file, and on the next time who is new, who is gone and who moved.
Refuses names that are no plain words: they become file names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tapeline.core.errors import BadInput, DataError
from tapeline.core.types import Candidate
from tapeline.scan.result import ScanResult

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Saved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of a scan: its moment, and (symbol, score) of the candidates, best first."""

    as_of_ns: int
    ranked: tuple[tuple[str, float], ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What changed since an earlier scan.

    ``moved`` is (symbol, rank before, rank now) of those in both whose rank changed, the largest move first.
    """

    new: tuple[str, ...]
    dropped: tuple[str, ...]
    moved: tuple[tuple[str, int, int], ...]


def to_saved(candidates: Sequence[Candidate], as_of_ns: int) -> Saved:
    """Return what is kept of a scan with these candidates, best first."""
    return Saved(as_of_ns=as_of_ns, ranked=tuple((each.symbol, each.score) for each in candidates))


def difference(before: Saved, now: Saved) -> Difference:
    """Return what changed from one scan to another."""
    old = {symbol: rank for rank, (symbol, _) in enumerate(before.ranked, 1)}
    new = {symbol: rank for rank, (symbol, _) in enumerate(now.ranked, 1)}
    moved = [(symbol, old[symbol], rank) for symbol, rank in new.items() if symbol in old and old[symbol] != rank]
    return Difference(
        new=tuple(symbol for symbol in new if symbol not in old),
        dropped=tuple(symbol for symbol in old if symbol not in new),
        moved=tuple(sorted(moved, key=lambda each: (-abs(each[1] - each[2]), each[2]))),
    )


def save(result: ScanResult, folder: Path, name: str) -> Difference | None:
    """Keep a scan under a name; return what changed since the last one of that name, None for the first."""
    if not _NAME.fullmatch(name):
        raise BadInput(f"a scan cannot be called {name!r}: use letters, digits, - and _, at most 64")
    path, now = folder / f"{name}.json", to_saved(result.candidates, result.as_of_ns)
    before = load(folder, name)
    part = path.with_name(path.name + ".part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.write_bytes(msgspec.json.encode(now))
        part.replace(path)
    except OSError as error:
        raise BadInput(f"the scan cannot be kept in {folder}: {error.strerror}") from None
    return None if before is None else difference(before, now)


def load(folder: Path, name: str) -> Saved | None:
    """Return the scan kept under a name, or None; ``DataError`` when its file is none."""
    path = folder / f"{name}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Saved)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(f"{path} holds no saved scan ({error}): remove it") from None
