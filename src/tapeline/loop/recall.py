"""What an earlier life of the node left of the session: the fills to show, the dossiers to decide on or not to repeat.

In: the journal.  Out: the same, in the book.  Refuses nothing: on a fresh day there is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from tapeline.core.types import MINUTE_S, NS_PER_S
from tapeline.loop.board import EquityPoint
from tapeline.loop.deals import read_deals
from tapeline.loop.desk import Book
from tapeline.loop.pages import known
from tapeline.loop.progress import RUN
from tapeline.store import queries
from tapeline.store.batch import EquityMark
from tapeline.store.journal import Journal


async def recall(journal: Journal, book: Book, every_min: int) -> None:
    """Put into ``book`` what the journal has of its session.

    A dossier that was ready after the last decision was never looked at, so it is decided on again; the others are
    what is thought of their symbols. A run that has ended is not begun again. ``every_min`` tells which records hold a
    scan of the market, and not only of a dossier's symbol.
    """
    open_ns = book.session.open_ns
    book.deals, book.signals = await read_deals(journal, open_ns)
    book.curve = _curve([mark for _, mark in await journal.read(queries.marks)], book)
    decided_ns = await journal.read(queries.last_cycle_ns) or 0
    book.decided_ns = decided_ns
    for kept in await journal.read(lambda connection: queries.dossiers(connection, open_ns)):
        if kept.ready_ns > decided_ns:
            book.arrived.append(kept)
        else:
            book.dossiers[kept.dossier.symbol] = kept
    cycles = await journal.read(lambda connection: queries.cycles(connection, open_ns))
    length_ns = every_min * MINUTE_S * NS_PER_S
    await book.scans.recall(each for each in cycles if each.candidates and (each.as_of_ns - open_ns) % length_ns == 0)
    stages = await journal.read(lambda connection: queries.stage_events(connection, open_ns))
    book.has_run = any((event.symbol, event.stage) == (RUN, "finished") for event in stages)


def _curve(marks: Sequence[EquityMark], book: Book) -> list[EquityPoint]:
    """Return the account's worth so far, from what it was worth when the market opened: its last mark before."""
    open_ns, account = book.session.open_ns, book.portfolio
    before = [(mark.equity, mark.cash) for mark in marks if mark.event_ns < open_ns]
    # Nothing was ever marked: all of it was cash.
    equity, cash = before[-1] if before else (account.previous_close_equity, account.previous_close_equity)
    points = [EquityPoint(event_ns=open_ns, equity=known(equity), cash=cash)]
    today = (mark for mark in marks if mark.event_ns >= open_ns)
    points += [EquityPoint(event_ns=mark.event_ns, equity=known(mark.equity), cash=mark.cash) for mark in today]
    return points
