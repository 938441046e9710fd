"""The factors: what a scan knows of a symbol, each a function of plain arrays.

In: a ``Panel`` and the settled ATR.  Out: one float64 per symbol, larger is better for a buyer.
Refuses to fill: a window that is not full of traded bars, or a division by zero, gives NaN.

A new factor is a function and a line in ``FACTORS``. Windows count sessions in which the symbol traded, the running one
included and provisional, unless the docstring says *settled*: then they end with the session before.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from tapeline.core.config import ScanConfig
from tapeline.core.errors import ConfigError
from tapeline.core.types import F64
from tapeline.scan.panel import Panel

Compute = Callable[[Panel, F64], F64]

YEAR_SESSIONS = 252
YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class Factor:
    """A named column.

    Attributes
    ----------
    bars
        Traded sessions, the newest included, without which it is NaN.
    unit
        Of the raw value.
    compute
        (panel, atr) to float64 (n,). ``atr`` is the settled ATR of 14 sessions, dollars.
    """

    bars: int
    unit: str
    compute: Compute


def momentum(window: int) -> Compute:
    """Return the factor "change of the price over ``window`` sessions", as a fraction."""

    def compute(panel: Panel, _atr: F64) -> F64:
        change: F64 = panel.close[-1] / panel.close[-1 - window] - 1.0
        return change

    return compute


def reversal_5(panel: Panel, _atr: F64) -> F64:
    """Minus the change over 5 sessions, as a fraction: what fell within a week tends to come back a little."""
    fall: F64 = 1.0 - panel.close[-1] / panel.close[-6]
    return fall


def trend(panel: Panel, atr: F64) -> F64:
    """Distance of the price from its averages of 20 and 50 sessions (the mean of both distances), in ATRs.

    Measured in the symbol's own daily range, so a quiet stock and a wild one compare. A settled ATR of 0 gives NaN.
    """
    averages = (panel.close[-20:].mean(axis=0) + panel.close[-50:].mean(axis=0)) / 2.0
    return _ratio(panel.close[-1] - averages, atr)


def intraday(panel: Panel, atr: F64) -> F64:
    """Move of the last session, the mean of those since its open and since the previous close, in settled ATRs.

    The mean of both: a gap that is held counts half, one that is given back counts against. The ATR is settled, as the
    range of a panic would else shrink the panic. NaN when that ATR is 0.
    """
    move = panel.close[-1] - (panel.open[-1] + panel.close[-2]) / 2.0
    return _ratio(move, atr)


def relative_volume(panel: Panel, _atr: F64) -> F64:
    """Volume of the last session against the mean of the 20 settled ones, for the time of day; 1 is usual.

    NaN when nothing traded in those 20, and at the very open, when no volume can be expected yet.
    """
    return _ratio(panel.volume[-1], panel.volume[-21:-1].mean(axis=0) * panel.day_frac)


def low_volatility(panel: Panel, _atr: F64) -> F64:
    """Minus the volatility of 20 settled daily log returns (ddof 1), a fraction per year."""
    returns = np.diff(np.log(panel.close[-22:-1]), axis=0)
    volatility: F64 = returns.std(axis=0, ddof=1) * np.sqrt(YEAR_SESSIONS)
    return -volatility


def low_range(panel: Panel, atr: F64) -> F64:
    """Minus the settled ATR of 14 sessions as a fraction of the price: quiet is better."""
    range_frac: F64 = atr / panel.close[-1]
    return -range_frac


def dollar_volume_20(panel: Panel) -> F64:
    """Mean of close times volume over 20 settled sessions, in dollars. For the screen, not for the score."""
    dollars: F64 = (panel.close[-21:-1] * panel.volume[-21:-1]).mean(axis=0)
    return dollars


ATR_BARS = 16
"""Sessions behind a settled ATR of 14: 14 true ranges need 15 closes, and the running session is none of them."""

FACTORS: Mapping[str, Factor] = {
    "momentum_21": Factor(22, "fraction", momentum(21)),
    "momentum_63": Factor(64, "fraction", momentum(63)),
    "trend": Factor(50, "ATR", trend),
    "reversal_5": Factor(6, "fraction", reversal_5),
    "intraday": Factor(ATR_BARS, "ATR", intraday),
    "relative_volume": Factor(21, "times usual", relative_volume),
    "low_volatility": Factor(22, "fraction a year", low_volatility),
    "low_range": Factor(ATR_BARS, "fraction", low_range),
}

MAX_BARS = max(factor.bars for factor in FACTORS.values())
"""Rows that every factor finds in a panel."""


def compute_factors(panel: Panel, atr: F64) -> dict[str, F64]:
    """Return every factor of every symbol; NaN where it is not known, never an infinity."""
    with np.errstate(all="ignore"):  # unsound prices are screened by name; here they may only become NaN
        raw = {name: factor.compute(panel, atr) for name, factor in FACTORS.items()}
    return {name: np.where(np.isfinite(column), column, np.nan) for name, column in raw.items()}


def history_sessions(config: ScanConfig) -> int:
    """Return the sessions that a scan looks back, whether the person counts in sessions or in calendar days."""
    if not config.lookback_days:
        return config.history_sessions
    return config.lookback_days * YEAR_SESSIONS // YEAR_DAYS


def check_weights(weights: Mapping[str, float], history_sessions: int, own: Collection[str] = ()) -> None:
    """Refuse weights that no scan can use; ``own`` are factors from the user's file.

    Raises
    ------
    ConfigError
        For an unknown factor (naming the nearest), a weight that is not finite, no weight at all, and a history too
        short for a factor.
    """
    for name, weight in weights.items():
        if name not in FACTORS and name not in own:
            near = difflib.get_close_matches(name, [*FACTORS, *own], n=1, cutoff=0.0)[0]
            raise ConfigError(f"scan.weights names an unknown factor {name!r}; the nearest is {near!r}")
        if not np.isfinite(weight):
            raise ConfigError(f"scan.weights.{name} is {weight}: give a finite number of points")
        if name in FACTORS and FACTORS[name].bars > history_sessions:
            raise ConfigError(
                f"a scan looks back {history_sessions} sessions (scan.history_sessions, or scan.lookback_days calendar "
                f"days), but {name} needs {FACTORS[name].bars} sessions"
            )
    if not any(weights.values()):
        raise ConfigError("scan.weights has no factor with a weight: every score would be 0")


def check_model_weights(weights: Mapping[str, float], targets: Collection[str]) -> None:
    """Raise ConfigError for a weight of a model that there is not, or one that is not finite."""
    for name, weight in weights.items():
        if name not in targets:
            raise ConfigError(f"scan.model_weights names {name!r}; the models foretell {', '.join(sorted(targets))}")
        if not np.isfinite(weight):
            raise ConfigError(f"scan.model_weights.{name} is {weight}: give a finite number of points")


def _ratio(above: F64, below: F64) -> F64:
    """Return the ratio; NaN where ``below`` is 0."""
    return above / np.where(below > 0.0, below, np.nan)
