"""What the session's scans go by: the user's file, dated models, sectors; and who is new, told once."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import msgspec
import numpy as np
import pytest
from tests.loop.town import CONFIG, MINUTE_NS, OPEN_NS, Town, day_in, run

from tapeline.core.calendar import SessionCalendar
from tapeline.core.config import Config, MlConfig, ScanConfig
from tapeline.core.errors import ConfigError
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S, CycleRecord, Evidence, Label
from tapeline.grid.about import About
from tapeline.grid.history import History, load_history
from tapeline.loop.desk import Book, Desk
from tapeline.loop.ranking import news_of, rows_of
from tapeline.loop.session import run_minute, run_session
from tapeline.loop.sight import Sight, open_sight
from tapeline.scan.market import about_of, run_scan
from tapeline.scan.own import NOTHING, load_wanted
from tapeline.scan.second import Experts
from tapeline.store import queries

DELAY_NS = round(CONFIG.feed.publish_delay_s * NS_PER_S)
DAY = dt.date(2010, 5, 5)
CALENDAR = SessionCalendar()
OWN = """
FACTORS = {"own_calm": "-natr_14"}
SCREENS = {"own_risen": "close > sma_20"}
STRATEGIES = {"calm": {"weights": {"own_calm": 1.0}, "top": 3}}
"""


@pytest.fixture(scope="module")
def history() -> History:
    """The shipped days up to the eve of the crash."""
    return load_history(until=DAY)


def sight_of(history: History, day: dt.date = DAY, **scan: object) -> Sight:
    config = msgspec.structs.replace(Config(), scan=msgspec.convert(scan, ScanConfig))
    session = CALENDAR.session(day)
    return anyio.run(open_sight, config, {}, NOTHING, history.grid, session)


def own_desk(desk: Desk, folder: Path, **scan: object) -> Desk:
    """Return a desk with the user's file loaded and its strategy in place, as ``app`` does."""
    (folder / "mine.py").write_text(OWN)
    chosen = msgspec.structs.replace(CONFIG.scan, plugins=str(folder / "mine.py"), strategy="calm", **scan)
    wanted, own = load_wanted(chosen)
    return replace(desk, config=msgspec.structs.replace(CONFIG, scan=wanted), own=own)


def test_a_users_screen_factor_and_strategy_choose_the_same_symbols_in_the_session_and_in_a_scan(
    tmp_path: Path,
) -> None:
    """A replay is the backtest, and its session is the live market's code; ``run_scan`` is ``tapeline scan``."""

    async def main() -> None:
        town = Town(tmp_path)
        async with town.desk() as opened:
            desk = own_desk(opened, tmp_path)
            book = await town.open_book(desk)
            for minute in range(1, 6):
                await desk.clock.sleep_until(OPEN_NS + minute * MINUTE_NS + DELAY_NS)
                record = await run_minute(desk, book, OPEN_NS + minute * MINUTE_NS)
            config = desk.config.scan
            scanned = run_scan(book.days, config, MlConfig(), models=None, own=desk.own).result
            plain = run_scan(book.days, CONFIG.scan, MlConfig(), models=None).result
        in_session = [(each.symbol, each.score, each.contributions) for each in record.candidates]
        assert in_session == [(each.symbol, each.score, each.contributions) for each in scanned.candidates]
        assert [name for name, _ in record.candidates[0].contributions] == ["own_calm"]
        assert len(in_session) == 3
        assert {symbol for symbol, _, _ in in_session} != {each.symbol for each in plain.candidates}
        assert "own_risen" in " ".join(each.reason for each in scanned.exclusions.values())
        last = book.scans.last
        assert last is not None
        assert set(last.exclusions) >= {name for name, why in scanned.exclusions.items() if "own_risen" in why.reason}

    run(main)


def test_the_opening_account_holds_what_the_users_strategy_puts_first(tmp_path: Path) -> None:
    async def main() -> tuple[set[str], list[str]]:
        town = Town(tmp_path)
        async with town.desk() as opened:
            desk = own_desk(opened, tmp_path)
            book = await town.open_book(desk)
            scanned = run_scan(book.days, desk.config.scan, MlConfig(), models=None, own=desk.own).result
            return set(book.portfolio.positions), [each.symbol for each in scanned.candidates]

    held, ranked = run(main)
    assert held == set(ranked[: CONFIG.trade.opening_positions])


