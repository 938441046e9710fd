"""The last scan for a person: its rows, and what else is to be said of it. Pure.

In: a book.  Out: ``ScanRow`` and ``ScanNews``.  Refuses to show a number that is not known: it is None.
"""

from __future__ import annotations

from collections import Counter

from tapeline.loop.board import EntrantRow, ScanNews, ScanRow
from tapeline.loop.desk import Book
from tapeline.loop.pages import known


def rows_of(book: Book) -> tuple[ScanRow, ...]:
    """Return the candidates of the last scan, best first."""
    last, look = book.scans.last, book.scans.look
    if last is None:
        return ()
    change = book.scans.change
    new = frozenset(change.new if change is not None else ())
    columns = {symbol: col for col, symbol in enumerate(last.symbols)}
    rows = []
    for candidate in last.candidates:
        col = columns[candidate.symbol]
        rows.append(
            ScanRow(
                rank=candidate.rank,
                symbol=candidate.symbol,
                score=candidate.score,
                price=candidate.price,
                atr=candidate.atr,
                freshness_s=candidate.freshness_s,
                contributions=candidate.contributions,
                sector=last.sectors[col] if last.sectors else "",
                stop=known(float(last.stop[col])),
                target=known(float(last.target[col])),
                models={name: known(float(values[col])) for name, values in last.values.items()},
                is_new=candidate.symbol in new,
                second=look.cells(candidate.symbol),
            )
        )
    return tuple(rows)


def news_of(book: Book) -> ScanNews:
    """Return what is to be said of the last scan besides its rows."""
    scans, last = book.scans, book.scans.last
    if last is None:
        return ScanNews()
    change = scans.change
    entrants = (
        EntrantRow(symbol=each.symbol, rank=each.rank, score=each.score, as_of_ns=each.as_of_ns)
        for each in reversed(scans.entrants)
    )
    return ScanNews(
        as_of_ns=last.as_of_ns,
        scored=last.n_scored,
        excluded=dict(sorted(Counter(str(each.kind) for each in last.exclusions.values()).items())),
        abstained=last.n_abstained,
        left_out=last.left_out,
        notes=last.notes,
        new=() if change is None else change.new,
        dropped=() if change is None else change.dropped,
        moved=() if change is None else change.moved,
        entrants=tuple(entrants),
        looked_ns=scans.looked_ns,
        look_missing=scans.look.missing,
    )
