"""The book remembers the last price of whoever traded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.loop.town import OPEN_NS, Town, run

from tapeline.core.types import BarFrame, Label


def test_a_mark_changes_the_prices_of_those_that_traded_and_no_others(tmp_path: Path) -> None:
    town = Town(tmp_path)
    closes = np.array([1.0, 2.0])
    times = np.full(2, OPEN_NS)
    frame = BarFrame(60, "sip", Label.REAL, OPEN_NS, ("AAA", "BBB"), times, *([closes] * 7))

    async def main() -> None:
        async with town.desk() as desk:
            book = await town.open_book(desk)
            before = dict(book.prices)
            book.mark(frame)
            book.mark(replace(frame, symbols=("BBB", "BBB")))  # the later row of a symbol is the last known
            assert book.prices == {**before, "AAA": 1.0, "BBB": 2.0}
            assert book.tally.traded == {"AAA", "BBB"}

    run(main)
