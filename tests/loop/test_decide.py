"""One decision: a function of the book that books nothing, and a record that says why."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest
from tests.loop.town import CONFIG, MINUTE_NS, OPEN_NS, Town, run

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import Dossier, Label, Position, Side, Vote
from tapeline.loop.decide import Counted, decide
from tapeline.loop.desk import Book, Desk, Tally
from tapeline.loop.session import run_minute
from tapeline.store import queries
from tapeline.store.batch import DossierRecord

DELAY_NS = round(CONFIG.feed.publish_delay_s * 1e9)
AS_OF_NS = OPEN_NS + 5 * MINUTE_NS
NEVER = msgspec.structs.replace(CONFIG, scan=msgspec.structs.replace(CONFIG.scan, every_min=1_000))


def at_minute_5(town: Town, main: Callable[[Desk, Book], Awaitable[None]]) -> None:
    """Run ``main`` with the book of five minutes in which no scan was made; AAA's stop has been ordered."""

    async def outer() -> None:
        async with town.desk() as desk:
            book = await town.open_book(desk)
            for minute in range(1, 6):
                await desk.clock.sleep_until(OPEN_NS + minute * MINUTE_NS + DELAY_NS)
                await run_minute(replace(desk, config=NEVER), book, OPEN_NS + minute * MINUTE_NS)
            await main(desk, book)

    run(outer)


def test_with_a_scan_the_record_holds_what_was_seen_and_chosen(tmp_path: Path) -> None:
    async def main(desk: Desk, book: Book) -> None:
        record = await decide(desk, book, AS_OF_NS, with_scan=True)
        assert (record.as_of_ns, record.cycle_id) == (AS_OF_NS, f"cycle@{AS_OF_NS}")
        assert len(record.candidates) == CONFIG.scan.top
        assert {signal.symbol for signal in record.signals} == {"BBB", "CCC"}
        assert [(o.symbol, o.side, o.reason) for o in record.orders] == [("CCC", Side.BUY, "signal")]
        assert record.orders[0].created_ns == desk.clock.now_ns() > AS_OF_NS + DELAY_NS
        assert ("BBB", "already held; nothing is added") in record.refused
        assert record.cash == book.portfolio.cash
        assert record.equity == book.portfolio.equity(book.prices).unwrap()
        assert record.regime == book.regime.unwrap()
        assert book.tally.candidates == {candidate.symbol for candidate in record.candidates}

    at_minute_5(Town(tmp_path), main)


def test_without_a_scan_only_stops_and_targets_are_looked_at_and_nobody_is_asked(tmp_path: Path) -> None:
    async def main(desk: Desk, book: Book) -> None:
        asked = desk.vendors.gateway.stats["google.news"].requests
        book.prices["BBB"] *= 1.5
        record = await decide(desk, book, AS_OF_NS, with_scan=False)
        assert (record.candidates, record.signals) == ((), ())
        assert [(order.symbol, order.reason) for order in record.orders] == [("BBB", "target")]
        assert desk.vendors.gateway.stats["google.news"].requests == asked
        assert book.tally.scan_ms == []

    at_minute_5(Town(tmp_path), main)


def test_a_decision_books_nothing(tmp_path: Path) -> None:
    async def main(desk: Desk, book: Book) -> None:
        before = book.portfolio, dict(book.prices), await desk.journal.read(queries.counts)
        first = await decide(desk, book, AS_OF_NS, with_scan=True)
        assert (book.portfolio, book.prices, await desk.journal.read(queries.counts)) == before
        again = await decide(desk, book, AS_OF_NS, with_scan=True)
        assert [order.order_id for order in again.orders] == [order.order_id for order in first.orders]
        assert again.signals == first.signals

    at_minute_5(Town(tmp_path), main)


def test_a_position_without_a_price_has_no_equity_and_makes_no_entry(tmp_path: Path) -> None:
    async def main(desk: Desk, book: Book) -> None:
        positions = {**book.portfolio.positions, "XXX": Position("XXX", 5.0, 10.0)}
        book.portfolio = replace(book.portfolio, positions=positions)
        record = await decide(desk, book, AS_OF_NS, with_scan=True)
        assert math.isnan(record.equity)
        assert [order.side for order in record.orders if order.side is Side.BUY] == []
        assert ("XXX", "no price: stop and target can not be judged") in record.refused

    at_minute_5(Town(tmp_path), main)


