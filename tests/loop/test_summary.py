"""The summary: counts of the day, null for what was not measured, dead letters among the errors."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import msgspec
import numpy as np
from tests.loop.town import CONFIG, MINUTES, SYMBOLS, Town, run

from tapeline.loop.desk import Book, Desk
from tapeline.loop.session import run_session
from tapeline.loop.summary import Summary, summarise
from tapeline.streams import keys


def summary_of(town: Town, main: Callable[[Desk, Book], Awaitable[None]]) -> Summary:
    async def outer() -> Summary:
        async with town.desk() as desk:
            book = await town.open_book(desk)
            await main(desk, book)
            return await summarise(desk, book, 1.23456)

    return run(outer)


async def whole_day(desk: Desk, book: Book) -> None:
    await run_session(desk, book, lambda _done, _of, _note: None)


def test_a_whole_day_is_counted(tmp_path: Path) -> None:
    town = Town(tmp_path)
    summary = summary_of(town, whole_day)
    traded = sum(int(np.sum(~np.isnan(closes))) for closes in town.market.minutes.values())
    assert (summary.symbols, summary.traded) == (len(SYMBOLS), len(SYMBOLS))
    assert (summary.polls, summary.ticks, summary.bars) == (MINUTES, traded, traded + 3 * len(SYMBOLS))
    assert (summary.orders, summary.fills, summary.errors) == (2, 2, 0)
    assert summary.requests > 2 * MINUTES
    assert summary.candidates >= CONFIG.scan.top
    assert summary.signals > 0
    assert summary.scan_ms > 0.0
    assert summary.wall_s == 1.23
    assert 0.9 < summary.equity / CONFIG.trade.initial_cash < 1.1


def test_without_a_scan_its_time_is_null(tmp_path: Path) -> None:
    async def nothing(_desk: Desk, _book: Book) -> None:
        await anyio.lowlevel.checkpoint()

    summary = summary_of(Town(tmp_path), nothing)
    assert math.isnan(summary.scan_ms)
    assert msgspec.json.decode(msgspec.json.encode(summary))["scan_ms"] is None


def test_equity_that_cannot_be_told_is_null(tmp_path: Path) -> None:
    async def forget(_desk: Desk, book: Book) -> None:
        await anyio.lowlevel.checkpoint()
        book.prices.clear()

    assert math.isnan(summary_of(Town(tmp_path), forget).equity)


def test_dead_letters_are_errors_of_the_day(tmp_path: Path) -> None:
    async def poison(desk: Desk, book: Book) -> None:
        await desk.store.publish(1, [{keys.FRAME: b"no frame at all"}], None)
        await whole_day(desk, book)
        assert book.tally.errors == []

    town = Town(tmp_path)
    assert summary_of(town, poison).errors == 1
