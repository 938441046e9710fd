"""The limits, enforced after everything else: whatever was asked, the account stays inside them.

In: intents, the account, prices.  Out: orders, and a ``Clamp`` for every limit that changed or refused one.
Refuses to block or count an exit, and to hand what was clamped to somebody else.

A pure function. An entry that can not be measured (no price somewhere) is refused, never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tapeline.core.config import TradeConfig
from tapeline.core.outcome import Outcome
from tapeline.core.types import NS_PER_S, Clamp, Order, Side
from tapeline.trade.portfolio import Portfolio, Prices, known_price
from tapeline.trade.router import Intent


class Limit(StrEnum):
    """Names of the limits, as they stand in a ``Clamp``."""

    ONCE = "ordered_already"
    NO_SHORT = "no_short"
    UNMEASURED = "price_unknown"
    DAILY_LOSS = "daily_loss"
    COOLDOWN = "cooldown"
    ENTRIES = "entries_per_day"
    POSITION = "position_pct"
    INVESTED = "invested_pct"
    CASH = "cash"
    WHOLE_SHARES = "whole_shares"
    TOO_SMALL = "min_entry"


@dataclass(frozen=True, slots=True)
class Limited:
    """Orders that may be given, exits first, and what the limits did. Clamps count shares."""

    orders: tuple[Order, ...]
    clamps: tuple[Clamp, ...]


@dataclass(slots=True)
class _Room:
    """What one pass has left; every entry takes its part before the next is looked at."""

    equity: float
    cash: float
    invested: float
    entries: int
    in_symbol: dict[str, float]

    def take(self, symbol: str, dollars: float) -> None:
        self.cash -= dollars
        self.invested += dollars
        self.entries += 1
        self.in_symbol[symbol] = self.in_symbol.get(symbol, 0.0) + dollars


def unit_cost(price: float, config: TradeConfig) -> float:
    """Return the dollars that one share bought at ``price`` will have cost, slippage and fee included."""
    return price * (1.0 + config.slippage_bps / 1e4) * (1.0 + config.fee_bps / 1e4)


def apply_limits(
    intents: Sequence[Intent], portfolio: Portfolio, prices: Prices, config: TradeConfig, now_ns: int
) -> Limited:
    """Turn intents into orders that break no limit.

    Parameters
    ----------
    intents
        Served in their order, so the caller says what matters most; exits go before all entries.
    prices
        Marks. Every position and every open buy needs one, or there are no entries.
    now_ns
        The moment of the decision; the orders are created then.

    Notes
    -----
    Open buys count as if they were filled at the mark: in the name, in the whole and in cash. The proceeds of open
    sells count only once they are there. The daily loss is equity now against equity at the previous close, so a buy
    is no loss.
    """
    given: set[str] = set(portfolio.ordered_today) | set(portfolio.open_orders)
    free = {symbol: p.qty - portfolio.pending(symbol, Side.SELL) for symbol, p in portfolio.positions.items()}
    room = _room(portfolio, prices, config)
    orders: list[Order] = []
    clamps: list[Clamp] = []
    for intent in sorted(intents, key=lambda i: i.side is Side.BUY):
        if intent.order_id in given:
            clamps.append(Clamp(Limit.ONCE, intent.symbol, intent.qty, 0.0))
            continue
        if intent.side is Side.SELL:
            qty, cuts = _exit(intent, free)
        else:
            qty, cuts = _entry(intent, room, portfolio, prices, config, now_ns)
        clamps += cuts
        if qty > 0.0:
            given.add(intent.order_id)
            orders.append(
                Order(intent.order_id, intent.symbol, intent.side, qty, now_ns, intent.reason, intent.signal_id)
            )
    return Limited(tuple(orders), tuple(clamps))


def _exit(intent: Intent, free: dict[str, float]) -> tuple[float, list[Clamp]]:
    """Return what of an exit is there to sell; nothing else may stand in its way."""
    qty = max(0.0, min(intent.qty, free.get(intent.symbol, 0.0)))
    free[intent.symbol] = free.get(intent.symbol, 0.0) - qty
    return qty, [] if qty == intent.qty > 0.0 else [Clamp(Limit.NO_SHORT, intent.symbol, intent.qty, qty)]


def _room(portfolio: Portfolio, prices: Prices, config: TradeConfig) -> Outcome[_Room]:
    """Return what may still be bought, or why that can not be said."""
    buys = [o for o in portfolio.open_orders.values() if o.order.side is Side.BUY]
    marks = {symbol: known_price(prices, symbol) for symbol in [o.order.symbol for o in buys]}
    in_symbol = {symbol: p.qty * known_price(prices, symbol) for symbol, p in portfolio.positions.items()}
    reserved = 0.0
    for open_order in buys:
        dollars = open_order.remaining * unit_cost(marks[open_order.order.symbol], config)
        reserved += dollars
        in_symbol[open_order.order.symbol] = in_symbol.get(open_order.order.symbol, 0.0) + dollars
    invested = math.fsum(in_symbol.values())
    return portfolio.equity(prices).map(
        lambda equity: _Room(equity, portfolio.cash - reserved, invested, portfolio.entries_today, in_symbol)
    )


def _entry(
    intent: Intent, room: Outcome[_Room], portfolio: Portfolio, prices: Prices, config: TradeConfig, now_ns: int
) -> tuple[float, list[Clamp]]:
    """Return the whole shares that every limit allows, and what each limit took."""
    symbol, asked = intent.symbol, intent.qty
    cost = unit_cost(known_price(prices, symbol), config)
    left = room.value
    if left is None or math.isnan(cost) or math.isnan(left.invested):
        return 0.0, [Clamp(Limit.UNMEASURED, symbol, asked, 0.0)]
    if shut := _shut(symbol, left, portfolio, config, now_ns):
        return 0.0, [Clamp(shut, symbol, asked, 0.0)]
    risk = config.risk
    dollars = (
        (Limit.POSITION, left.equity * risk.max_position_pct / 100.0 - left.in_symbol.get(symbol, 0.0)),
        (Limit.CASH, left.cash),
        (Limit.INVESTED, left.equity * risk.max_invested_pct / 100.0 - left.invested),
    )
    clamps: list[Clamp] = []
    qty = asked
    for limit, room_dollars in dollars:
        allowed = max(0.0, float(math.floor(room_dollars / cost)))
        if allowed < math.floor(qty):
            clamps.append(Clamp(limit, symbol, qty, allowed))
            qty = allowed
    whole = float(math.floor(qty))
    if whole <= 0.0:
        return 0.0, clamps or [Clamp(Limit.WHOLE_SHARES, symbol, asked, 0.0)]
    if whole * cost < config.min_entry:
        return 0.0, [*clamps, Clamp(Limit.TOO_SMALL, symbol, whole, 0.0)]
    left.take(symbol, whole * cost)
    return whole, clamps


def _shut(symbol: str, room: _Room, portfolio: Portfolio, config: TradeConfig, now_ns: int) -> Limit | None:
    """Return the limit that allows no entry at all now, if there is one."""
    risk = config.risk
    if room.equity <= portfolio.previous_close_equity * (1.0 - risk.daily_loss_limit_pct / 100.0):
        return Limit.DAILY_LOSS
    sold_ns = portfolio.last_sell_ns.get(symbol)
    if sold_ns is not None and now_ns < sold_ns + round(risk.cooldown_s * NS_PER_S):
        return Limit.COOLDOWN
    return Limit.ENTRIES if room.entries >= risk.max_entries_per_day else None
