"""What an earlier life of the node left of the session: the fills to show, the dossiers to decide on or not to repeat.

In: the journal.  Out: the same, in the book.  Refuses nothing: on a fresh day there is nothing.
"""

from __future__ import annotations

import math

from tapeline.loop.board import EquityPoint
from tapeline.loop.deals import read_deals
from tapeline.loop.desk import Book
from tapeline.loop.progress import RUN
from tapeline.store import queries
from tapeline.store.journal import Journal


async def recall(journal: Journal, book: Book) -> None:
    """Put into ``book`` what the journal has of its session.

    A dossier that was ready after the last decision was never looked at, so it is decided on again; the others are
    what is thought of their symbols. A run that has ended is not begun again.
    """
    open_ns = book.session.open_ns
    book.deals, book.signals = await read_deals(journal, open_ns)
    for _, mark in await journal.read(queries.marks):
        if mark.event_ns >= open_ns:
            equity = None if math.isnan(mark.equity) else mark.equity
            book.curve.append(EquityPoint(event_ns=mark.event_ns, equity=equity, cash=mark.cash))
    decided_ns = await journal.read(queries.last_cycle_ns) or 0
    for kept in await journal.read(lambda connection: queries.dossiers(connection, open_ns)):
        if kept.ready_ns > decided_ns:
            book.arrived.append(kept)
        else:
            book.dossiers[kept.dossier.symbol] = kept
    stages = await journal.read(lambda connection: queries.stage_events(connection, open_ns))
    book.has_run = any((event.symbol, event.stage) == (RUN, "finished") for event in stages)
