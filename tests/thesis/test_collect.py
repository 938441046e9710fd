"""The twelve steps: together, each with its own outcome; and the gate, which reads content."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from tests.thesis.markets import BACKENDS, NOW_NS, answers, evidence_of, fails, prices_of, run, walk

from tapeline.core.clock import LogicalClock, sleep_s
from tapeline.core.config import ThesisConfig
from tapeline.core.errors import Unavailable
from tapeline.core.outcome import Kind, Outcome, value_of
from tapeline.core.types import NS_PER_S, Evidence, Label, Passage
from tapeline.thesis.collect import STEPS, Collected, Sources, collect, degraded, gate
from tapeline.thesis.prices import PriceHistory

COMPANY = evidence_of("fundamentals", ("pe_ratio", 15.0), ("eps_usd", math.nan))
CONFIG = ThesisConfig()


def _collect(
    sources: Sources, prices: PriceHistory | None = None, *, deadline_s: float = 10.0, backend: str = "asyncio"
) -> tuple[Collected, int]:
    """Return what was collected, and when it was done, in nanoseconds after the start."""

    async def main(clock: LogicalClock) -> tuple[Collected, int]:
        known = prices if prices is not None else prices_of(walk(120))
        return await collect("AAPL", known, sources, clock, deadline_s), clock.now_ns() - NOW_NS

    return run(main, backend=backend)


def _all(clock: LogicalClock, after_s: float) -> Sources:
    names = [field.name for field in fields(Sources)]
    return Sources(**{name: answers(evidence_of(name, ("x", 1.0)), after_s, clock) for name in names})


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_sources_are_asked_at_once(backend: str) -> None:
    async def main(clock: LogicalClock) -> tuple[Collected, int]:
        collected = await collect("AAPL", prices_of(walk(120)), _all(clock, 2.0), clock, 10.0)
        return collected, clock.now_ns()

    collected, done_ns = run(main, backend=backend)
    assert tuple(collected.steps) == STEPS
    assert all(outcome.is_value for outcome in collected.steps.values())
    assert done_ns - NOW_NS == 2 * NS_PER_S
    assert (collected.symbol, collected.as_of_ns) == ("AAPL", NOW_NS)


def test_nobody_configured_is_said_and_is_no_degradation() -> None:
    collected, _ = _collect(Sources())
    assert collected.steps["fundamentals"].reason == "no source is configured"
    assert collected.steps["price_history"].is_value
    assert degraded(collected) == ()


def test_one_dead_source_is_its_own_error_and_the_rest_goes_on() -> None:
    collected, _ = _collect(Sources(fundamentals=answers(COMPANY), youtube=fails()))
    assert collected.steps["youtube"].kind is Kind.ERROR
    assert collected.fact("fundamentals", "pe_ratio") == 15.0
    assert degraded(collected) == ("youtube: source error: it is dead",)
    assert gate(collected, CONFIG) == ()


@pytest.mark.parametrize("error", [Unavailable("the door is shut"), ConnectionResetError("gone")])
def test_an_error_of_the_world_that_is_raised_becomes_an_outcome(error: Exception) -> None:
    async def fetch(_symbol: str, _deadline_ns: int) -> Outcome[Evidence]:
        raise error

    collected, _ = _collect(Sources(news=fetch))
    assert collected.steps["news"].kind is Kind.ERROR
    assert str(error) in collected.steps["news"].reason


def test_a_bug_is_raised() -> None:
    async def fetch(_symbol: str, _deadline_ns: int) -> Outcome[Evidence]:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        _collect(Sources(news=fetch))
    assert caught.group_contains(ZeroDivisionError)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_source_that_stalls_is_given_up_at_the_deadline(backend: str) -> None:
    async def main(clock: LogicalClock) -> tuple[Collected, int]:
        async def stall(_symbol: str, _deadline_ns: int) -> Outcome[Evidence]:
            await sleep_s(clock, 1e6)
            raise AssertionError("it was not given up")

        sources = replace(_all(clock, 0.5), cashflow=stall)
        return await collect("AAPL", prices_of(walk(120)), sources, clock, 3.0), clock.now_ns() - NOW_NS

    collected, took_ns = run(main, backend=backend)
    assert took_ns == 3 * NS_PER_S
    assert collected.steps["cashflow"].reason == "no answer within 3 s"
    assert [step for step, outcome in collected.steps.items() if not outcome.is_value] == ["cashflow"]


def test_sources_are_told_the_deadline() -> None:
    told: list[int] = []

    async def fetch(_symbol: str, deadline_ns: int) -> Outcome[Evidence]:
        told.append(deadline_ns)
        return value_of(COMPANY, source="source")

    _collect(Sources(fundamentals=fetch), deadline_s=7.0)
    assert told == [NOW_NS + 7 * NS_PER_S]


def test_without_prices_the_steps_that_need_them_say_so() -> None:
    collected, _ = _collect(Sources(), prices_of(np.zeros(0)))
    for step in ("technicals", "risk_metrics"):
        assert collected.steps[step].reason == "it needs price_history, which has nothing"


def _passage(event_ns: int, label: Label) -> Passage:
    return Passage("source", event_ns, f"said at {event_ns}", "", label)


HEADLINES = evidence_of("news", ("headlines_count", 2.0), passages=(_passage(9, Label.REAL), _passage(3, Label.REAL)))
FILINGS = evidence_of("news", ("filings_count", 1.0), passages=(_passage(5, Label.SIMULATED),))


def test_headlines_and_filings_are_one_step_newest_first() -> None:
    collected, _ = _collect(Sources(news=answers(HEADLINES), filings=answers(FILINGS)))
    news = collected.steps["news"].unwrap()
    assert [passage.event_ns for passage in news.passages] == [9, 5, 3]
    assert news.facts == (("headlines_count", 2.0), ("filings_count", 1.0))
    assert (news.source, news.label) == ("source+source", Label.SIMULATED)
    assert collected.partial == ()


@pytest.mark.parametrize(("kind", "lacks"), [(Kind.ERROR, 1), (Kind.LIMITED, 1), (Kind.STALE, 0), (Kind.NO_DATA, 0)])
def test_a_step_that_lacks_one_of_two_sources_has_the_other_and_says_so(kind: Kind, lacks: int) -> None:
    collected, _ = _collect(Sources(news=fails(kind), filings=answers(FILINGS)))
    assert collected.steps["news"].unwrap() == FILINGS
    assert degraded(collected) == (f"news: source {kind}: it is dead",) * lacks


def test_news_without_either_source_tell_of_the_one_that_failed() -> None:
    collected, _ = _collect(Sources(news=fails(Kind.NO_DATA), filings=fails(Kind.ERROR, "shut")))
    assert (collected.steps["news"].kind, collected.steps["news"].reason) == (Kind.ERROR, "shut")


Change = Callable[[Collected], Collected]


def _with(step: str, outcome: Outcome[Evidence]) -> Change:
    return lambda collected: replace(collected, steps={**collected.steps, step: outcome})


def _prices(**facts: float) -> Outcome[Evidence]:
    plain = {"bars_count": 120.0, "close_usd": 10.0, "last_bar_age_days": 0.5}
    return value_of(evidence_of("price_history", *(plain | facts).items()), source="tape")


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (lambda collected: collected, ()),
        (_with("price_history", _prices(bars_count=59.0)), ("59 daily bars, 60 are needed",)),
        (_with("price_history", _prices(bars_count=60.0)), ()),
        (_with("price_history", _prices(bars_count=0.0)), ("no prices: no bar has a price",)),
        (_with("price_history", _prices(close_usd=math.nan)), ("no prices: no bar has a price",)),
        (_with("price_history", _prices(last_bar_age_days=9.2)), ("its last daily bar is 9 days old",)),
        (
            _with("fundamentals", value_of(evidence_of("fundamentals", ("pe_ratio", math.nan)), source="yahoo")),
            ("no fundamentals: not one of its core figures is known",),
        ),
        (
            _with("fundamentals", value_of(evidence_of("fundamentals", ("current_ratio", 2.0)), source="yahoo")),
            ("no fundamentals: not one of its core figures is known",),
        ),
        (
            _with("fundamentals", Outcome(Kind.ERROR, "yahoo", None, "it is dead")),
            ("no fundamentals: it is dead",),
        ),
    ],
)
def test_the_gate_reads_content(change: Change, reasons: tuple[str, ...]) -> None:
    collected, _ = _collect(Sources(fundamentals=answers(COMPANY)))
    assert gate(change(collected), CONFIG) == reasons


def test_the_gate_tells_every_reason() -> None:
    collected, _ = _collect(Sources(), prices_of(np.zeros(0)))
    assert gate(collected, CONFIG) == (
        "no prices: no daily bar in the book",
        "no fundamentals: no source is configured",
    )
    assert gate(Collected("AAPL", NOW_NS, {}), CONFIG) == (
        "no prices: it was not collected",
        "no fundamentals: it was not collected",
    )


def test_the_same_inputs_collect_the_same() -> None:
    def once() -> str:
        async def main(clock: LogicalClock) -> str:
            return repr(await collect("AAPL", prices_of(walk(120)), _all(clock, 1.0), clock, 10.0))

        return run(main)

    assert once() == once()
