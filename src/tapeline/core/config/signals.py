"""Votes and consensus: ``[signals]``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from tapeline.core.config.base import Fraction, Positive, Section


class SignalsConfig(Section, frozen=True):
    """Votes and consensus. Read by ``signals``."""

    quorum_groups: Annotated[int, Meta(ge=1)] = 2
    """Independent groups that must speak, and agree, before there is a signal."""
    min_strength: Fraction = 0.5
    """Weighted agreement below this makes no signal."""
    ttl_s: Positive = 900.0
    """A signal older than this is not traded."""
    deadline_s: Positive = 10.0
    """A source that has not answered by then has no vote in this cycle."""
    source_timeout_s: Positive = 5.0
    """Longest wait for one answer; half the deadline, so that one stall leaves time for the symbols after it."""
    source_concurrency: Annotated[int, Meta(ge=1, le=64)] = 4
    """Questions open at one source at a time."""
    weights: dict[str, float] = field(default_factory=lambda: {"tape": 0.6, "news": 0.4, "thesis": 0.6})
    """Weight of each group; sources inside a group share it."""
    regime_tilt_frac: Annotated[float, Meta(ge=0, le=0.2)] = 0.05
    """How far the market's regime tilts a strength; small, as the index knows little of one name."""
    news_half_life_s: Positive = 3_600.0
    """A headline this old counts half; prices take news in within the hour."""
