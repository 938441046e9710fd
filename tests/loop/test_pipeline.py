"""A run from discovery to trade: as each ticker is found or phase by phase, with sources that work and that do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.loop.thinkers import LOOP, Thinkers
from tests.loop.town import OPEN_NS, Town, run

from tapeline.core.config import LoopConfig
from tapeline.core.types import Dossier
from tapeline.loop.board import LoopStatus
from tapeline.loop.desk import Book
from tapeline.loop.pages import dossier_of
from tapeline.loop.session import run_session
from tapeline.loop.show import Board
from tapeline.store import queries
from tapeline.store.batch import DossierRecord, StageEvent, StepRecord
from tapeline.store.journal import Journal
from tapeline.trade.portfolio import fold

BACKENDS = ("asyncio", "trio")


class Day:
    """A day in the town with its runs, and what it left."""

    book: Book
    status: LoopStatus
    dossiers: list[DossierRecord]
    stages: list[StageEvent]
    steps: list[StepRecord]

    def of(self, symbol: str) -> Dossier:
        """Return the dossier of a symbol."""
        return next(kept.dossier for kept in self.dossiers if kept.dossier.symbol == symbol)

    def stages_of(self, symbol: str) -> list[str]:
        """Return the stages of a symbol in their order."""
        (ticker,) = [ticker for ticker in self.status.tickers if ticker.symbol == symbol]
        return [stage for stage, _ in ticker.history]


def live(town: Town, backend: str = "asyncio") -> Day:
    """Live through the day and read what it left."""
    day = Day()

    async def main() -> None:
        board = Board(town.config)
        async with town.desk() as desk:
            day.book = await town.open_book(desk)
            await run_session(desk, day.book, lambda _done, _of, _note: None, board)
        day.status = board.loop_status()
        async with await Journal.open(town.folder / "journal.duckdb") as journal:
            day.dossiers = await journal.read(queries.dossiers)
            day.stages = await journal.read(queries.stage_events)
            day.steps = await journal.read(queries.evidence_steps)
            assert day.book.portfolio == fold(town.config.trade.initial_cash, await journal.read_ledger())

    run(main, backend)
    return day


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Thinkers, Day]:
    """A streaming run with three slots in which everything works."""
    thinkers = Thinkers()
    return thinkers, live(thinkers.town(tmp_path_factory.mktemp("calm")))


def test_every_slot_ends_in_a_dossier_and_the_trader_decides_on_each(calm: tuple[Thinkers, Day]) -> None:
    _, day = calm
    assert len(day.dossiers) == day.book.tally.dossiers == LOOP.max_tickers
    traded = [symbol for symbol, stage in day.status.ticker_status.items() if stage == "traded"]
    assert sorted(traded) == sorted(kept.dossier.symbol for kept in day.dossiers)
    path = ["discovered", "queued", "collecting", "collected", "analyzing", "analyzed", "trading", "traded"]
    assert all(day.stages_of(symbol) == path for symbol in traded)
    others = {stage for symbol, stage in day.status.ticker_status.items() if symbol not in traded}
    assert others <= {"skipped"}
    assert day.status.counters == {"discovered": len(day.status.tickers), "collected": 3, "analyzed": 3, "traded": 0}
    assert (day.status.running, day.status.phase, day.status.phases) == (False, "done", {"pipeline": "done"})


def test_what_is_missing_by_choice_is_said_once_and_is_no_error(calm: tuple[Thinkers, Day]) -> None:
    _, day = calm
    assert day.status.degraded == ("YouTube is off",)
    assert day.book.tally.degraded == ["YouTube is off"]
    assert day.book.tally.errors == []


def test_a_ticker_is_collected_while_others_are_still_found(calm: tuple[Thinkers, Day]) -> None:
    thinkers, day = calm
    first = min(thinkers.times[key] for key in thinkers.times if key.startswith("collect"))
    assert first < thinkers.times["talked"]
    collecting = [event.event_ns for event in day.stages if event.stage == "analyzing"]
    collected = [event.event_ns for event in day.stages if event.stage == "collected"]
    assert min(collecting) < max(collected)


def test_the_journal_has_every_step_and_every_stage_once(calm: tuple[Thinkers, Day]) -> None:
    _, day = calm
    assert len(day.steps) == 12 * LOOP.max_tickers
    assert {kept.run_id for kept in day.dossiers} == {event.run_id for event in day.stages} == {day.steps[0].run_id}
    moments = {(event.symbol, event.stage): event.event_ns for event in day.stages}
    assert len(moments) == len(day.stages)
    for ticker in day.status.tickers:
        assert [moments[ticker.symbol, stage] for stage, _ in ticker.history] == [ns for _, ns in ticker.history]
    assert ("", "started") in moments
    assert ("", "finished") in moments


def test_a_dossier_is_shown_as_soon_as_it_is_written_before_a_decision_looks_at_it(calm: tuple[Thinkers, Day]) -> None:
    _, day = calm
    made = {kept.dossier.symbol: kept.dossier for kept in day.dossiers}
    assert day.book.written == made
    undecided = replace(day.book, arrived=[], dossiers={})
    assert all(dossier_of(undecided, symbol) == dossier for symbol, dossier in made.items())


def test_a_dossier_is_not_read_before_it_was_ready(calm: tuple[Thinkers, Day]) -> None:
    _, day = calm
    moments = {(event.symbol, event.stage): event.event_ns for event in day.stages}
    for kept in day.dossiers:
        assert kept.dossier.as_of_ns < kept.ready_ns < moments[kept.dossier.symbol, "traded"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_two_runs_leave_the_same(tmp_path: Path, calm: tuple[Thinkers, Day], backend: str) -> None:
    day = live(Thinkers().town(tmp_path), backend)
    for name in ("dossiers", "stages", "steps"):
        assert repr(getattr(day, name)) == repr(getattr(calm[1], name))


def test_phase_by_phase_the_parts_are_the_same_and_it_takes_longer(tmp_path: Path, calm: tuple[Thinkers, Day]) -> None:
    loop = msgspec.structs.replace(LOOP, mode="sequential")
    day = live(Thinkers().town(tmp_path, loop))
    assert day.book.tally.dossiers == LOOP.max_tickers
    assert day.status.phases == dict.fromkeys(("discovery", "collection", "analysis", "trading"), "done")
    ends = {
        stage: [e.event_ns for e in day.stages if e.stage == stage and e.symbol] for stage in ("queued", "collected")
    }
    begins = {stage: [e.event_ns for e in day.stages if e.stage == stage] for stage in ("collecting", "analyzing")}
    assert max(ends["queued"]) <= min(begins["collecting"])
    assert max(ends["collected"]) <= min(begins["analyzing"])

    def thought_s(one: Day) -> float:
        """Seconds of the market from the start of the run to its last dossier."""
        began_ns = next(event.event_ns for event in one.stages if event.stage == "started")
        return (max(kept.ready_ns for kept in one.dossiers) - began_ns) / 1e9

    assert thought_s(calm[1]) < thought_s(day)


def test_a_shut_gate_gives_the_slot_to_the_next(tmp_path: Path) -> None:
    thinkers = Thinkers(talk=("FFF", "EEE", "DDD", "BBB"), nameless=frozenset({"FFF", "EEE"}))
    day = live(thinkers.town(tmp_path, msgspec.structs.replace(LOOP, max_tickers=2)))
    assert len(day.dossiers) == 2
    assert not {"FFF", "EEE"} & {kept.dossier.symbol for kept in day.dossiers}
    assert day.stages_of("FFF")[-1] == "skipped"
    assert "no fundamentals" in next(t.detail for t in day.status.tickers if t.symbol == "FFF")
    assert day.book.tally.errors == []


def test_a_ticker_that_stalls_is_given_up_and_the_others_go_on(tmp_path: Path) -> None:
    thinkers = Thinkers(stalled=frozenset({"FFF"}))
    day = live(thinkers.town(tmp_path))
    assert "fundamentals" in next(t.detail for t in day.status.tickers if t.symbol == "FFF")
    assert len(day.dossiers) == LOOP.max_tickers
    assert any("no answer within" in error for error in day.book.tally.errors)


def test_dead_talk_is_said_and_what_the_scan_and_the_account_know_goes_on(tmp_path: Path) -> None:
    day = live(Thinkers(broken=frozenset({"talk"})).town(tmp_path))
    assert "reddit: /r/stocks/hot answered 500" in day.status.degraded
    assert day.book.tally.errors == ["reddit: /r/stocks/hot answered 500"]
    assert len(day.dossiers) >= 2


def test_dead_news_is_said_in_the_loop_and_in_every_dossier(tmp_path: Path) -> None:
    day = live(Thinkers(broken=frozenset({"news"})).town(tmp_path))
    assert "google_news: its breaker is open" in day.status.degraded
    assert len(day.dossiers) == LOOP.max_tickers
    assert all(any("its breaker is open" in gap for gap in kept.dossier.degraded) for kept in day.dossiers)
    assert day.book.tally.errors == ["google_news: its breaker is open"]


def test_dead_fundamentals_shut_every_gate_which_is_said_and_the_day_goes_on(tmp_path: Path) -> None:
    day = live(Thinkers(broken=frozenset({"fundamentals"})).town(tmp_path))
    assert day.dossiers == []
    assert day.book.tally.errors == ["yahoo: no answer"]
    assert "tickers are skipped for want of company figures: yahoo fails" in day.status.degraded
    assert "yahoo: no answer" in day.status.degraded
    assert day.status.running is False
    assert day.book.tally.fills == 2  # as on a day without a run


def test_a_dead_model_leaves_the_rules_and_is_an_error_of_the_node(tmp_path: Path) -> None:
    day = live(Thinkers(broken=frozenset({"model"})).town(tmp_path))
    assert len(day.dossiers) == LOOP.max_tickers
    assert all(kept.dossier.model_part == 0.0 for kept in day.dossiers)
    assert all(any("connection refused" in gap for gap in kept.dossier.degraded) for kept in day.dossiers)
    assert "the language model does not answer, rules decide: connection refused" in day.status.degraded
    assert set(day.book.tally.errors) == {"llm: connection refused"}


def test_a_model_that_babbles_is_the_dossiers_affair(tmp_path: Path) -> None:
    day = live(Thinkers(broken=frozenset({"words"})).town(tmp_path))
    assert day.book.tally.errors == []
    assert day.status.degraded == ("YouTube is off",)
    assert all(any("it holds no JSON" in gap for gap in kept.dossier.degraded) for kept in day.dossiers)


def test_a_model_counts_its_calls(calm: tuple[Thinkers, Day]) -> None:
    thinkers, day = calm
    assert day.book.tally.llm_calls == thinkers.seen["ask"] == sum(kept.dossier.llm_calls for kept in day.dossiers)


def test_a_narrow_queue_to_the_trader_holds_the_analysts_and_loses_nothing(tmp_path: Path) -> None:
    loop = LoopConfig(max_tickers=5, start_min=2, collectors=3, analysts=2, trade_queue=1, analyse_queue=1)
    thinkers = Thinkers(talk=("FFF", "EEE", "DDD", "CCC", "BBB"), collect_s=0.5, answer_s=0.1)
    day = live(thinkers.town(tmp_path, loop))
    assert len(day.dossiers) == 5
    assert len([event for event in day.stages if event.stage == "traded"]) == 5
    assert len({event.event_ns for event in day.stages if event.stage == "traded"}) >= 2
    assert min(event.event_ns for event in day.stages) >= OPEN_NS
