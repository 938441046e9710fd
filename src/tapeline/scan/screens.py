"""Who is not ranked, and why: one clear sentence per symbol.

In: the panel, raw factors, freshness.  Out: symbol to ``Exclusion``. The rest of the universe is ranked.
Refuses to drop anybody in silence. What is unknown (``no_data``, ``stale``) comes before matters of taste.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapeline.core.config import ScanConfig
from tapeline.core.outcome import Kind
from tapeline.core.types import F64
from tapeline.grid.history import About
from tapeline.scan.factors import ATR_BARS, FACTORS, dollar_volume_20
from tapeline.scan.panel import Panel
from tapeline.scan.result import Exclusion


@dataclass(frozen=True, slots=True)
class Screen:
    """One reason: whom it hits, and its sentence for the symbol in a column."""

    kind: Kind
    hits: NDArray[np.bool_]
    sentence: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the symbols beside their sessions.

    ``wanted`` is text or name of each condition, and who is known to meet it.
    """

    freshness_s: F64
    has_minutes: bool
    about: About
    wanted: Mapping[str, NDArray[np.bool_]]


def screen(panel: Panel, factors: Mapping[str, F64], known: Known, config: ScanConfig) -> dict[str, Exclusion]:
    """Return the first reason against each symbol that has one, by symbol.

    NaN rule: a symbol whose range (``low_range``, the settled ATR) or any weighted factor is unknown is excluded with
    the factor's name; it is not scored on the rest, as points missing and points that are 0 would look the same.
    """
    checks = [*_unknown(panel, known.freshness_s, config, known.has_minutes), *_incomplete(panel, factors, config)]
    checks += [*_taste(panel, config), *_asked_for(panel, known, config)]
    found: dict[str, Exclusion] = {}
    for check in checks:
        for col in np.flatnonzero(check.hits):
            symbol = panel.symbols[col]
            if symbol not in found:
                found[symbol] = Exclusion(check.kind, check.sentence(int(col)))
    return dict(sorted(found.items()))


def _unknown(panel: Panel, freshness_s: F64, config: ScanConfig, has_minutes: bool) -> list[Screen]:
    """Return the screens of symbols whose last bar cannot be used."""
    checks = [
        Screen(Kind.NO_DATA, panel.n_traded == 0, _always("no bar in the whole history")),
        Screen(Kind.NO_DATA, ~panel.is_sound, _always("a bar has a price or volume that is not a positive number")),
        Screen(Kind.STALE, ~panel.is_current, _always("no bar in the newest session")),
    ]
    if has_minutes:
        limit = f"{config.max_staleness_s:g} s are allowed"
        checks += [
            Screen(Kind.STALE, np.isnan(freshness_s), _always("no closed minute bar")),
            Screen(
                Kind.STALE,
                freshness_s > config.max_staleness_s,
                lambda col: f"the last bar is {freshness_s[col]:.0f} s old, {limit}",
            ),
        ]
    return checks


def _incomplete(panel: Panel, factors: Mapping[str, F64], config: ScanConfig) -> list[Screen]:
    """Return the screens of symbols that cannot be scored in full."""
    weighted = [name for name, weight in config.weights.items() if weight != 0.0]
    needed = max([ATR_BARS, *(FACTORS[name].bars for name in weighted if name in FACTORS)])
    checks = [
        Screen(
            Kind.NO_DATA,
            panel.n_traded < needed,
            lambda col: f"{panel.n_traded[col]} sessions of history, {needed} are needed",
        )
    ]
    checks.append(Screen(Kind.NO_DATA, np.isnan(factors["low_range"]), _always("its daily range is not known yet")))
    for name in weighted:
        checks.append(Screen(Kind.NO_DATA, np.isnan(factors[name]), _always(f"the factor {name} is not known")))
    return checks


def _asked_for(panel: Panel, known: Known, config: ScanConfig) -> list[Screen]:
    """Return the screens that the person asked for: age, sector, kind, conditions."""
    about, n = known.about, len(panel.symbols)
    checks = [
        Screen(
            Kind.ABSTAINED,
            panel.n_traded < config.min_sessions,
            lambda col: f"{panel.n_traded[col]} sessions of history, {config.min_sessions:g} are asked for",
        )
    ]
    for what, values, wanted in (("sector", about.sectors, config.sectors), ("kind", about.kinds, config.kinds)):
        if wanted:
            hits = np.fromiter((value not in wanted for value in values), np.bool_, n)
            checks.append(Screen(Kind.ABSTAINED, hits, _other(what, values, wanted)))
    for text, met in known.wanted.items():
        checks.append(Screen(Kind.ABSTAINED, ~met, _always(f"it does not meet, or is not known to meet, {text}")))
    return checks


def _other(what: str, values: tuple[str, ...], wanted: tuple[str, ...]) -> Callable[[int], str]:
    return lambda col: f"its {what} is {values[col] or 'unknown'}, wanted is {' or '.join(wanted)}"


def _always(sentence: str) -> Callable[[int], str]:
    return lambda _: sentence


def _taste(panel: Panel, config: ScanConfig) -> list[Screen]:
    """Return the screens of symbols that are known well and not wanted."""
    price, dollars = panel.close[-1], dollar_volume_20(panel)
    return [
        Screen(
            Kind.ABSTAINED,
            price < config.min_price,
            lambda col: f"price {price[col]:.2f} is below {config.min_price:g}",
        ),
        Screen(
            Kind.ABSTAINED,
            ~(dollars >= config.min_dollar_volume),
            lambda col: f"{dollars[col]:,.0f} dollars a day, {config.min_dollar_volume:,.0f} are asked for",
        ),
    ]
