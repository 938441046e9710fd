"""From a scan to signals: tape and news meet, and every symbol ends as a signal or a reason."""

from __future__ import annotations

import math

import anyio
import numpy as np

from tapeline.core.clock import LogicalClock, actor
from tapeline.core.config import SignalsConfig
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S, Headline, Label, Side, Vote
from tapeline.scan.result import Exclusion, ScanResult
from tapeline.signals.news import NewsRule, NewsSource
from tapeline.signals.stage import Decisions, form_signals

NOW_NS = 1_273_160_000 * NS_PER_S
SYMBOLS = ("UP", "DOWN", "CALM", "GONE")
PRESS = {"UP": "UP surges", "DOWN": "DOWN plunges in sell-off", "CALM": "CALM rallies", "GONE": "GONE crashes"}
REGIME: Outcome[str] = value_of("CHOP", source="regime")
RULE = NewsRule(86_400.0, 3_600.0)


def _scan() -> ScanResult:
    nan = math.nan
    factors = {
        "trend": [2.0, -1.5, 0.1, nan],
        "intraday": [1.2, -2.0, 0.1, nan],
        "momentum_21": [0.1, -0.1, 0.0, nan],
        "relative_volume": [1.6, 2.0, 1.0, nan],
    }
    price = np.array([10.0, 20.0, 30.0, nan])
    return ScanResult(
        as_of_ns=NOW_NS,
        symbols=SYMBOLS,
        candidates=(),
        asked=(),
        n_scored=3,
        scores=price,
        factors={name: np.array(column) for name, column in factors.items()},
        price=price,
        atr=price,
        freshness_s=price,
        exclusions={"GONE": Exclusion(Kind.STALE, "no bar in the newest session")},
    )


async def _decide(press: dict[str, str], given: dict[str, list[Outcome[Vote]]] | None = None) -> Decisions:
    async def fetch(symbol: str) -> Outcome[tuple[Headline, ...]]:
        if symbol not in press:
            return nothing(Kind.LIMITED, source="google_news", reason="limit reached")
        return value_of(
            (Headline(symbol, NOW_NS, press[symbol], "Wire", "https://news.example", Label.SIMULATED),),
            source="google_news",
        )

    clock = LogicalClock(NOW_NS)
    async with actor(clock):
        return await form_signals(_scan(), SYMBOLS, [NewsSource(fetch, RULE)], REGIME, SignalsConfig(), clock, given)


def test_agreeing_tape_and_news_make_signals_and_everybody_else_a_reason() -> None:
    decisions = anyio.run(_decide, PRESS)
    assert [(s.symbol, s.side) for s in decisions.signals] == [("UP", Side.BUY), ("DOWN", Side.SELL)]
    assert {s.regime for s in decisions.signals} == {"CHOP"}
    assert [symbol for symbol, _ in decisions.refused] == ["CALM", "GONE"]
    assert "no bar in the newest session" in dict(decisions.refused)["GONE"]


def test_news_that_cannot_be_asked_leaves_no_signal_however_clear_the_tape() -> None:
    decisions = anyio.run(_decide, {})
    assert decisions.signals == ()
    refused = dict(decisions.refused)
    assert all("limit" in refused[symbol] for symbol in ("UP", "DOWN"))


def test_news_is_asked_only_where_a_quorum_is_still_possible() -> None:
    refused = dict(anyio.run(_decide, {}).refused)
    assert "limit" not in refused["CALM"]
    assert "limit" not in refused["GONE"]


def test_deciding_twice_is_the_same_decision() -> None:
    assert anyio.run(_decide, PRESS) == anyio.run(_decide, PRESS, backend="trio")


def test_a_given_vote_counts_as_a_group_and_makes_it_worth_asking_the_others() -> None:
    thesis = Vote("thesis.dossier", "thesis", 0.8, 0.9, NOW_NS, "a dossier")
    decisions = anyio.run(_decide, PRESS, {"CALM": [value_of(thesis, source=thesis.source)]})
    signal = next(signal for signal in decisions.signals if signal.symbol == "CALM")
    assert [vote.group for vote in signal.votes] == ["news", "thesis"]
