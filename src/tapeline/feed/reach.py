"""How far back each symbol's daily bars have been asked for: a symbol that is younger than that is complete, too.

In: symbols and the first day of a question that was answered.  Out: whether a symbol reaches back to a day.
Refuses nothing; the file is replaced in one step after each answer, so a break forgets no more than one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

from tapeline.feed.home_file import read_json, write_json


class Reach:
    """Symbol -> the first day that the vendor was ever asked for, in a file of the home."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first = read_json(path, dict[str, dt.date], {})

    def covers(self, symbol: str, first: dt.date) -> bool:
        """Return whether everything from ``first`` on has been asked for, up to the newest bar that is kept."""
        asked = self._first.get(symbol)
        return asked is not None and asked <= first

    def note(self, symbols: Iterable[str], first: dt.date) -> None:
        """Remember that these were asked for from ``first`` on, and answered."""
        for symbol in symbols:
            self._first[symbol] = min(first, self._first.get(symbol, first))
        write_json(self._path, self._first)
