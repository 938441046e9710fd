"""The board: what a person sees of a node from its start to the close, and that everybody is told of changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import msgspec
import pytest
from tests.loop.thinkers import Thinkers
from tests.loop.town import MINUTE_NS, MINUTES, OPEN_NS, SYMBOLS, Town, run

from tapeline.core.errors import BadInput
from tapeline.core.types import Headline, Label
from tapeline.grid.about import About
from tapeline.loop.board import NodeView
from tapeline.loop.progress import Progress
from tapeline.loop.run import Runs
from tapeline.loop.session import run_session
from tapeline.loop.show import Board

ABOUT = {"AAA": About("Alpha", "Energy")}


def watch_day(town: Town, at_minute: int, look: Callable[[NodeView], None]) -> Board:
    """Live through the day; after ``at_minute`` somebody looks."""
    board = Board(town.config, version="1.2")

    def minute_done(done: int, _of: int, _note: str) -> None:
        if done == at_minute:
            look(board)

    async def main() -> None:
        async with town.desk() as opened:
            desk = replace(opened, about=ABOUT)
            board.show_desk(desk)
            book = await town.open_book(desk)
            await run_session(desk, book, minute_done, board)

    run(main)
    return board


def encoded(view: NodeView) -> None:
    """Everything that is shown can be told in JSON."""
    parts = (view.status(), view.market(), view.scan(), view.account(), view.loop_status())
    assert all(msgspec.json.decode(msgspec.json.encode(part)) is not None for part in parts)


def test_before_anything_has_started_there_is_a_picture() -> None:
    board = Board(Thinkers().town(Path()).config, mode="live")
    encoded(board)
    status = board.status()
    assert (status.mode, status.state, status.day, status.symbols) == ("live", "starting", "", 0)
    assert (board.market(), board.scan(), board.symbol("AAA"), board.dossier("AAA")) == ((), (), None, None)
    assert board.loop_status().phase == "idle"
    with pytest.raises(BadInput, match="no session is open"):
        anyio.run(board.run_loop)


def test_a_session_that_waits_for_the_bell_is_not_open_yet(tmp_path: Path) -> None:
    town = Town(tmp_path)
    board = Board(town.config)
    states: list[str] = []

    async def main() -> None:
        async with town.desk() as desk, anyio.create_task_group() as group:
            book = await town.open_book(desk)
            board.show_session(desk, book, Runs(desk, book, Progress(desk.clock, board.touch), group))
            states.append(board.status().state)
            await desk.clock.sleep_until(OPEN_NS)
            states.append(board.status().state)

    run(main)
    assert states == ["before_open", "open"]


def test_a_title_that_many_print_is_shown_once_where_it_is_newest(tmp_path: Path) -> None:
    def look(view: NodeView) -> None:
        page = view.symbol("CCC")
        assert page is not None
        assert page.headlines == ((30, "b", "All fall"), (20, "a", "CCC rises"))

    town = Town(tmp_path)
    board = Board(town.config)

    async def main() -> None:
        async with town.desk() as desk, anyio.create_task_group() as group:
            book = await town.open_book(desk)
            said = [(30, "b", "All fall"), (20, "a", "CCC rises"), (10, "c", "All fall")]
            book.headlines["CCC"] = tuple(
                Headline("CCC", at, title, who, "", Label.SIMULATED) for at, who, title in said
            )
            board.show_session(desk, book, Runs(desk, book, Progress(desk.clock, board.touch), group))
            look(board)

    run(main)


def test_in_the_middle_of_the_day_it_shows_the_market_the_account_and_the_run(tmp_path: Path) -> None:
    def look(view: NodeView) -> None:
        encoded(view)
        status = view.status()
        assert (status.state, status.minutes_done, status.minutes) == ("open", 10, MINUTES)
        assert status.tally["polls"] == 10
        assert status.sources["google.news"] == "ok"
        assert status.sources["youtube"] == "YouTube is off"
        tiles = {tile.symbol: tile for tile in view.market()}
        assert list(tiles) == list(SYMBOLS)
        assert (tiles["AAA"].sector, tiles["BBB"].sector) == ("Energy", "")
        assert (tiles["AAA"].name, tiles["BBB"].name) == ("Alpha", "")
        assert tiles["AAA"].change_pct is not None
        assert tiles["AAA"].change_pct < -5.0  # it has broken down
        assert (tiles["CCC"].dollar_volume or 0.0) > 1e6
        assert [row.rank for row in view.scan()] == [1, 2, 3, 4]
        account = view.account()
        assert [deal.symbol for deal in account.deals] == ["CCC", "AAA"]
        assert account.deals[1].reason == "stop"
        assert "news.headlines" in account.deals[0].reason
        assert len(account.curve) == 11
        assert account.curve[0].event_ns == OPEN_NS
        assert account.curve[0].equity == pytest.approx(1e6, rel=1e-3)
        assert account.equity == account.curve[-1].equity
        assert sum(holding.value or 0.0 for holding in account.holdings) + account.cash == pytest.approx(account.equity)
        assert view.loop_status().counters["analyzed"] == 3

    board = watch_day(Thinkers().town(tmp_path), 10, look)
    assert board.status().state == "closed"
    assert board.status().sources["youtube"] == "YouTube is off"


def test_a_symbols_page_has_its_bars_indicators_fills_and_dossier(tmp_path: Path) -> None:
    def look(view: NodeView) -> None:
        page = view.symbol("CCC")
        assert page is not None
        assert [candle.event_ns for candle in page.minutes] == [OPEN_NS + m * MINUTE_NS for m in range(12)]
        assert len(page.days) > 50
        assert {len(values) for values in page.indicators.values()} == {12}
        assert page.indicators["ema_12"][-1] is not None
        assert page.indicators["sma_20"] == (None,) * 12
        assert [title for _, _, title in page.headlines] == ["CCC shares surge on blowout results"]
        assert [deal.side for deal in page.deals] == ["buy"]
        assert page.holding is not None
        dossier = view.dossier("CCC")
        assert page.dossier is not None
        assert dossier is not None
        assert page.dossier["conviction"] == dossier.conviction
        assert view.symbol("ZZZ") is None
        assert view.dossier("BBB") is None
        assert view.symbol("BBB") is not None

    watch_day(Thinkers(talk=("CCC", "EEE")).town(tmp_path), 12, look)


def test_a_symbol_that_has_not_traded_today_has_a_page_without_minutes(tmp_path: Path) -> None:
    def look(view: NodeView) -> None:
        page = view.symbol("EEE")  # its first minute has no trade
        assert page is not None
        assert page.minutes == ()
        assert set(page.indicators.values()) == {()}
        assert page.price is not None

    watch_day(Town(tmp_path), 1, look)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_whoever_waits_is_told_of_a_change_and_of_one_that_was_missed_at_once(backend: str) -> None:
    async def main() -> list[int]:
        board, seen = Board(Thinkers().town(Path()).config), []

        async def wait(since: int) -> None:
            seen.append(await board.changed(since))

        board.touch()
        async with anyio.create_task_group() as group:
            group.start_soon(wait, 0)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(wait, 1)
            await anyio.wait_all_tasks_blocked()
            assert seen == [1]
            board.touch()
        return seen

    assert run(main, backend) == [1, 2]


def test_the_version_rises_with_every_minute_and_every_step_of_a_ticker(tmp_path: Path) -> None:
    versions: list[int] = []
    board = watch_day(Thinkers().town(tmp_path), 3, lambda view: versions.append(view.version))
    assert board.version > versions[0] + 12 + 3 * 8


def test_the_trouble_of_a_part_is_shown_until_it_is_healed_and_stays_in_the_summary(tmp_path: Path) -> None:
    seen: list[str | None] = []

    def look(view: NodeView) -> None:
        assert isinstance(view, Board)
        for sentence in ("it ended by signal 9", ""):
            view.show_trouble("llm", sentence)
            seen.append(view.status().sources.get("llm"))

    board = watch_day(Thinkers().town(tmp_path), 5, look)
    assert seen[0] == "it ended by signal 9"
    assert seen[1] != seen[0]
    assert board._book is not None
    assert "it ended by signal 9" in board._book.tally.degraded
