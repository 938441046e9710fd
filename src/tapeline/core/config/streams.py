"""Lanes, workers and what a tick does: ``[streams]`` and ``[live]``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tapeline.core.config.base import Count, NotNegative, Positive, Section


class StreamsConfig(Section, frozen=True):
    """Valkey, lanes and workers. Read by ``streams``."""

    redis_url: str = ""
    """redis:// or rediss:// of a server (Redis >= 7 or Valkey); empty starts the embedded Valkey in the home."""
    lanes: Annotated[int, Meta(ge=1, le=1024)] = 4
    workers: Annotated[int, Meta(ge=0, le=64)] = 0
    """Worker processes; 0 means 70 % of the cores, at least 1, at most 8."""
    batch_size: Count = 50
    """Entries read at once."""
    batch_ms: Annotated[int, Meta(ge=1, le=10_000)] = 10
    """Longest wait for a batch to fill."""
    lease_s: Positive = 3.0
    """A lane whose owner is silent this long is taken over; well under the 5 s that are promised."""
    max_entries: Annotated[int, Meta(ge=1000)] = 100_000
    """Entries kept per lane; trimming never passes what is applied."""
    snapshot_s: Positive = 1.0
    """Longest time between two snapshots of a lane under load."""
    max_deliveries: Count = 5
    """Tries of one entry before it goes to the dead letters."""


class LiveConfig(Section, frozen=True):
    """What a tick does. Read by ``live``."""

    timeframes_s: tuple[Count, ...] = (60, 300)
    """Bars built from the stream; each a multiple of the one before."""
    window_bars: Annotated[int, Meta(ge=30, le=10_000)] = 120
    """Bars of one minute kept per symbol for the indicators."""
    grace_s: NotNegative = 0.0
    """How long after its end a bar still takes late ticks before it closes; a later one makes a revision."""
    indicators: tuple[str, ...] = ("sma_20", "ema_12", "rsi_14", "atr_14", "bbands_20_2_upper", "bbands_20_2_lower")
    session_start_utc_s: Annotated[int, Meta(ge=0, lt=86_400)] = 18_000
    """Seconds after midnight UTC at which session VWAP, volume, high and low begin anew; 5 h is New York's midnight."""
    hot_ttl_s: Positive = 86_400.0
    """Life of a symbol's hot state in Valkey."""
