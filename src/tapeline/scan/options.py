"""Options on the best candidates: a contract worth a look for each, with its reasons, or the reason why there is none.

In: candidates and their chains.  Out: an ``Outcome[Pick]`` per candidate, for the best
``scan.options_max_symbols``. Refuses contracts without two sides, and to fill an unknown Greek or percentile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import Candidate, Label

SOURCE = "options"


@dataclass(frozen=True, slots=True)
class Contract:
    """One option as quoted. ``delta`` is in [-1, 1]; ``iv_percentile`` (0 to 100, of a year) may be NaN, and then
    ``iv_note`` says why; ``label`` says where the quote comes from."""

    symbol: str
    strike: float
    days_to_expiry: float
    bid: float
    ask: float
    open_interest: float
    delta: float
    iv_percentile: float
    iv_note: str = ""
    label: Label = Label.REAL

    @property
    def spread_pct(self) -> float:
        """Ask less bid in percent of the middle; NaN without two sides."""
        mid = (self.bid + self.ask) / 2.0
        return 100.0 * (self.ask - self.bid) / mid if self.bid > 0.0 and self.ask >= self.bid else math.nan


@dataclass(frozen=True, slots=True)
class Rules:
    """What a contract must be. Bands are inclusive; an unknown percentile is let pass, anything else unknown is not.

    Candidates are to be bought, so the delta is a call's. A least open interest of 0 asks for none: a chain whose
    source does not tell it can then be judged.
    """

    days: tuple[float, float] = (30.0, 60.0)
    min_open_interest: float = 200.0
    max_spread_pct: float = 6.0
    delta: tuple[float, float] = (0.35, 0.65)
    max_iv_percentile: float = 80.0


@dataclass(frozen=True, slots=True)
class Pick:
    """The contract chosen for a candidate: ``score`` in [0, 1], and its reasons in words."""

    underlying: str
    contract: Contract
    score: float
    reasons: tuple[str, ...]


Chain = Outcome[tuple[Contract, ...]]


def pick_options(
    candidates: Sequence[Candidate],
    chains: Mapping[str, Chain],
    most: int,
    rules: Rules | None = None,
) -> dict[str, Outcome[Pick]]:
    """Return the best contract of each of the first ``most`` candidates.

    A chain that could not be had keeps its own reason; a candidate without a chain, or without a contract that meets
    the rules, is ``no_data`` or ``abstained`` with the rule that refused most.
    """
    rules = rules or Rules()
    found: dict[str, Outcome[Pick]] = {}
    for candidate in candidates[:most]:
        chain = chains.get(candidate.symbol)
        if chain is None:
            found[candidate.symbol] = nothing(Kind.NO_DATA, source=SOURCE, reason="no chain was asked for")
        elif chain.value is None:
            found[candidate.symbol] = nothing(chain.kind, source=chain.source, reason=chain.reason)
        else:
            found[candidate.symbol] = _pick(candidate, chain.value, rules)
    return found


def refusal(contract: Contract, rules: Rules) -> str:
    """Return the first rule that a contract breaks, "" when it breaks none."""
    if not rules.days[0] <= contract.days_to_expiry <= rules.days[1]:
        return f"expiry outside {rules.days[0]:g} to {rules.days[1]:g} days"
    if rules.min_open_interest and not contract.open_interest >= rules.min_open_interest:
        return f"open interest below {rules.min_open_interest:g}"
    if not contract.spread_pct <= rules.max_spread_pct:
        return f"spread above {rules.max_spread_pct:g} %, or one side missing"
    if not rules.delta[0] <= contract.delta <= rules.delta[1]:
        return f"delta outside {rules.delta[0]:g} to {rules.delta[1]:g}"
    if contract.iv_percentile > rules.max_iv_percentile:
        return f"implied volatility above its {rules.max_iv_percentile:g}th percentile"
    return ""


def _pick(candidate: Candidate, chain: Sequence[Contract], rules: Rules) -> Outcome[Pick]:
    refused = [refusal(contract, rules) for contract in chain]
    fit = [contract for contract, reason in zip(chain, refused, strict=True) if not reason]
    if not fit:
        worst = max(sorted(set(refused)), key=refused.count) if refused else "the chain is empty"
        return nothing(Kind.ABSTAINED, source=SOURCE, reason=f"none of {len(chain)} contracts fits: {worst}")
    best = max(fit, key=lambda contract: (_score(contract, candidate.price, rules), contract.symbol))
    reasons = (
        f"{best.days_to_expiry:.0f} days, delta {best.delta:+.2f}, open interest {best.open_interest:,.0f}",
        f"spread {best.spread_pct:.1f} %",
        _iv_words(best),
        f"{best.label} quotes",
    )
    return value_of(Pick(candidate.symbol, best, _score(best, candidate.price, rules), reasons), source=SOURCE)


def _iv_words(contract: Contract) -> str:
    if not math.isnan(contract.iv_percentile):
        return f"IV percentile {contract.iv_percentile:.0f}"
    return f"IV percentile unknown: {contract.iv_note}" if contract.iv_note else "IV percentile unknown"


def _score(contract: Contract, price: float, rules: Rules) -> float:
    """Return how well a contract fits: narrow spread, delta and expiry amid their bands, low IV, near the money."""
    calm = 0.5 if math.isnan(contract.iv_percentile) else 1.0 - contract.iv_percentile / 100.0
    near = max(0.0, 1.0 - abs(contract.strike / price - 1.0) / 0.07)
    return (
        0.30 * (1.0 - contract.spread_pct / rules.max_spread_pct)
        + 0.25 * _amid(contract.delta, rules.delta)
        + 0.20 * _amid(contract.days_to_expiry, rules.days)
        + 0.15 * calm
        + 0.10 * near
    )


def _amid(value: float, band: tuple[float, float]) -> float:
    """Return 1 in the middle of a band and 0 at its edges."""
    return 1.0 - abs(value - (band[0] + band[1]) / 2.0) / ((band[1] - band[0]) / 2.0)
