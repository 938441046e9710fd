"""Runs beside a session: when they begin, one at a time, given up at the close, and not repeated after a restart."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import anyio
import msgspec
import pytest
from tests.loop.test_recovery import Counting
from tests.loop.thinkers import LOOP, Thinkers
from tests.loop.town import BEFORE, MINUTE_NS, MINUTES, OPEN_NS, Town, run

from tapeline.core.config import LoopConfig
from tapeline.core.errors import BadInput
from tapeline.loop.board import LoopBusy
from tapeline.loop.desk import Book
from tapeline.loop.session import run_session
from tapeline.loop.show import Board
from tapeline.store import queries
from tapeline.store.batch import DossierRecord, StageEvent
from tapeline.store.journal import Journal
from tapeline.trade.portfolio import fold

OFF = msgspec.structs.replace(LOOP, max_tickers=0)


async def day_with(town: Town, board: Board, wishes: dict[int, tuple[int | None, str | None]]) -> list[Exception]:
    """Live through the day; after the given minutes somebody asks for a run. Return what they were told."""
    told: list[Exception] = []

    async def on_minute(done: int) -> None:
        if done in wishes:
            try:
                await board.run_loop(*wishes[done])
            except (LoopBusy, BadInput) as error:
                told.append(error)

    async with town.desk() as desk, anyio.create_task_group() as group:
        book = await town.open_book(desk)

        def minute_done(done: int, _of: int, _note: str) -> None:
            group.start_soon(on_minute, done)

        await run_session(desk, book, minute_done, board)
    return told


async def left_by(town: Town) -> tuple[list[DossierRecord], list[StageEvent]]:
    async with await Journal.open(town.folder / "journal.duckdb") as journal:
        return await journal.read(queries.dossiers), await journal.read(queries.stage_events)


def test_the_sessions_own_run_begins_at_its_minute(tmp_path: Path) -> None:
    town = Thinkers().town(tmp_path)

    async def main() -> int:
        await day_with(town, Board(town.config), {})
        return next(event.event_ns for event in (await left_by(town))[1] if event.stage == "started")

    began_ns = run(main)
    assert OPEN_NS + LOOP.start_min * MINUTE_NS < began_ns < OPEN_NS + (LOOP.start_min + 1) * MINUTE_NS


def test_zero_tickers_turn_the_sessions_own_run_off_and_a_person_can_still_ask(tmp_path: Path) -> None:
    town = Thinkers().town(tmp_path, OFF)

    async def main() -> tuple[list[Exception], list[DossierRecord], list[StageEvent]]:
        return await day_with(town, Board(town.config), {6: (2, "sequential")}), *await left_by(town)

    told, dossiers, stages = run(main)
    assert told == []
    assert len(dossiers) == 2
    began_ns = next(event.event_ns for event in stages if event.stage == "started")
    assert OPEN_NS + 7 * MINUTE_NS < began_ns < OPEN_NS + 8 * MINUTE_NS


def test_a_second_wish_is_refused_until_the_first_run_has_ended(tmp_path: Path) -> None:
    town = Thinkers().town(tmp_path)
    wishes: dict[int, tuple[int | None, str | None]] = {1: (1, None), 2: (1, None), 9: (1, None)}

    async def main() -> tuple[list[Exception], list[StageEvent]]:
        return await day_with(town, Board(town.config), wishes), (await left_by(town))[1]

    told, stages = run(main)
    assert [type(error) for error in told] == [LoopBusy]
    assert len([event for event in stages if (event.symbol, event.stage) == ("", "finished")]) == 3


@pytest.mark.parametrize(
    ("wish", "words"),
    [((0, None), "1 to 200"), ((201, None), "1 to 200"), ((1, "sideways"), "streaming or sequential")],
)
def test_a_wish_out_of_range_is_refused_in_a_sentence(
    tmp_path: Path, wish: tuple[int | None, str | None], words: str
) -> None:
    town = Thinkers().town(tmp_path, OFF)
    (told,) = run(lambda: day_with(town, Board(town.config), {1: wish}))
    assert isinstance(told, BadInput)
    assert words in str(told)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_run_that_has_not_ended_by_the_close_is_given_up_and_says_so(tmp_path: Path, backend: str) -> None:
    loop = LoopConfig(max_tickers=3, start_min=MINUTES - 1, ticker_timeout_s=1e5)
    thinkers = Thinkers(answer_s=3600.0)
    town, board = thinkers.town(tmp_path, loop), Board(thinkers.town(tmp_path, loop).config)

    async def main() -> tuple[list[DossierRecord], list[StageEvent]]:
        await day_with(town, board, {})
        return await left_by(town)

    dossiers, stages = run(main, backend)
    assert dossiers == []
    status = board.loop_status()
    assert status.running is False
    assert set(status.ticker_status.values()) <= {"failed", "skipped"}
    assert any("the session closed" in event.detail for event in stages)


async def lived_again(town: Town, thinkers: Thinkers, kill_at: int) -> tuple[Book, set[str]]:
    """Die at the ``kill_at``-th wait of a day; live it again. Return its book and who had a dossier before."""
    async with anyio.create_task_group() as group:
        await Counting(town.live(), kill_at, group.cancel_scope.cancel)
    before = {kept.dossier.symbol for kept in (await left_by(town))[0]}
    thinkers.seen.clear()
    town.now_ns = BEFORE.close_ns
    return await town.live(), before


@pytest.fixture(scope="module")
def waits(tmp_path_factory: pytest.TempPathFactory) -> int:
    """How often an undisturbed day with a run waits."""
    day = Counting(Thinkers().town(tmp_path_factory.mktemp("whole")).live(), 0, lambda: None)

    async def count() -> int:
        await day
        return day.waits

    return run(count)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_restarted_node_analyses_nobody_twice_and_finishes_those_in_flight(
    tmp_path: Path, waits: int, share: float
) -> None:
    thinkers = Thinkers()
    town = thinkers.town(tmp_path)
    book, before = run(partial(lived_again, town, thinkers, int(share * waits)))
    dossiers, stages = run(lambda: left_by(town))
    symbols = [kept.dossier.symbol for kept in dossiers]
    assert len(symbols) == len(set(symbols)) == LOOP.max_tickers
    assert not {f"collect {symbol}" for symbol in before} & set(thinkers.seen)
    assert len([event for event in stages if (event.symbol, event.stage) == ("", "finished")]) == 1

    async def ledger() -> float:
        async with await Journal.open(tmp_path / "journal.duckdb") as journal:
            return fold(town.config.trade.initial_cash, await journal.read_ledger()).cash

    assert run(ledger) == book.portfolio.cash
