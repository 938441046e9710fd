"""How far a stream may be cut, so that about as many applied entries stay as its settings say.

In: how many entries have ever been applied, up to which id, and how many should stay.  Out: an id.
A server can keep the newest N entries of a stream, but does not know whether all older ones were applied; and it can
drop what is older than an id. So ids that were applied are remembered, one per sixteenth of what stays, with the count
of then. What is cut was applied, whatever was counted wrong; what waits always stays, and does not count.
"""

from __future__ import annotations

from collections.abc import Sequence

from tapeline.streams.store import BEGINNING

STEPS = 16
"""What stays is exact to this part of it: that much more than wanted."""

Step = tuple[int, str]
"""How many entries had been applied, and the id of the last of them."""


def next_cut(steps: Sequence[Step], applied: int, upto: str, most: int) -> tuple[list[Step], str]:
    """Return the steps to remember from now on, and the id up to which entries may go; the beginning for none.

    Parameters
    ----------
    steps
        What the last call returned; none at first.
    applied, upto
        Entries applied so far, and an id that all of these are behind, or at.
    most
        Entries that stay.
    """
    known = [step for step in steps if step[0] <= applied]  # a count that went back began anew
    if not known or applied - known[-1][0] >= max(1, most // STEPS):
        known.append((applied, upto))
    past = [step for step in known if applied - step[0] >= most]
    return known[len(past) :], past[-1][1] if past else BEGINNING
