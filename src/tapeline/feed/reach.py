"""How far back each symbol's daily bars have been asked for: a symbol that is younger than that is complete, too.

In: symbols and the first day of a question that was answered.  Out: whether a symbol reaches back to a day.
Refuses nothing; the file is replaced in one step after each answer, so a break forgets no more than one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tapeline.core.errors import BadInput, DataError
from tapeline.feed.assets import write_json


class Reach:
    """Symbol -> the first day that the vendor was ever asked for, in a file of the home."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first = _read(path)

    def covers(self, symbol: str, first: dt.date) -> bool:
        """Return whether everything from ``first`` on has been asked for, up to the newest bar that is kept."""
        asked = self._first.get(symbol)
        return asked is not None and asked <= first

    def note(self, symbols: Iterable[str], first: dt.date) -> None:
        """Remember that these were asked for from ``first`` on, and answered."""
        for symbol in symbols:
            self._first[symbol] = min(first, self._first.get(symbol, first))
        write_json(self._path, self._first)


def _read(path: Path) -> dict[str, dt.date]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, dt.date])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise DataError(f"{path} is damaged ({error}): remove it and sync again") from None
