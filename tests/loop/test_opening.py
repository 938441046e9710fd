"""Before the bell: history and account in today's shares, prices up to now, and one sentence for what is not there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from tests.loop.town import (
    BEFORE,
    CALENDAR,
    CLOSE_NS,
    DAY,
    MINUTE_NS,
    OPEN_NS,
    SYMBOLS,
    Town,
    make_market,
    midnight_ns,
    read_kept,
    run,
    wire_bar,
)

from tapeline.core.errors import Unavailable
from tapeline.core.outcome import Kind
from tapeline.core.types import Fill, Label, Order, Position, Side
from tapeline.loop.desk import Book, Desk
from tapeline.loop.opening import open_book
from tapeline.loop.session import run_session
from tapeline.store.batch import EndKind, JournalBatch, OrderEnd
from tapeline.trade.portfolio import fold

T = TypeVar("T")
AGO = CALENDAR.sessions(DAY - dt.timedelta(days=40), DAY)[0]


async def opened(town: Town, day: dt.date = DAY) -> Book:
    async with town.desk() as desk:
        return await town.open_book(desk, day)


def bought(symbol: str, qty: float, price: float, event_ns: int) -> JournalBatch:
    """Return the ledger of one purchase."""
    order = Order("1", symbol, Side.BUY, qty, event_ns, "test")
    fill = Fill("1-0", "1", symbol, Side.BUY, qty, price, 0.0, event_ns, Label.REAL)
    return JournalBatch(orders=(order,), fills=(fill,), ends=(OrderEnd("1", EndKind.FILLED, event_ns),))


async def account_and_ledger(town: Town) -> Book:
    """Open the book, and check that the account is what the ledger says."""
    book = await opened(town)
    assert book.portfolio == fold(town.config.trade.initial_cash, (await read_kept(town.folder)).ledger)
    return book


def test_a_fresh_account_holds_the_best_of_the_previous_close(tmp_path: Path) -> None:
    town = Town(tmp_path)
    book = run(lambda: account_and_ledger(town))
    assert set(book.portfolio.positions) == {"AAA", "BBB"}
    assert book.symbols == SYMBOLS
    assert book.days.n_bars == town.config.scan.history_sessions
    assert book.prices == {s: round(days[-1][1], 4) for s, days in town.market.days.items()}
    assert book.regime.is_value
    assert book.poller.covered_ns == OPEN_NS
    assert book.tally.errors == []


def test_without_fresh_an_empty_ledger_is_an_account_of_cash(tmp_path: Path) -> None:
    town = Town(tmp_path)

    async def main() -> Book:
        async with town.desk() as desk:
            return await open_book(desk, CALENDAR.session(DAY), fresh=False, progress=lambda _done, _of: None)

    book = run(main)
    assert (book.portfolio.cash, dict(book.portfolio.positions)) == (town.config.trade.initial_cash, {})


def test_a_split_of_this_morning_restates_the_history_and_the_account(tmp_path: Path) -> None:
    town = Town(tmp_path)
    before = [close for _, close in town.market.days["AAA"]]
    town.market.splits = [("AAA", DAY, 2, 1)]

    async def main() -> Book:
        async with town.desk() as desk:
            await desk.journal.write(bought("AAA", 100.0, 60.0, BEFORE.close_ns - 5 * MINUTE_NS))
        await account_and_ledger(town)
        return await account_and_ledger(town)  # a second start on the same morning

    book = run(main)
    assert book.portfolio.positions == {"AAA": Position("AAA", 200.0, 30.0)}
    assert book.portfolio.cash == town.config.trade.initial_cash - 6_000.0
    np.testing.assert_allclose(book.days.field("close")[:, 0], np.array(before[-60:]) / 2.0, atol=1e-4)
    assert book.days.field("volume")[0, 0] == 2e6
    assert book.days.field("volume")[0, 1] == 1e6
    assert book.prices["AAA"] == pytest.approx(before[-1] / 2.0, abs=1e-4)


def test_what_was_bought_after_a_split_was_bought_in_the_new_shares(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.splits = [("AAA", AGO, 2, 1)]

    async def main() -> Book:
        async with town.desk() as desk:
            await desk.journal.write(bought("AAA", 100.0, 60.0, BEFORE.close_ns - 5 * MINUTE_NS))
        return await account_and_ledger(town)

    assert run(main).portfolio.positions == {"AAA": Position("AAA", 100.0, 60.0)}


def test_a_split_while_the_node_was_off_is_caught_up(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.splits = [("AAA", BEFORE.day, 3, 1)]

    async def main() -> Book:
        async with town.desk() as desk:
            await desk.journal.write(bought("AAA", 100.0, 60.0, midnight_ns(AGO) + 15 * 3600 * 10**9))
        return await account_and_ledger(town)

    assert run(main).portfolio.positions == {"AAA": Position("AAA", 300.0, 20.0)}


def test_an_account_that_begins_on_the_morning_of_a_split_goes_through_it_once(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.splits = [("AAA", DAY, 2, 1)]
    town.market.days["AAA"] = [(day, 2.0 * close) for day, close in town.market.days["AAA"]]

    async def main() -> tuple[Book, Book]:
        return await account_and_ledger(town), await account_and_ledger(town)

    first, again = run(main)
    assert again.portfolio == first.portfolio
    held = first.portfolio.positions["AAA"]
    assert held.qty * held.avg_price == pytest.approx(100_000.0, rel=1e-3)
    assert held.avg_price == pytest.approx(town.market.days["AAA"][-1][1] / 2.0, rel=1e-3)


def test_a_start_at_noon_knows_the_mornings_minutes_and_prices(tmp_path: Path) -> None:
    town = Town(tmp_path)

    async def main() -> tuple[Book, Book]:
        morning = await town.live()
        return morning, await opened(town)

    morning, noon = run(main)
    assert noon.prices == morning.prices
    assert noon.prices["AAA"] < 0.95 * town.market.days["AAA"][-1][1]
    np.testing.assert_array_equal(noon.minutes.field("close"), morning.minutes.field("close"))
    assert noon.poller.covered_ns == CLOSE_NS
    assert noon.portfolio == morning.portfolio


def test_the_day_after_begins_with_the_account_of_the_evening(tmp_path: Path) -> None:
    town = Town(tmp_path)
    after = CALENDAR.sessions(DAY, DAY + dt.timedelta(days=7))[1]

    async def main() -> tuple[Book, Book]:
        evening = await town.live()
        return evening, await opened(town, after)

    evening, morning = run(main)
    assert morning.portfolio == evening.portfolio
    assert morning.minutes.n_bars == 0
    assert morning.poller.covered_ns == CALENDAR.session(after).open_ns


def opened_without(down: str, tmp_path: Path) -> None:
    """Open the day of a town whose market does not answer at one path."""
    town = Town(tmp_path)
    town.market.is_down = lambda path, _params, _now_ns: path == down
    run(_alone(lambda: opened(town)))


def _alone(main: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """Return ``main`` with the one error that its task group holds raised by itself."""

    async def unwrapped() -> T:
        try:
            return await main()
        except BaseExceptionGroup as group:
            (error,) = group.exceptions
            raise error from None

    return unwrapped


def test_a_vendor_that_lists_nothing_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"did not list its stocks .*out of order"):
        opened_without("/v2/assets", tmp_path)


def test_an_empty_list_of_stocks_ends_the_start(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.days = {}
    with pytest.raises(Unavailable, match="lists no stock"):
        run(_alone(lambda: opened(town)))


def test_unknown_splits_end_the_start(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="did not tell its splits"):
        opened_without("/v1/corporate-actions", tmp_path)


def test_a_failed_batch_of_history_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.is_down = lambda _path, params, _now_ns: params.get("symbols") == "DDD,EEE,FFF"
    book = run(lambda: opened(town))
    assert [error.split(":")[0] for error in book.tally.errors] == [f"history of {s}" for s in ("DDD", "EEE", "FFF")]
    assert set(book.prices) == {"AAA", "BBB", "CCC"}
    assert book.symbols == SYMBOLS


def test_a_stock_without_history_is_watched_and_has_no_price(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.days["NEW"] = []

    async def main() -> Book:
        async with town.desk() as desk:
            book = await town.open_book(desk)
            assert "NEW" not in book.prices
            town.market.minutes["NEW"] = [9.0] * 15
            await run_session(desk, book, lambda _done, _of, _note: None)
            return book

    book = run(main)
    assert "NEW" in book.symbols
    assert book.prices["NEW"] == wire_bar(0, 9.0, 1.0)["c"]


def test_a_universe_without_any_history_has_no_prices_and_no_positions(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.days = {symbol: [] for symbol in SYMBOLS}
    book = run(lambda: opened(town))
    assert (book.prices, dict(book.portfolio.positions)) == ({}, {})


def test_the_regime_of_a_day_beyond_the_shipped_index_is_stale(tmp_path: Path) -> None:
    town = Town(tmp_path)
    late = dt.date(2026, 3, 3)
    town.now_ns = CALENDAR.previous_session(late).close_ns
    book = run(lambda: opened(town, late))
    assert book.regime.kind is Kind.STALE
    assert "the shipped index ends on" in book.regime.reason


def test_progress_counts_the_batches_of_history(tmp_path: Path) -> None:
    town = Town(tmp_path, make_market())
    seen: list[tuple[int, int]] = []

    async def main() -> None:
        async with town.desk() as desk:
            await open_book(desk, CALENDAR.session(DAY), fresh=True, progress=lambda done, of: seen.append((done, of)))

    run(main)
    assert seen == [(1, 2), (2, 2)]


def test_opening_twice_buys_once(tmp_path: Path) -> None:
    town = Town(tmp_path)

    async def main(desk: Desk) -> None:
        first = await town.open_book(desk)
        again = await town.open_book(desk)
        assert again.portfolio == first.portfolio

    async def outer() -> None:
        async with town.desk() as desk:
            await main(desk)

    run(outer)
