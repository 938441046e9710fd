"""What a scan found: who was scored, by what, who was not and why.

In: the arrays of one scan, a column per symbol.  Out: candidates, and on demand everything known of any symbol.
Refuses to hold a number for a symbol that was not scored: its cells are NaN and ``reading`` says the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import F64, Candidate

if TYPE_CHECKING:
    import polars

SOURCE = "scan"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the tape says of one symbol, before anybody has an opinion.

    Attributes
    ----------
    price
        Last price, dollars.
    atr
        Average true range of 14 settled sessions, dollars.
    as_of_ns
        What the scan was allowed to know.
    freshness_s
        Age of the last bar, seconds.
    factors
        Name to raw value, in the unit that ``tapeline.scan.factors`` documents; NaN where it is not known.
    """

    symbol: str
    price: float
    atr: float
    as_of_ns: int
    freshness_s: float
    factors: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Why a symbol was not scored. ``kind`` is ``no_data`` or ``stale``, or ``abstained`` for a screen."""

    kind: Kind
    reason: str


@dataclass(frozen=True, eq=False)
class ScanResult:
    """One scan of the whole universe.

    Attributes
    ----------
    as_of_ns
        What the scan was allowed to know.
    symbols
        (n,) the columns of the grid, in its order.
    candidates
        The best by score, ties by symbol; ranks from 1.
    asked
        The symbols of ``also`` that could be scored, by symbol. A held position stands here even when a screen keeps
        it from being a candidate; its rank says how many candidates-to-be score better, plus one.
    n_scored
        Symbols that were ranked.
    scores
        float64 (n,) points; NaN where not scored.
    factors
        Name to float64 (n,) of raw values; NaN where unknown.
    price, atr, freshness_s
        float64 (n,); see ``Reading``.
    exclusions
        Symbol to the reason why it is not ranked, by symbol.
    sectors
        (n,) of each symbol, "" where unknown; () when nobody said.
    values
        Model's target to float64 (n,): an expected rank or a probability; NaN where the model abstains.
    stop, target
        float64 (n,) dollars, for a buy at ``price``.
    n_abstained
        Ranked symbols that the models have no opinion on.
    left_out
        What the time budget did not suffice for; the scan is partial when this is not empty.
    notes
        What else a person should know, a sentence each.
    more
        Further columns of the table, a cell per candidate: what the second stage found (``scan.second``).
    """

    as_of_ns: int
    symbols: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    asked: tuple[Candidate, ...]
    n_scored: int
    scores: F64
    factors: Mapping[str, F64]
    price: F64
    atr: F64
    freshness_s: F64
    exclusions: Mapping[str, Exclusion]
    sectors: tuple[str, ...] = ()
    values: Mapping[str, F64] = field(default_factory=dict)
    stop: F64 = field(default_factory=lambda: np.empty(0))
    target: F64 = field(default_factory=lambda: np.empty(0))
    n_abstained: int = 0
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    more: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @property
    def is_partial(self) -> bool:
        """True when the time budget ran out before all models had spoken."""
        return bool(self.left_out)

    def columns(self) -> dict[str, list[Any]]:
        """Return the candidates as columns, best first.

        rank, symbol, sector, score; entry, stop, target and atr in dollars; freshness_s; ``<factor>_points`` of
        everything that made the score; the models' own values. None where a model abstains.
        """
        rows = self.candidates
        cols = [self.symbols.index(row.symbol) for row in rows]
        named = [dict(row.contributions) for row in rows]
        columns: dict[str, list[Any]] = {
            "rank": [row.rank for row in rows],
            "symbol": [row.symbol for row in rows],
            "sector": [self.sectors[col] if self.sectors else "" for col in cols],
            "score": [row.score for row in rows],
            "entry": [row.price for row in rows],
            "stop": [float(self.stop[col]) for col in cols],
            "target": [float(self.target[col]) for col in cols],
            "atr": [row.atr for row in rows],
            "freshness_s": [row.freshness_s for row in rows],
        }
        for name in dict.fromkeys(name for each in named for name in each):
            columns[f"{name}_points"] = [each.get(name) for each in named]
        for name, values in self.values.items():
            columns[name] = [None if np.isnan(values[col]) else float(values[col]) for col in cols]
        return columns | {name: list(cells) for name, cells in self.more.items()}

    def rows(self) -> list[dict[str, Any]]:
        """Return the candidates a row each, with the names of ``columns``; needs no Polars, whose import takes long."""
        columns = self.columns()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    @cached_property
    def table(self) -> polars.DataFrame:
        """The candidates, a row each: see ``tapeline.scan.table``."""
        from tapeline.scan.table import build_table

        return build_table(self)

    @property
    def excluded(self) -> tuple[tuple[str, str], ...]:
        """(symbol, reason) of everybody who is not ranked, by symbol."""
        return tuple((symbol, exclusion.reason) for symbol, exclusion in self.exclusions.items())

    def reading(self, symbol: str) -> Outcome[Reading]:
        """Return what the tape says of ``symbol``.

        A symbol that a screen of taste excludes (too cheap, too thin) is still read, as it may be held. A symbol
        without a usable bar has no reading: ``no_data`` or ``stale``, with the scan's reason.
        """
        exclusion = self.exclusions.get(symbol)
        if exclusion is not None and exclusion.kind is not Kind.ABSTAINED:
            return nothing(exclusion.kind, source=SOURCE, reason=exclusion.reason, as_of_ns=self.as_of_ns)
        if symbol not in self.symbols:
            reason = f"{symbol} is not in the universe that was scanned"
            return nothing(Kind.NO_DATA, source=SOURCE, reason=reason, as_of_ns=self.as_of_ns)
        col = self.symbols.index(symbol)
        reading = Reading(
            symbol=symbol,
            price=float(self.price[col]),
            atr=float(self.atr[col]),
            as_of_ns=self.as_of_ns,
            freshness_s=float(self.freshness_s[col]),
            factors={name: float(column[col]) for name, column in self.factors.items()},
        )
        return value_of(reading, source=SOURCE, as_of_ns=self.as_of_ns)
