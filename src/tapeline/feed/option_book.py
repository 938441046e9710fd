"""The option contracts that are known, by underlying: what ``tapeline sync --options`` keeps in the home.

In: who is asked, underlyings, the session.  Out: the book, brought up to that session, and what has changed.
Refuses to ask twice in a session, for contracts and open interest change once a day, and to throw away a chain
that could not be had anew: it stays, with its own day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from tapeline.core.outcome import Kind, Outcome
from tapeline.feed.home_file import read_json
from tapeline.feed.vendors.alpaca_contracts import OptionContract

AHEAD = dt.timedelta(days=365)
"""Expiries until then are kept."""


class Kept(msgspec.Struct, frozen=True):
    """The contracts on one underlying as they were listed in the session ``day``."""

    day: dt.date
    contracts: tuple[OptionContract, ...] = ()


Book = dict[str, Kept]
"""Underlying -> its contracts."""


class ContractSource(Protocol):
    """A vendor that lists option contracts."""

    async def fetch_contracts(
        self, underlying: str, first: dt.date, last: dt.date
    ) -> Outcome[tuple[OptionContract, ...]]:
        """Return the contracts that expire from ``first`` to ``last``."""
        ...


@dataclass(frozen=True, slots=True)
class BookChanges:
    """What came of bringing a book up to date.

    Attributes
    ----------
    contracts
        In the book now, of the underlyings that were wanted.
    complete
        Underlyings that had been asked for in this session before.
    listed, gone
        Contracts that are new, and that are no longer there.
    missing
        (underlying, why there is no list of this session).
    """

    contracts: int
    complete: int
    listed: int
    gone: int
    missing: tuple[tuple[str, str], ...]


async def update_book(
    book: Book, source: ContractSource, underlyings: Iterable[str], day: dt.date
) -> tuple[Book, BookChanges]:
    """Return the book with the contracts on ``underlyings`` as of the session ``day``, and what has changed.

    In: a book, which stays as it is.   Out: a new one; other underlyings keep theirs, without what has expired.
    Concurrency: one request after the other. Failure: is ``missing``.
    """
    fresh = {name: _unexpired(kept, day) for name, kept in book.items()}
    wanted = sorted(set(underlyings))
    asked = [name for name in wanted if name not in book or book[name].day < day]
    missing: list[tuple[str, str]] = []
    for name in asked:
        outcome = await source.fetch_contracts(name, day, day + AHEAD)
        if outcome.value is None:
            missing.append((name, outcome.reason))
        if outcome.value is not None or outcome.kind is Kind.NO_DATA:
            fresh[name] = Kept(day, outcome.value or ())
    before, after = (_symbols(one, asked) for one in (book, fresh))
    changes = BookChanges(
        contracts=len(_symbols(fresh, wanted)),
        complete=len(wanted) - len(asked),
        listed=len(after - before),
        gone=len(before - after),
        missing=tuple(missing),
    )
    return fresh, changes


def read_book(path: Path) -> Book:
    """Return the book that was kept; empty when there is none."""
    return read_json(path, Book, {})


def _unexpired(kept: Kept, day: dt.date) -> Kept:
    return Kept(kept.day, tuple(contract for contract in kept.contracts if contract.expiry >= day))


def _symbols(book: Book, names: Iterable[str]) -> set[str]:
    return {contract.symbol for name in names if name in book for contract in book[name].contracts}
