"""The whole-market scan and its models: ``[scan]`` and ``[ml]``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from tapeline.core.config.base import Count, NotNegative, Positive, Section


class ScanConfig(Section, frozen=True):
    """The whole-market scan. Read by ``scan``."""

    every_min: Count = 5
    """Minutes between scans while the market is open."""
    top: Count = 20
    """Candidates put forward."""
    history_sessions: Annotated[int, Meta(ge=60, le=5000)] = 170
    """Daily bars behind the scan; refused below what the factors need."""
    min_price: NotNegative = 5.0
    min_dollar_volume: NotNegative = 5e6
    """Mean of 20 sessions, in dollars; what the free float of a mid cap trades with ease."""
    max_staleness_s: Positive = 900.0
    """A symbol whose last bar is older is listed as stale, not scored."""
    weights: dict[str, float] = field(
        default_factory=lambda: {
            "momentum_21": 0.25,
            "trend": 0.25,
            "reversal_5": 0.10,
            "intraday": 0.20,
            "relative_volume": 0.10,
            "low_volatility": 0.10,
        }
    )
    """Points of each factor's cross-sectional z-score."""
