"""Talk, companies and a language model for the town, each with a pace of its own on the logical clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from tests.loop.town import CONFIG, Town
from tests.thesis.dossiers import fill

from tapeline.core.clock import LogicalClock, sleep_s
from tapeline.core.config import Config, LoopConfig
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import Evidence, Label
from tapeline.loop.research import Research
from tapeline.thesis.collect import Sources
from tapeline.thesis.discovery import Hear, Place, Text

T = TypeVar("T", bound=msgspec.Struct)

LOOP = LoopConfig(max_tickers=3, start_min=3, collectors=2, analysts=1, ticker_timeout_s=60.0)


def with_loop(loop: LoopConfig = LOOP) -> Config:
    """Return the town's settings with runs."""
    return msgspec.structs.replace(CONFIG, loop=loop)


@dataclass
class Thinkers:
    """Whom a run in the town asks, and what it asked.

    Attributes
    ----------
    talk
        Tickers in the order in which they are talked about, one text every ``talk_s`` seconds.
    nameless
        Symbols of which no company data exists: their gate is shut.
    stalled
        Symbols whose company data never comes.
    broken
        Parts that fail: ``"talk"``, ``"fundamentals"``, ``"news"``, ``"model"``; ``"words"``: the model babbles.
    """

    talk: tuple[str, ...] = ("FFF", "EEE", "DDD", "CCC")
    talk_s: float = 2.0
    collect_s: float = 5.0
    answer_s: float = 1.0
    stance_pct: int = 100
    nameless: frozenset[str] = frozenset()
    stalled: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    seen: Counter[str] = field(default_factory=Counter)
    times: dict[str, float] = field(default_factory=dict)

    def research(self, clock: LogicalClock) -> Research:
        """Return them as the desk has them."""
        sources = Sources(fundamentals=self._fundamentals(clock), news=self._news(clock))
        return Research((_Talk(self, clock),), sources, _Model(self, clock), (("youtube", "YouTube is off"),))

    def town(self, folder: Any, loop: LoopConfig = LOOP) -> Town:
        """Return a town in which they live."""
        return Town(folder, config=with_loop(loop), research=self.research)

    def _fundamentals(self, clock: LogicalClock) -> Callable[[str, int], Awaitable[Outcome[Evidence]]]:
        async def fetch(symbol: str, _deadline_ns: int) -> Outcome[Evidence]:
            self.seen[f"collect {symbol}"] += 1
            self.times.setdefault(f"collect {symbol}", clock.now_ns() / 1e9)
            await sleep_s(clock, 1e6 if symbol in self.stalled else self.collect_s)
            if "fundamentals" in self.broken:
                return nothing(Kind.ERROR, source="yahoo", reason="no answer")
            if symbol in self.nameless:
                return nothing(Kind.NO_DATA, source="yahoo", reason="no such company")
            facts = {"pe_ratio": 10.0, "revenue_growth_pct": 30.0, "profit_margin_pct": 40.0, "market_cap_usd": 1e9}
            evidence = Evidence("fundamentals", symbol, "yahoo", clock.now_ns(), Label.SIMULATED, tuple(facts.items()))
            return value_of(evidence, source="yahoo", as_of_ns=clock.now_ns())

        return fetch

    def _news(self, clock: LogicalClock) -> Callable[[str, int], Awaitable[Outcome[Evidence]]]:
        async def fetch(_symbol: str, _deadline_ns: int) -> Outcome[Evidence]:
            await sleep_s(clock, 0.5)
            kind = Kind.LIMITED if "news" in self.broken else Kind.NO_DATA
            return nothing(kind, source="google_news", reason="its breaker is open")

        return fetch


@dataclass
class _Talk:
    thinkers: Thinkers
    clock: LogicalClock
    name: str = "reddit"

    async def read(self, hear: Hear) -> tuple[Outcome[int], ...]:
        if "talk" in self.thinkers.broken:
            await sleep_s(self.clock, 1.0)
            return (nothing(Kind.ERROR, source="reddit", reason="/r/stocks/hot answered 500"),)
        for number, symbol in enumerate(self.thinkers.talk):
            await sleep_s(self.clock, self.thinkers.talk_s)
            words = f"${symbol} to the moon, said number {number}"
            await hear([Text("reddit", f"t{number}", Place.TITLE, self.clock.now_ns(), words, f"person{number}")])
        self.thinkers.times["talked"] = self.clock.now_ns() / 1e9
        return (value_of(len(self.thinkers.talk), source="reddit"),)


@dataclass
class _Model:
    thinkers: Thinkers
    clock: LogicalClock
    name: str = "toy"
    max_context_tokens: int = 600
    max_answer_tokens: int = 160

    async def ask(self, system: str, user: str, schema: type[T], *, max_tokens: int | None = None) -> Outcome[T]:
        await sleep_s(self.clock, self.thinkers.answer_s)
        self.thinkers.seen["ask"] += 1
        if "model" in self.thinkers.broken:
            return nothing(Kind.ERROR, source="llm", reason="connection refused")
        if "words" in self.thinkers.broken:
            return nothing(Kind.ERROR, source=self.name, reason="it holds no JSON")
        return value_of(fill(schema, stance_pct=self.thinkers.stance_pct), source=self.name)
