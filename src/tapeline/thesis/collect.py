"""What is known of one ticker, collected in twelve steps, and the gate before anybody thinks about it.

In: a symbol, its prices, whoever may be asked about it.  Out: ``Collected``, an outcome for every step.
Refuses to wait beyond the deadline, to let one dead source hold or end the others, and to let a ticker through on a
status word: the gate reads content.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np

from tapeline.core.clock import Clock, together
from tapeline.core.config import ThesisConfig
from tapeline.core.errors import TapelineError
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S, Evidence
from tapeline.feed.sources import least_real
from tapeline.flow.deadline import within
from tapeline.thesis.prices import PriceHistory, price_evidence
from tapeline.thesis.risk_metrics import risk_evidence
from tapeline.thesis.technicals import technical_evidence

STEPS = (
    "price_history",
    "fundamentals",
    "financial_history",
    "technicals",
    "balance_sheet",
    "cashflow",
    "analyst_data",
    "insider_activity",
    "earnings_calendar",
    "risk_metrics",
    "news",
    "youtube",
)
"""The steps by their place in the document. ``technicals`` and ``risk_metrics`` need ``price_history``."""
NEEDS_PRICES = ("technicals", "risk_metrics")

CORE_FUNDAMENTALS = (
    "market_cap_usd",
    "pe_ratio",
    "eps_usd",
    "revenue_usd",
    "profit_margin_pct",
    "price_to_book_ratio",
)
"""The gate wants one of these: a company without any of them was not described at all."""
MAX_BAR_AGE_DAYS = 7.0
"""A ticker whose last daily bar is older than this, a long weekend and more, is halted or gone."""

BROKEN = (Kind.ERROR, Kind.LIMITED)
"""What a source is that failed us. One that answered, and has nothing or nothing new, is whole."""

Fetch = Callable[[str, int], Awaitable[Outcome[Evidence]]]
"""Asks a source about a symbol until a deadline (UTC nanoseconds)."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Who is asked for each step that needs somebody. None: nobody is configured, and the step says so.

    ``news`` and ``filings`` make one step: what was published.

    A source returns what went wrong as an outcome. ``TapelineError`` and ``OSError`` may also be raised and become an
    error; anything else that is raised is a bug.
    """

    fundamentals: Fetch | None = None
    financial_history: Fetch | None = None
    balance_sheet: Fetch | None = None
    cashflow: Fetch | None = None
    analyst_data: Fetch | None = None
    insider_activity: Fetch | None = None
    earnings_calendar: Fetch | None = None
    news: Fetch | None = None
    filings: Fetch | None = None
    youtube: Fetch | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """Everything that was found on one ticker.

    Attributes
    ----------
    as_of_ns
        When the collection began; nothing in it is later than its end.
    steps
        An outcome for each of ``STEPS``, in that order.
    partial
        What a step lacks although it has something: (step, what the other source of it said).
    """

    symbol: str
    as_of_ns: int
    steps: Mapping[str, Outcome[Evidence]]
    partial: tuple[tuple[str, Outcome[Evidence]], ...] = ()

    def fact(self, step: str, name: str) -> float:
        """Return a fact of a step; NaN when the step or the fact is not there."""
        outcome = self.steps.get(step)
        if outcome is None or outcome.value is None:
            return float("nan")
        return dict(outcome.value.facts).get(name, float("nan"))


async def collect(symbol: str, prices: PriceHistory, sources: Sources, clock: Clock, deadline_s: float) -> Collected:
    """Collect the twelve steps on one ticker.

    In: a symbol with its prices.   Out: an outcome for every step.
    Concurrency: every source at once, as actors in the place of the caller, who must be one; the steps from prices as
        soon as there are prices.
    Failure: a source that fails, or has not answered within ``deadline_s`` on the clock, is that step's error; the
        other steps go on. A step whose prices are missing says so. Anything but an error of the world is a bug and is
        raised.
    Shutdown: returns when all have answered or at the deadline; leaves no task behind.
    """
    as_of_ns = clock.now_ns()
    deadline_ns = as_of_ns + round(deadline_s * NS_PER_S)
    found: dict[str, Outcome[Evidence]] = _from_prices(prices)

    async def ask(step: str, fetch: Fetch) -> None:
        found[step] = await _ask(step, fetch, symbol, clock, deadline_ns)

    asked: list[Callable[[], Awaitable[None]]] = []
    for step in (field.name for field in fields(sources)):
        fetch: Fetch | None = getattr(sources, step)
        if fetch is None:
            found[step] = nothing(Kind.NO_DATA, source=step, reason="no source is configured", as_of_ns=as_of_ns)
        else:
            asked.append(partial(ask, step, fetch))
    if asked:
        await together(clock, asked)
    lacking = _publish(found)
    return Collected(symbol, as_of_ns, {step: found[step] for step in STEPS}, lacking)


def gate(collected: Collected, config: ThesisConfig) -> tuple[str, ...]:
    """Return why a ticker may not be analysed, one sentence each; empty when it may.

    What counts is content: enough recent bars that have a price, and a company of which something is known. A step's
    word that it went well is not read.

    Prices and company figures are both critical, whoever is to blame that they are missing: a prior from prices alone
    would be the tape's opinion in other words, and its vote would count as a second, independent one.
    """
    reasons = [*_price_reasons(collected, config.min_price_bars)]
    if not any(np.isfinite(collected.fact("fundamentals", name)) for name in CORE_FUNDAMENTALS):
        said = _why(collected, "fundamentals") or "not one of its core figures is known"
        reasons.append(f"no fundamentals: {said}")
    return tuple(reasons)


def degraded(collected: Collected) -> tuple[str, ...]:
    """Return what was missing because a source failed or is limited: one sentence each, in step order.

    A source that answered and has nothing, or nothing new, on this ticker is no degradation.
    """
    said = {step: _sentence(outcome) for step, outcome in collected.partial}
    for step, outcome in collected.steps.items():
        if outcome.kind in BROKEN:
            said[step] = _sentence(outcome)
    return tuple(f"{step}: {said[step]}" for step in collected.steps if step in said)


def _price_reasons(collected: Collected, min_bars: int) -> list[str]:
    bars, close = collected.fact("price_history", "bars_count"), collected.fact("price_history", "close_usd")
    if not bars >= 1 or not close > 0:
        return [f"no prices: {_why(collected, 'price_history') or 'no bar has a price'}"]
    reasons = []
    if bars < min_bars:
        reasons.append(f"{bars:.0f} daily bars, {min_bars} are needed")
    age_days = collected.fact("price_history", "last_bar_age_days")
    if age_days > MAX_BAR_AGE_DAYS:
        reasons.append(f"its last daily bar is {age_days:.0f} days old")
    return reasons


def _why(collected: Collected, step: str) -> str:
    outcome = collected.steps.get(step)
    return "it was not collected" if outcome is None else outcome.reason


def _from_prices(prices: PriceHistory) -> dict[str, Outcome[Evidence]]:
    """Return the three steps that need nobody but the book."""
    first = price_evidence(prices)
    found = {"price_history": first}
    if first.is_value:
        return found | {"technicals": technical_evidence(prices), "risk_metrics": risk_evidence(prices)}
    reason = "it needs price_history, which has nothing"
    missing: Outcome[Evidence] = nothing(Kind.NO_DATA, source=first.source, reason=reason, as_of_ns=first.as_of_ns)
    return found | dict.fromkeys(NEEDS_PRICES, missing)


def _publish(found: dict[str, Outcome[Evidence]]) -> tuple[tuple[str, Outcome[Evidence]], ...]:
    """Put headlines and filings together as the step ``news``; return what it lacks of one of them."""
    headlines, filings = found["news"], found.pop("filings")
    if headlines.value is not None and filings.value is not None:
        found["news"] = value_of(_joined(headlines.value, filings.value), source="news", as_of_ns=headlines.as_of_ns)
        return ()
    broken = [outcome for outcome in (headlines, filings) if outcome.kind in BROKEN]
    if (known := next((outcome for outcome in (headlines, filings) if outcome.is_value), None)) is not None:
        found["news"] = known
        return tuple(("news", outcome) for outcome in broken)
    found["news"] = broken[0] if broken else headlines
    return ()


def _joined(first: Evidence, second: Evidence) -> Evidence:
    passages = sorted((*first.passages, *second.passages), key=lambda passage: -passage.event_ns)
    return replace(
        first,
        source=f"{first.source}+{second.source}",
        as_of_ns=max(first.as_of_ns, second.as_of_ns),
        label=least_real((first.label, second.label)),
        facts=(*first.facts, *second.facts),
        passages=tuple(passages),
    )


def _sentence(outcome: Outcome[Evidence]) -> str:
    return f"{outcome.source} {outcome.kind}: {outcome.reason}"


async def _ask(step: str, fetch: Fetch, symbol: str, clock: Clock, deadline_ns: int) -> Outcome[Evidence]:
    """Return a source's answer, or why there is none by the deadline."""
    asked_ns = clock.now_ns()
    try:
        outcome = await within(clock, deadline_ns, partial(fetch, symbol, deadline_ns))
    except (TapelineError, OSError) as error:
        return nothing(Kind.ERROR, source=step, reason=f"{type(error).__name__}: {error}", as_of_ns=asked_ns)
    if outcome is None:
        waited_s = (deadline_ns - asked_ns) / NS_PER_S
        return nothing(Kind.ERROR, source=step, reason=f"no answer within {waited_s:g} s", as_of_ns=asked_ns)
    return outcome
