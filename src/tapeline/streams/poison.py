"""When most of what is read is poison: then the reader is wrong, or who writes, not single entries.

In: how many entries came, and which of them are bad.  Out: nothing, or ``Poisoned``.
Whoever reads a lane or the ingress holds one; before it knows ``POISON_WINDOW`` entries it refuses nothing.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tapeline.core.errors import BadInput

POISON_WINDOW = 200
"""So many entries in a row are judged together."""


class Poisoned(BadInput):
    """Most entries of a lane or of the ingress cannot be read: the worker stops and leaves them where they are.

    Bad input, so that no pool or node starts the worker again: each life would make more dead letters.
    """


class PoisonWatch:
    """Judges the entries of one stream, in their order.

    Parameters
    ----------
    where
        What the stream is called, as in ``lane 3``.
    most_pct
        Of ``POISON_WINDOW`` entries in a row not more than this share may be poison.
    """

    def __init__(self, where: str, most_pct: float = 50.0) -> None:
        self._where, self._most = where, most_pct / 100.0 * POISON_WINDOW
        self._flags = np.zeros(0, np.bool_)

    def judge(self, n_entries: int, bad: Collection[int]) -> None:
        """Take in the next entries, those of the numbers ``bad`` being so.

        Raises
        ------
        Poisoned
            When, at any bad entry, too many of the last ``POISON_WINDOW`` were, or of the first so many.
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
        too_many = within[is_judged & (within > self._most)]
        if too_many.size:
            raise Poisoned(
                f"{too_many[0]} of the last {POISON_WINDOW} entries of {self._where} cannot be read: the worker stops "
                f"and leaves them where they are; look at who writes {self._where}, or set streams.max_poison_pct to "
                "100 to make dead letters of them all"
            )
