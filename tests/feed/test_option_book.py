"""The book of option contracts: one question a session, nothing lost, nothing expired."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio
import pytest

from tapeline.core.errors import DataError
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import Label
from tapeline.feed.home_file import write_json
from tapeline.feed.option_book import Book, BookChanges, read_book, update_book
from tapeline.feed.vendors.alpaca_contracts import OptionContract

MONDAY, TUESDAY = dt.date(2010, 6, 14), dt.date(2010, 6, 15)
JUNE, JULY = dt.date(2010, 6, 18), dt.date(2010, 7, 16)


def _contract(underlying: str, expiry: dt.date, strike: float, open_interest: float | None = None) -> OptionContract:
    symbol = f"{underlying}{expiry:%y%m%d}C{round(strike * 1_000):08d}"
    known = (open_interest, None, None, None)
    return OptionContract(symbol, underlying, expiry, True, strike, "american", 100.0, True, *known, Label.SIMULATED)


@dataclass
class _Source:
    """Lists what it is told to; a symbol without an entry fails."""

    lists: Mapping[str, list[OptionContract]]
    asked: list[str] = field(default_factory=list)

    async def fetch_contracts(
        self, underlying: str, first: dt.date, last: dt.date
    ) -> Outcome[tuple[OptionContract, ...]]:
        self.asked.append(underlying)
        if underlying not in self.lists:
            return nothing(Kind.ERROR, source="test", reason="broken")
        found = tuple(c for c in self.lists[underlying] if first <= c.expiry <= last)
        return value_of(found, source="test") if found else nothing(Kind.NO_DATA, source="test", reason="none")


def _update(book: Book, source: _Source, names: list[str], day: dt.date) -> tuple[Book, BookChanges]:
    return anyio.run(partial(update_book, book, source, names, day))


def test_a_second_sync_of_the_session_asks_only_for_who_is_new_and_keeps_the_others() -> None:
    source = _Source({"AAPL": [_contract("AAPL", JUNE, 250)], "IBM": [_contract("IBM", JUNE, 120)], "ZZZ": []})
    book, changes = _update({}, source, ["AAPL", "ZZZ"], MONDAY)
    assert changes == BookChanges(contracts=1, complete=0, listed=1, gone=0, missing=(("ZZZ", "none"),))
    book, changes = _update(book, source, ["AAPL", "IBM", "ZZZ"], MONDAY)
    assert (source.asked, changes.contracts, changes.complete) == (["AAPL", "ZZZ", "IBM"], 2, 2)
    assert set(book) == {"AAPL", "IBM", "ZZZ"}


def test_the_next_session_brings_new_open_interest_and_tells_what_came_and_went() -> None:
    first = _Source({"AAPL": [_contract("AAPL", JULY, 240), _contract("AAPL", JULY, 250, 10.0)]})
    book, _ = _update({}, first, ["AAPL"], MONDAY)
    then = _Source({"AAPL": [_contract("AAPL", JULY, 250, 20.0), _contract("AAPL", JULY, 260)]})
    book, changes = _update(book, then, ["AAPL"], TUESDAY)
    assert (changes.listed, changes.gone) == (1, 1)
    assert [(c.strike, c.open_interest) for c in book["AAPL"].contracts] == [(250, 20.0), (260, None)]


def test_a_failure_keeps_the_old_list_and_its_day_and_what_has_expired_leaves() -> None:
    source = _Source({"AAPL": [_contract("AAPL", JUNE, 250), _contract("AAPL", JULY, 250)]})
    book, _ = _update({}, source, ["AAPL"], MONDAY)
    book, changes = _update(book, _Source({}), ["AAPL"], dt.date(2010, 6, 21))
    assert changes.missing == (("AAPL", "broken"),)
    assert book["AAPL"].day == MONDAY
    assert [contract.expiry for contract in book["AAPL"].contracts] == [JULY]


def test_a_book_is_read_as_it_was_written_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "market" / "options.json"
    assert read_book(path) == {}
    book, _ = _update({}, _Source({"AAPL": [_contract("AAPL", JULY, 250, 20.0)]}), ["AAPL"], MONDAY)
    write_json(path, book)
    assert read_book(path) == book
    path.write_text("{")
    with pytest.raises(DataError, match="remove it and sync again"):
        read_book(path)