def test_a_source_that_fails_is_an_error_of_the_day_and_no_opinion(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.is_down = lambda path, _params, _now_ns: path == "/rss/search"

    async def main(desk: Desk, book: Book) -> None:
        record = await decide(desk, book, AS_OF_NS, with_scan=True)
        assert (record.signals, record.orders) == ((), ())
        assert len(book.tally.errors) == len(book.tally.degraded) == 1
        assert book.tally.errors[0].startswith("google.news: /rss/search answered 500")
        assert sum(book.tally.failures.counts.values()) == CONFIG.scan.top
        assert len(record.refused) == CONFIG.scan.top

    at_minute_5(town, main)


def kept_dossier(symbol: str, conviction: float, action: str) -> DossierRecord:
    """Return a dossier that was ready at minute 4."""
    dossier = Dossier(
        dossier_id=f"d-{symbol}",
        symbol=symbol,
        as_of_ns=AS_OF_NS - 2 * MINUTE_NS,
        conviction=conviction,
        prior=conviction,
        model_part=0.0,
        action=action,
        price=50.0,
        atr=1.0,
        scorecard=(),
        flags=(),
        answers=(),
        summary="a summary",
        bull="a bull",
        bear="a bear",
        catalysts=(),
        degraded=(),
        model="",
        llm_calls=0,
        label=Label.SIMULATED,
    )
    return DossierRecord("run@1", AS_OF_NS - MINUTE_NS, dossier)


@pytest.mark.parametrize(
    ("conviction", "action", "ordered"), [(0.95, "buy", ["CCC"]), (0.5, "hold", []), (0.05, "sell", [])]
)
def test_a_fresh_dossier_and_the_tape_make_an_order_between_two_scans_where_they_agree(
    tmp_path: Path, conviction: float, action: str, ordered: list[str]
) -> None:
    town = Town(tmp_path)
    town.market.titles.clear()  # the press is silent, so the tape alone is no quorum

    async def main(desk: Desk, book: Book) -> None:
        book.dossiers["CCC"] = kept_dossier("CCC", conviction, action)
        assert (await decide(desk, book, AS_OF_NS, with_scan=False)).orders == ()
        record = await decide(desk, book, AS_OF_NS, with_scan=False, fresh=("CCC",))
        assert [order.symbol for order in record.orders] == ordered
        assert [candidate.symbol for candidate in record.candidates] == ["CCC"]
        spoken = [vote.group for signal in record.signals for vote in signal.votes]
        assert set(spoken) == ({"tape", "thesis"} if ordered else set())

    at_minute_5(town, main)


def test_a_dossier_of_hours_ago_still_votes_and_its_symbol_is_looked_at_though_no_candidate(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.market.titles.clear()

    async def main(desk: Desk, book: Book) -> None:
        first = await decide(desk, book, AS_OF_NS, with_scan=True)
        assert first.signals == ()
        unseen = sorted(set(book.symbols) - {name for name, _ in first.refused})
        for symbol in ("CCC", *unseen):
            kept = kept_dossier(symbol, 0.95, "buy")
            old = replace(kept.dossier, as_of_ns=AS_OF_NS - 200 * MINUTE_NS)
            book.dossiers[symbol] = replace(kept, dossier=old)
        record = await decide(desk, book, AS_OF_NS, with_scan=True)
        assert {vote.group for signal in record.signals for vote in signal.votes} == {"tape", "thesis"}
        assert "CCC" in {signal.symbol for signal in record.signals}
        looked_at = {signal.symbol for signal in record.signals} | {name for name, _ in record.refused}
        assert unseen
        assert set(unseen) <= looked_at

    at_minute_5(town, main)


@dataclass(frozen=True)
class _Source:
    """Answers what it was told to."""

    answer: Outcome[Vote]
    name: str = "news.headlines"
    group: str = "news"

    async def vote(self, symbol: str, as_of_ns: int) -> Outcome[Vote]:
        return self.answer


VOTE = Vote("news.headlines", "news", 0.5, 0.5, 1, "because")


@pytest.mark.parametrize(
    ("answer", "errors"),
    [
        (value_of(VOTE, source="news.headlines"), []),
        (nothing(Kind.NO_DATA, source="news.headlines", reason="none"), []),
        (nothing(Kind.STALE, source="news.headlines", reason="old"), []),
        (nothing(Kind.ABSTAINED, source="news.headlines", reason="mixed"), []),
        (nothing(Kind.ERROR, source="news.headlines", reason="broken"), ["google.news: broken"]),
        (nothing(Kind.LIMITED, source="news.headlines", reason="full"), ["google.news: full"]),
    ],
)
def test_a_counted_source_notes_failures_and_changes_nothing(answer: Outcome[Vote], errors: list[str]) -> None:
    tally = Tally()
    counted = Counted(_Source(answer), tally, "google.news")

    async def ask() -> Outcome[Vote]:
        return await counted.vote("AAA", 1)

    assert run(ask) is answer
    assert tally.errors == errors
    assert (counted.name, counted.group) == ("news.headlines", "news")
