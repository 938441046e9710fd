"""The expensive second stage of a scan: options and company figures, for the best candidates alone.

In: candidates, and who can be asked about one.  Out: ``SecondLook``: an outcome a symbol, and columns for the table.
Refuses to wait beyond its deadline, to have more questions open than allowed, and to make a number of what is missing:
its cell is empty and its reason stands beside it. Nothing here moves a score.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from tapeline.core.clock import Clock, together
from tapeline.core.config import ScanConfig
from tapeline.core.errors import TapelineError
from tapeline.core.outcome import Kind, Outcome, nothing
from tapeline.core.types import NS_PER_S, Candidate, Evidence
from tapeline.flow.deadline import within
from tapeline.scan.options import Chain, Pick, Rules, pick_options

T = TypeVar("T")
Ask = Callable[[str, int], Awaitable[Outcome[T]]]
"""(symbol, when the answer is of no more use in UTC nanoseconds) to an outcome, within the vendor's limits."""

FACTS = (
    "market_cap_usd",
    "pe_ratio",
    "forward_pe_ratio",
    "price_to_book_ratio",
    "revenue_growth_pct",
    "profit_margin_pct",
    "return_on_equity_pct",
    "debt_to_equity_pct",
    "dividend_yield_pct",
)
"""Company figures of the table, in the vendor adapter's names and units."""
QUOTED = (
    "strike",
    "days_to_expiry",
    "bid",
    "ask",
    "spread_pct",
    "open_interest",
    "delta",
    "iv_percentile",
)
"""What the table tells of a picked contract."""
TEXTS = ("option", "option_note", "company_note")
"""The columns that hold text."""


@dataclass(frozen=True, slots=True)
class Experts:
    """Who is asked about a symbol; None for nobody."""

    chain: Ask[tuple[Any, ...]] | None = None
    company: Ask[Evidence] | None = None


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What the second stage found, by symbol; who was not asked about is absent."""

    picks: Mapping[str, Outcome[Pick]] = field(default_factory=dict)
    companies: Mapping[str, Outcome[Evidence]] = field(default_factory=dict)

    def cells(self, symbol: str) -> dict[str, Any]:
        """Return the cells of one symbol: those of the stages that ran, None where a number is not known."""
        return {
            **(_option_cells(self.picks.get(symbol)) if self.picks else {}),
            **(_company_cells(self.companies.get(symbol)) if self.companies else {}),
        }

    def columns(self, candidates: Sequence[Candidate]) -> dict[str, list[Any]]:
        """Return ``cells`` as columns, a cell per candidate."""
        rows = [self.cells(candidate.symbol) for candidate in candidates]
        return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}

    @property
    def missing(self) -> dict[str, int]:
        """Reason -> of how many answers, for a person."""
        outcomes: list[Outcome[Any]] = [*self.picks.values(), *self.companies.values()]
        reasons = [outcome.reason for outcome in outcomes if not outcome.is_value]
        return {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}


async def look_closer(
    candidates: Sequence[Candidate], config: ScanConfig, experts: Experts, clock: Clock, rules: Rules | None = None
) -> SecondLook:
    """Ask about the first ``options_max_symbols`` and ``fundamentals_max_symbols`` candidates, all at once.

    Concurrency: at most ``second_concurrency`` questions of each kind are open. The caller must be an actor.
    Failure: an error of the world, and no answer within ``second_timeout_s``, are outcomes without a value.
    """
    deadline_ns = clock.now_ns() + round(config.second_timeout_s * NS_PER_S)
    optioned = candidates[: config.options_max_symbols] if experts.chain is not None else ()
    companies = candidates[: config.fundamentals_max_symbols] if experts.company is not None else ()
    chains: dict[str, Chain] = {}
    facts: dict[str, Outcome[Evidence]] = {}
    tasks: list[Callable[[], Awaitable[None]]] = []
    if experts.chain is not None:
        tasks += _askers("options", optioned, experts.chain, chains, clock, deadline_ns, config.second_concurrency)
    if experts.company is not None:
        tasks += _askers("companies", companies, experts.company, facts, clock, deadline_ns, config.second_concurrency)
    if tasks:
        await together(clock, tasks)
    return SecondLook(
        pick_options(optioned, chains, len(optioned), rules),
        {candidate.symbol: facts[candidate.symbol] for candidate in companies},
    )


def _askers(
    name: str,
    candidates: Sequence[Candidate],
    ask: Ask[T],
    answers: dict[str, Outcome[T]],
    clock: Clock,
    deadline_ns: int,
    concurrency: int,
) -> list[Callable[[], Awaitable[None]]]:
    """Return tasks that share the candidates among them; each has one question open."""

    async def work(queue: Iterator[Candidate]) -> None:
        for candidate in queue:
            answers[candidate.symbol] = await _answer(name, candidate.symbol, ask, clock, deadline_ns)

    queue = iter(candidates)
    return [partial(work, queue) for _ in range(min(concurrency, len(candidates)))]


async def _answer(name: str, symbol: str, ask: Ask[T], clock: Clock, deadline_ns: int) -> Outcome[T]:
    if clock.now_ns() >= deadline_ns:
        return nothing(Kind.LIMITED, source=name, reason="not asked: the time for the second look was over")
    try:
        outcome = await within(clock, deadline_ns, partial(ask, symbol, deadline_ns))
    except (TapelineError, OSError) as error:
        return nothing(Kind.ERROR, source=name, reason=f"{type(error).__name__}: {error}")
    return nothing(Kind.ERROR, source=name, reason="no answer in time") if outcome is None else outcome


def _option_cells(outcome: Outcome[Pick] | None) -> dict[str, Any]:
    pick = None if outcome is None else outcome.value
    quoted: dict[str, Any] = {f"option_{name}": None for name in QUOTED}
    if pick is None:
        note = "not among those looked at" if outcome is None else outcome.reason
        return {"option": None, **quoted, "option_score": None, "option_note": note}
    quoted = {f"option_{name}": _known(getattr(pick.contract, name)) for name in QUOTED}
    note = "; ".join(pick.reasons)
    return {"option": pick.contract.symbol, **quoted, "option_score": pick.score, "option_note": note}


def _company_cells(outcome: Outcome[Evidence] | None) -> dict[str, Any]:
    if outcome is None or outcome.value is None:
        note = "not among those looked at" if outcome is None else outcome.reason
        return {**dict.fromkeys(FACTS), "company_note": note}
    told = dict(outcome.value.facts)
    cells = {name: _known(told.get(name, math.nan)) for name in FACTS}
    absent = [name for name, cell in cells.items() if cell is None]
    note = f"{outcome.value.source}, {outcome.value.label}"
    return {**cells, "company_note": f"{note}; not told: {', '.join(absent)}" if absent else note}


def _known(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
