"""What is known of each minute of each symbol: a bar, no trade, or missing.

In: what each cycle brought.  Out: a state per (minute, symbol), and counts per minute.
Refuses to guess: what nobody has asked for is ``UNKNOWN``. Holds one session, in one byte a cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum

import numpy as np

from tapeline.core.calendar import Session
from tapeline.core.types import MINUTE_S, NS_PER_S

MINUTE_NS = MINUTE_S * NS_PER_S


class Minute(IntEnum):
    """What is known of one minute of one symbol."""

    UNKNOWN = 0
    """Not asked for, or too fresh to tell."""
    MISSING = 1
    """Its page failed; it is asked for again."""
    NO_TRADE = 2
    """Absent when read again, while another symbol of that feed has the minute."""
    BAR = 3


class MinuteBook:
    """The states of one session at a time.

    Parameters
    ----------
    symbols
        Whoever may come; others are added as they appear.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self._columns = {symbol: column for column, symbol in enumerate(symbols)}
        self._session: Session | None = None
        self._cells = np.zeros((0, len(self._columns)), np.int8)

    def begin(self, session: Session) -> None:
        """Turn to a session; what was known of another one is let go."""
        if self._session is None or self._session.open_ns != session.open_ns:
            self._session = session
            self._cells = np.zeros((session.minutes, len(self._columns)), np.int8)

    def note(self, symbols: Iterable[str], event_ns: Iterable[int], state: Minute) -> None:
        """Take in a state for each (symbol, minute); what is known for sure is not unlearned."""
        if self._session is None:
            return
        pairs = [(self._row(moment), self._column(symbol)) for symbol, moment in zip(symbols, event_ns, strict=True)]
        inside = [(row, column) for row, column in pairs if 0 <= row < len(self._cells)]
        if inside:
            rows, columns = np.array(inside, np.intp).T
            self._cells[rows, columns] = np.maximum(self._cells[rows, columns], state)

    def state(self, symbol: str, minute_ns: int) -> Minute:
        """Return what is known of the minute of ``symbol`` that starts at ``minute_ns``."""
        row, column = self._row(minute_ns), self._columns.get(symbol)
        if column is None or not 0 <= row < len(self._cells):
            return Minute.UNKNOWN
        return Minute(int(self._cells[row, column]))

    def counts(self, minute_ns: int) -> Mapping[Minute, int]:
        """Return how many symbols are in each state in one minute."""
        row = self._row(minute_ns)
        cells = self._cells[row] if 0 <= row < len(self._cells) else np.zeros(len(self._columns), np.int8)
        found = np.bincount(cells, minlength=len(Minute)).tolist()
        return dict(zip(Minute, found, strict=True))

    def _row(self, moment_ns: int) -> int:
        return -1 if self._session is None else (moment_ns - self._session.open_ns) // MINUTE_NS

    def _column(self, symbol: str) -> int:
        column = self._columns.get(symbol)
        if column is None:
            column = self._columns[symbol] = len(self._columns)
            self._cells = np.pad(self._cells, ((0, 0), (0, 1)))
        return column
