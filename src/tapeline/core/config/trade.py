"""Limits and the paper account: ``[trade]``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from tapeline.core.config.base import Count, NotNegative, Positive, Section


class RiskConfig(Section, frozen=True):
    """Limits, enforced after everything else. Read by ``trade``."""

    max_position_pct: Annotated[float, Meta(gt=0, le=100)] = 10.0
    """Of equity, in one name."""
    max_invested_pct: Annotated[float, Meta(gt=0, le=100)] = 80.0
    """Of equity, in all names."""
    max_entries_per_day: Count = 20
    """Buys; exits are never counted and never blocked."""
    daily_loss_limit_pct: Annotated[float, Meta(gt=0, le=100)] = 5.0
    """Mark-to-market loss since the previous close that stops entries for the day."""
    cooldown_s: NotNegative = 3_600.0
    """After a sell, this long no buy of the same name."""
    stop_loss_pct: Annotated[float, Meta(gt=0, le=100)] = 5.0
    take_profit_pct: Positive = 15.0


class TradeConfig(Section, frozen=True):
    """The paper account. Read by ``trade``."""

    initial_cash: Positive = 1_000_000.0
    """Dollars."""
    opening_positions: Annotated[int, Meta(ge=0, le=100)] = 10
    """Names bought at the previous close when a replay begins, best of that day's scan first."""
    min_entry: NotNegative = 1_000.0
    """Dollars. What the limits leave of an entry below this is not worth its order; exits have no such floor."""
    slippage_bps: NotNegative = 5.0
    """Against us, on every fill."""
    fee_bps: NotNegative = 1.0
    max_participation_pct: Annotated[float, Meta(gt=0, le=100)] = 10.0
    """Of a bar's volume; the rest of an order waits for the next bar."""
    order_ttl_s: Positive = 600.0
    """An order not filled by then is cancelled."""
    risk: RiskConfig = field(default_factory=RiskConfig)
