"""The symbols that a person watches: one a line in a file of the home.

In: symbols, or a file of them.  Out: the list, sorted; whether it has changed since it was read last.
Refuses what cannot be a symbol, by line. The file is replaced in one step, so a reader never sees half of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tapeline.core.errors import BadInput
from tapeline.feed.sources import batches

FILE_NAME = "watchlist.txt"
"""In the home."""
MAX_FILE_BYTES = 4_000_000


def read_watchlist(path: Path) -> tuple[str, ...]:
    """Return the symbols, sorted; none when there is no file."""
    return read_symbols(path) if path.exists() else ()


def write_watchlist(path: Path, symbols: Iterable[str]) -> tuple[str, ...]:
    """Replace the list; return it as kept. Raises BadInput for a name that cannot be a symbol."""
    kept = tuple(sorted(set(symbols)))
    if kept:
        batches(kept, 1)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text("".join(f"{symbol}\n" for symbol in kept), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise BadInput(f"cannot write the watchlist {path}: {error.strerror}") from None
    return kept


def read_symbols(path: Path) -> tuple[str, ...]:
    """Return the symbols of a text file: the first word of each line, in capitals; ``#`` begins a remark.

    A header line ``symbol`` is passed over, so a column of a spreadsheet can be read as it is.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadInput(
                f"{path} is larger than {MAX_FILE_BYTES // 1_000_000} MB: give a list of symbols, one a line"
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is no text: give a list of symbols, one a line") from None
    found: set[str] = set()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].replace(",", " ").replace(";", " ").split()
        if not words or (number == 1 and words[0].lower() == "symbol"):
            continue
        symbol = words[0].strip('"').upper()
        try:
            batches((symbol,), 1)
        except BadInput as error:
            raise BadInput(f"line {number} of {path}: {error}") from None
        found.add(symbol)
    return tuple(sorted(found))


class WatchedFile:
    """Tells when a file has changed on disk, whoever replaced it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._look()

    def has_changed(self) -> bool:
        """Return whether the file is another one than at the last look."""
        before, self._stamp = self._stamp, self._look()
        return self._stamp != before

    def _look(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return (0, 0, 0)
        return found.st_mtime_ns, found.st_size, found.st_ino


class WatchedList:
    """The watchlist on disk: called between two cycles, it returns the new list, or None when it is the old one."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, WatchedFile(path)

    def __call__(self) -> Sequence[str] | None:
        """Return the list when it has changed and holds any symbol."""
        return (read_watchlist(self._path) or None) if self._file.has_changed() else None