def test_models_of_before_that_day_speak_as_in_a_scan(history: History) -> None:
    sight = sight_of(history)
    assert sight.forecast is not None
    assert sight.forecast.models.trained_until < DAY
    whole = run_scan(history.grid, ScanConfig(), MlConfig())
    assert whole.forecast is not None
    for name, values in whole.forecast.values.items():
        assert np.isfinite(sight.forecast.values[name]).sum() > 400
        assert sight.forecast.values[name].tobytes() == values.tobytes() or name not in values


@pytest.mark.parametrize(
    ("scan", "day", "says"),
    [
        ({"model_weights": {"up_10": 0.0}}, DAY, "gives no model a weight"),
        ({"history_sessions": 100}, DAY, "features need 127"),
        ({"lookback_days": 100}, DAY, "looks back 69 sessions"),
        ({}, dt.date(2009, 8, 19), "no finished session"),
        ({}, dt.date(2010, 1, 15), "no model"),
    ],
)
def test_without_usable_models_scans_go_by_factors_and_say_why(
    history: History, scan: dict[str, object], day: dt.date, says: str
) -> None:
    sight = sight_of(history, day, **scan)
    assert sight.forecast is None
    assert says in sight.notes[0]


def test_an_unknown_model_is_refused_and_past_its_time_budget_the_scan_is_partial(history: History) -> None:
    with pytest.raises(ConfigError, match="up_11"):
        sight_of(history, model_weights={"up_11": 1.0})
    sight = sight_of(history, time_budget_ms=1e-6)
    session = CALENDAR.session(DAY)
    result = sight.scan(history.grid, None, session.close_ns, session)
    assert set(result.left_out) == {"return_5", "return_10", "up_10"}


def test_what_nobody_knows_of_a_symbol_is_empty() -> None:
    about = about_of({"A": About("Alpha", "Energy", "etf")}, ("A", "B"))
    assert (about.names, about.sectors, about.kinds) == (("Alpha", ""), ("Energy", ""), ("etf", "stock"))


async def chain(symbol: str, _deadline_ns: int) -> Outcome[tuple[object, ...]]:
    return nothing(Kind.NO_DATA, source="x", reason=f"{symbol} has no options then")


async def company(symbol: str, _deadline_ns: int) -> Outcome[Evidence]:
    return value_of(Evidence("fundamentals", symbol, "x", 0, Label.SIMULATED, (("pe_ratio", 9.0),)), source="x")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_closer_look_is_beside_the_session_and_moves_no_decision(tmp_path: Path, backend: str) -> None:
    async def lived(folder: Path, every_min: int) -> tuple[Book, list[CycleRecord]]:
        await anyio.Path(folder).mkdir()
        town = Town(folder)
        async with town.desk() as opened:
            scan = msgspec.structs.replace(CONFIG.scan, second_every_min=every_min)
            slow = partial(_slowly, opened)
            desk = replace(opened, config=msgspec.structs.replace(CONFIG, scan=scan), experts=Experts(chain, slow))
            book = await town.open_book(desk)
            await run_session(desk, book, lambda _done, _of, _note: None)
            return book, await desk.journal.read(queries.cycles)

    async def main() -> None:
        looked, records = await lived(tmp_path / "a", 5)
        plain, plain_records = await lived(tmp_path / "b", 0)
        assert records == plain_records
        assert looked.portfolio == plain.portfolio
        rows = rows_of(looked)
        assert rows[0].second["option_note"] == f"{rows[0].symbol} has no options then"
        assert rows[0].second["pe_ratio"] == 9.0
        assert rows_of(plain)[0].second == {}
        assert (news_of(looked).looked_ns > 0, news_of(plain).looked_ns) == (True, 0)
        assert sum(news_of(looked).look_missing.values()) == len(rows)

    run(main, backend)


async def _slowly(desk: Desk, symbol: str, deadline_ns: int) -> Outcome[Evidence]:
    await desk.clock.sleep_until(desk.clock.now_ns() + 2 * NS_PER_S)
    return await company(symbol, deadline_ns)


def test_new_entrants_are_told_once_also_after_a_restart(tmp_path: Path) -> None:
    town = Town(
        tmp_path, config=msgspec.structs.replace(CONFIG, scan=msgspec.structs.replace(CONFIG.scan, top=2, every_min=1))
    )

    async def main() -> None:
        book, _ = await day_in(town)
        told = [(each.symbol, each.as_of_ns) for each in book.scans.entrants]
        assert told
        assert len(set(told)) == len(told)
        news = news_of(book)
        assert [(each.symbol, each.as_of_ns) for each in reversed(news.entrants)] == told
        assert news.scored > 0
        async with town.desk() as desk:
            again = await town.open_book(desk)
            assert [(each.symbol, each.as_of_ns) for each in again.scans.entrants] == told

    run(main)
