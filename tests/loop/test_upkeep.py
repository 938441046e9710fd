"""After the close the home is put in order, and what is wrong with the disk is said until it is healed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from tests.loop.town import CONFIG, Kept, Town, expected_rows, read_kept, run
from tests.store.batches import frame

from tapeline.core.config import RetentionConfig
from tapeline.core.errors import StoreError
from tapeline.loop import upkeep
from tapeline.loop.desk import Book, Desk, Tally
from tapeline.loop.show import Board
from tapeline.loop.upkeep import keep_house
from tapeline.store import rolled
from tapeline.store.batch import JournalBatch
from tapeline.store.journal import Journal

DAY_NS = 86_400 * 10**9


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    async with await Journal.open(tmp_path / "journal.duckdb") as opened:
        yield opened


def desk_of(journal: Journal, **kept: Any) -> Desk:
    config = msgspec.structs.replace(CONFIG, retention=RetentionConfig(**kept))
    return cast(Desk, SimpleNamespace(journal=journal, config=config))


def book() -> Book:
    return cast(Book, SimpleNamespace(tally=Tally()))


def sources(board: Board) -> dict[str, str]:
    return dict(board.status().sources)


@pytest.mark.anyio
async def test_a_home_above_its_cap_is_told_on_the_board_until_it_is_below(journal: Journal) -> None:
    board, told = Board(CONFIG), book()
    await keep_house(desk_of(journal, home_mb=0.001), told, board)
    assert "more than retention.home_mb = 0.0" in sources(board)["disk"]
    assert told.tally.degraded == [sources(board)["disk"]]
    version = board.version
    await keep_house(desk_of(journal), book(), board)
    assert "disk" not in sources(board)
    assert board.version == version + 1


@pytest.mark.anyio
async def test_a_full_disk_does_not_stop_the_node(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise StoreError("the disk is probably full")

    monkeypatch.setattr(upkeep, "tidy", fails)
    board, told = Board(CONFIG), book()
    await keep_house(desk_of(journal), told, board)
    assert sources(board)["disk"] == "the disk is probably full"


def test_the_node_rolls_older_days_by_itself_when_its_session_ends(tmp_path: Path) -> None:
    town = Town(tmp_path)

    async def main() -> Kept:
        async with await Journal.open(tmp_path / "journal.duckdb") as journal:
            for day in (1, 2, 3):
                await journal.write(JournalBatch(frames=(frame(day * 24 * 60),)))
        await town.live()
        return await read_kept(tmp_path)

    kept = run(main)
    assert [str(day) for day in rolled.rolled_days(tmp_path / "bars")] == ["1970-01-02", "1970-01-03"]
    rows = sorted(kept.rows(), key=lambda row: (row[1], row[0]))
    assert [row[1] // DAY_NS for row in rows[:6]] == [1, 1, 2, 2, 3, 3]
    assert rows[6:] == expected_rows(town.market)
