"""A chain of sources: the first answer counts, and says whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import numpy as np
import pytest
from tests.feed.test_poller import CALENDAR, CONFIG, SYMBOLS, _minutes
from tests.feed.worlds import OPEN_NS, run

from tapeline.core.clock import LogicalClock
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import MINUTE_S, BarFrame, Label
from tapeline.feed.chain import SourceChain
from tapeline.feed.http import Refusal
from tapeline.feed.poller import Poller


class Source:
    """Answers with one bar of each symbol at the start, or with the given outcome for some symbols."""

    def __init__(self, name: str, fails: dict[str, Outcome[Any]] | None = None) -> None:
        self.name, self.feed = name, f"{name}-feed"
        self.requests = self.pages = 0
        self.fails = fails or {}

    async def fetch_bars(
        self,
        symbols: Sequence[str],
        start_ns: int,
        end_ns: int,
        timeframe: str = "1Min",
        *,
        deadline_ns: int | None = None,
    ) -> Outcome[BarFrame]:
        self.requests += 1
        for symbol in symbols:
            if symbol in self.fails:
                return self.fails[symbol]
        self.pages += 1
        one = np.ones(len(symbols))
        starts = np.full(len(symbols), start_ns)
        frame = BarFrame(
            MINUTE_S, self.feed, Label.REAL, end_ns, tuple(symbols), starts, one, one, one, one, one, one, one
        )
        return value_of(frame, source=self.name)


def _limited() -> Outcome[Any]:
    return nothing(Kind.LIMITED, source="first", reason="its breaker is open")


def _fetch(first: Source, second: Source) -> tuple[Outcome[BarFrame], SourceChain]:
    chain = SourceChain([first, second])
    return anyio.run(chain.fetch_bars, ("A",), 0, 60), chain


def test_the_first_choice_answers_and_nobody_else_is_asked() -> None:
    first, second = Source("first"), Source("second")
    outcome, chain = _fetch(first, second)
    assert (outcome.source, outcome.unwrap().feed, second.requests) == ("first", "first-feed", 0)
    assert chain.substituted == {}
    assert (chain.name, chain.feed, chain.requests, chain.pages) == ("first", "first-feed", 1, 1)


def test_a_substitute_answers_under_its_own_name() -> None:
    outcome, chain = _fetch(Source("first", {"A": _limited()}), Source("second"))
    assert (outcome.source, outcome.unwrap().feed) == ("second", "second-feed")
    assert chain.substituted == {"second": 1}
    assert chain.requests == 2


def test_without_any_answer_the_first_reason_counts() -> None:
    other: Outcome[Any] = nothing(Kind.ERROR, source="second", reason="down")
    outcome, _ = _fetch(Source("first", {"A": _limited()}), Source("second", {"A": other}))
    assert outcome.reason == "its breaker is open"


@pytest.mark.parametrize("word", [Refusal(Kind.ERROR, "first", None, "invalid symbol"), None])
def test_a_wrong_question_or_no_data_is_not_asked_elsewhere(word: Outcome[Any] | None) -> None:
    second = Source("second")
    outcome, _ = _fetch(Source("first", {"A": word or nothing(Kind.NO_DATA, source="first", reason="none")}), second)
    assert (outcome.source, second.requests) == ("first", 0)


def test_a_chain_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody to ask"):
        SourceChain([])


def test_the_poller_keeps_the_feeds_apart_and_moves_on() -> None:
    async def main(clock: LogicalClock) -> None:
        chain = SourceChain([Source("first", {"C": _limited()}), Source("second")])
        poller = Poller(chain, SYMBOLS, clock=clock, calendar=CALENDAR, config=CONFIG, since_ns=OPEN_NS)
        (report,) = await _minutes(poller, clock, 1)
        assert [(frame.feed, frame.symbols) for frame in report.frames] == [
            ("first-feed", ("A", "B", "E")),
            ("second-feed", ("C", "D")),
        ]
        assert report.missing == ()
        assert report.alerts == ("first does not answer for 2 symbols: they come from second-feed",)
        assert poller.covered_ns == report.frame.as_of_ns

    run(main)
