"""After the close: what is old is rolled, given up or compacted, so that the home stays in bounded disk.

In: the desk of a session that is over.  Out: the home in order, or a sentence on the board why it is not.
Refuses to stop the node: what cannot be put in order today is tried again at the next close.
"""

from __future__ import annotations

import logging

from tapeline.core.errors import StoreError
from tapeline.loop.desk import Book, Desk
from tapeline.loop.show import Board
from tapeline.store.retention import tidy

log = logging.getLogger(__name__)

PART = "disk"
"""What the board and the summary call it."""


async def keep_house(desk: Desk, book: Book, board: Board) -> None:
    """Put the home in order, and tell when the disk has to be looked at."""
    try:
        trouble = (await tidy(desk.journal, desk.config.retention)).alert
    except StoreError as error:
        trouble = str(error)
    board.show_trouble(PART, trouble)
    if trouble:
        log.warning("%s", trouble)
        book.tally.degrade(PART, trouble)
