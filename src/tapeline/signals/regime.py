"""What kind of market it is, from the index's past closes alone.

In: daily closes up to the previous session.  Out: ``Outcome[str]``, one of ``Regime``, or ``no_data``. Pure.
Refuses to smooth: each day's label uses that day's past only, so a longer history never rewrites it.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import F64, Side

SOURCE = "regime"
UNKNOWN = "UNKNOWN"
"""What a signal says of the regime when there is none; it tilts nothing."""

BARS_NEEDED = 200
"""Closes of the longest average. Bars, not calendar days: 200 of those hold only 137 sessions."""
SHORT, MIDDLE, LONG = 20, 50, BARS_NEEDED
CALM_SESSIONS = 100
"""The sessions before the last ``SHORT`` ones, with whose volatility these are compared. They must not overlap: against
a window that contains it, a 20-day deviation can never be more than about 1.6 times the 50-day one."""
CRISIS_RATIO = 2.0
"""A deviation of daily returns at twice its own recent past is a different market."""

TILT: dict[str, dict[Side, int]] = {
    "BULL": {Side.BUY: 1, Side.SELL: -1},
    "BEAR": {Side.BUY: -1, Side.SELL: 1},
    "CHOP": {Side.BUY: -1, Side.SELL: -1},
    "CRISIS": {Side.BUY: -3, Side.SELL: 0},
}
"""Steps of ``signals.regime_tilt_frac`` by which a regime changes a strength. With the trend is a little easier than
against it, a market without trend makes both harder, and a crisis asks most of a buy and nothing more of a way out."""


class Regime(StrEnum):
    """The state of the whole market."""

    BULL = "BULL"
    """Close averages in rising order: 20 above 50 above 200 sessions."""
    BEAR = "BEAR"
    """The averages in falling order."""
    CHOP = "CHOP"
    """Neither."""
    CRISIS = "CRISIS"
    """The last 20 returns vary at least twice as much as the 100 before; goes before the other three."""


def market_regime(closes: F64, as_of_ns: int | None = None) -> Outcome[str]:
    """Return the regime after the last of ``closes``.

    Parameters
    ----------
    closes
        float64 (n_sessions,) index closes, oldest first, none later than the previous session. NaN is a session
        without a close and is skipped.
    as_of_ns
        Moment of the last close, carried into the outcome.

    Returns
    -------
    Outcome[str]
        A ``Regime``, or ``no_data`` with fewer than 200 closes.

    Raises
    ------
    ValueError
        When a close is not positive: an index is.
    """
    known = closes[~np.isnan(closes)]
    if (known <= 0.0).any() or np.isinf(known).any():
        raise ValueError("an index close that is not a positive number")
    if known.size < BARS_NEEDED:
        reason = f"{known.size} closes of the index, {BARS_NEEDED} are needed"
        return nothing(Kind.NO_DATA, source=SOURCE, reason=reason, as_of_ns=as_of_ns)
    return value_of(str(_classify(known)), source=SOURCE, as_of_ns=as_of_ns)


def _classify(closes: F64) -> Regime:
    returns = np.diff(np.log(closes[-(SHORT + CALM_SESSIONS + 1) :]))
    if returns[-SHORT:].std(ddof=1) > CRISIS_RATIO * returns[:-SHORT].std(ddof=1):
        return Regime.CRISIS
    short, middle, long = (closes[-window:].mean() for window in (SHORT, MIDDLE, LONG))
    if short > middle > long:
        return Regime.BULL
    if short < middle < long:
        return Regime.BEAR
    return Regime.CHOP


def label_of(regime: Outcome[str]) -> str:
    """Return the regime's name, or ``UNKNOWN``."""
    return UNKNOWN if regime.value is None else regime.value


def tilt(regime: Outcome[str], side: Side, tilt_frac: float) -> float:
    """Return the factor by which a regime changes the strength of a signal of that side; 1 when it is unknown."""
    return 1.0 if regime.value is None else 1.0 + TILT[regime.value][side] * tilt_frac
