"""When most of what is read is poison: then the reader is wrong, or who writes, not single entries.

In: how many entries came, and which of them are bad.  Out: nothing, or ``Poisoned``.
Whoever reads a lane or the ingress holds one; before it knows ``POISON_WINDOW`` entries it refuses nothing.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tapeline.core.errors import BadInput

POISON_WINDOW = 200
"""Of this many entries in a row more than half may not be poison."""


class Poisoned(BadInput):
    """Most entries of a lane or of the ingress cannot be read: the worker stops and leaves them where they are.

    Bad input, so that no pool or node starts the worker again: each life would make more dead letters.
    """


class PoisonWatch:
    """Judges the entries of one stream, in their order. ``where`` names it, as in ``lane 3``."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._flags = np.zeros(0, np.bool_)

    def judge(self, n_entries: int, bad: Collection[int]) -> None:
        """Take in the next entries, those of the numbers ``bad`` being so.

        Raises
        ------
        Poisoned
            When, at any bad entry, more than half of the last ``POISON_WINDOW`` were, or of the first so many.
        """
        flags = np.zeros(n_entries, np.bool_)
        flags[list(bad)] = True
        is_first = self._flags.size < POISON_WINDOW
        flags = np.concatenate([self._flags, flags])
        self._flags = flags[-POISON_WINDOW:]
        if flags.size < POISON_WINDOW or not (bad or is_first):
            return
        so_far = np.concatenate([[0], np.cumsum(flags)])
        within = so_far[POISON_WINDOW:] - so_far[:-POISON_WINDOW]
        is_judged = flags[POISON_WINDOW - 1 :].copy()
        is_judged[0] |= is_first
        too_many = within[is_judged & (2 * within > POISON_WINDOW)]
        if too_many.size:
            raise Poisoned(
                f"{too_many[0]} of the last {POISON_WINDOW} entries of {self._where} cannot be read: the worker stops "
                f"and leaves them where they are; look at the dead letters, and at who writes {self._where}"
            )
