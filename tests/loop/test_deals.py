"""Deals: a fill with the reason that led to it, live and read back."""

from __future__ import annotations

from pathlib import Path

from tests.loop.town import OPEN_NS, Town, replay, run

from tapeline.core.types import Order, Side, Signal, Vote
from tapeline.loop.deals import read_deals, reason_of
from tapeline.store.journal import Journal


def test_what_is_read_back_is_what_was_shown_live(tmp_path: Path) -> None:
    book, _ = replay(Town(tmp_path))

    async def read() -> object:
        async with await Journal.open(tmp_path / "journal.duckdb") as journal:
            return await read_deals(journal, OPEN_NS)

    assert run(read) == (book.deals, book.signals)
    assert {deal.reason.split()[0] for deal in book.deals} == {"stop", "news.headlines"}


ORDER = Order("o", "AAA", Side.SELL, 1.0, 1, "stop")


def test_a_reason_names_every_voice_that_spoke() -> None:
    votes = (Vote("tape.trend", "tape", 0.5, 0.6, 1, "up"), Vote("thesis.dossier", "thesis", 0.9, 0.9, 1, "cheap"))
    signal = Signal("s", "AAA", Side.BUY, 0.7, 1, 2, "BULL", votes, ())
    assert reason_of(ORDER, signal) == "tape.trend +0.5: up; thesis.dossier +0.9: cheap"
    assert reason_of(ORDER, None) == "stop"
