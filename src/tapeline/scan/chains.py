"""A vendor's option chain as the contracts that the second stage judges.

In: whoever fetches quotes, the clock, what is remembered of volatilities.  Out: an ``Ask`` for ``scan.second``.
Refuses to fill: a quote's absent side, Greek or open interest stays NaN, and the rules then refuse the contract.
"""

from __future__ import annotations

import datetime as dt
import math
import statistics
from collections.abc import Sequence
from typing import Protocol

from tapeline.core.clock import Clock
from tapeline.core.outcome import Outcome
from tapeline.feed.vendors.alpaca_options import OptionQuote
from tapeline.grid.history import date_of
from tapeline.scan.iv import IvMemory
from tapeline.scan.options import Chain, Contract, Rules
from tapeline.scan.second import Ask


class ChainSource(Protocol):
    """A vendor of option chains."""

    async def fetch_chain(self, underlying: str, first: dt.date, last: dt.date) -> Outcome[tuple[OptionQuote, ...]]:
        """Return the contracts that expire from ``first`` to ``last``."""
        ...


def chains_from(
    source: ChainSource, clock: Clock, memory: IvMemory, rules: Rules | None = None
) -> Ask[tuple[Contract, ...]]:
    """Return what asks for the chain of a symbol, as of now, with expiries that the rules allow."""
    rules = rules or Rules()

    async def ask(symbol: str, _deadline_ns: int) -> Chain:
        today = date_of(clock.now_ns())
        soonest, latest = (today + dt.timedelta(days=round(days)) for days in rules.days)
        outcome = await source.fetch_chain(symbol, soonest, latest)
        return outcome.map(lambda quotes: to_contracts(symbol, quotes, today, memory, rules))

    return ask


def to_contracts(
    symbol: str, quotes: Sequence[OptionQuote], today: dt.date, memory: IvMemory, rules: Rules
) -> tuple[Contract, ...]:
    """Return quotes as contracts; the underlying's volatility of today is remembered and compared with the year's."""
    level = level_of(quotes, rules)
    percentile, why = memory.percentile(symbol, today, level)
    memory.note(symbol, today, level)
    return tuple(
        Contract(
            symbol=quote.symbol,
            strike=quote.strike,
            days_to_expiry=float((quote.expiry - today).days),
            bid=quote.bid,
            ask=quote.ask,
            open_interest=quote.open_interest,
            delta=quote.delta,
            iv_percentile=percentile,
            iv_note=why,
            label=quote.label,
        )
        for quote in quotes
    )


def level_of(quotes: Sequence[OptionQuote], rules: Rules) -> float:
    """Return the median volatility of the contracts within the rules' band of deltas; NaN when none tells one."""
    low, high = rules.delta
    known = [q.implied_vol for q in quotes if low <= abs(q.delta) <= high and math.isfinite(q.implied_vol)]
    return statistics.median(known) if known else math.nan
