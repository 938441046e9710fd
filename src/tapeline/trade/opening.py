"""The account that a replay begins with: positions bought at the previous close, and that close as the first mark.

In: names, best first, and their closes.  Out: an account and the batch that the journal keeps of it.
Refuses to buy what has no close, and to spend more than half of what may be invested: the day needs room of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tapeline.core.config import TradeConfig
from tapeline.core.types import Fill, Label, Order, Side
from tapeline.store.batch import EndKind, JournalBatch, OrderEnd
from tapeline.trade.portfolio import Portfolio, Prices, known_price
from tapeline.trade.risk import unit_cost
from tapeline.trade.router import order_id

OPENING = "opening"
"""Reason of the orders of this module."""


def open_account(
    names: Sequence[str], closes: Prices, config: TradeConfig, *, close_ns: int, label: Label
) -> tuple[Portfolio, JournalBatch]:
    """Buy the first ``config.opening_positions`` names that have a close, in equal parts, and mark the close.

    Parameters
    ----------
    names
        Symbols, best first.
    closes
        Dollars at the previous close.
    close_ns
        The moment of that close.
    label
        Where the closes come from.
    """
    risk = config.risk
    chosen = [name for name in dict.fromkeys(names) if not math.isnan(known_price(closes, name))]
    chosen = chosen[: config.opening_positions]
    part_pct = min(risk.max_position_pct, risk.max_invested_pct / 2.0 / max(1, len(chosen)))
    budget = config.initial_cash * part_pct / 100.0
    bought = [
        _bought(name, closes[name], qty, config, close_ns, label)
        for name in chosen
        if (qty := float(math.floor(budget / unit_cost(closes[name], config)))) > 0.0
    ]
    trades = JournalBatch(
        orders=tuple(order for order, _ in bought),
        fills=tuple(fill for _, fill in bought),
        ends=tuple(OrderEnd(order.order_id, EndKind.FILLED, close_ns) for order, _ in bought),
    )
    account = Portfolio.empty(config.initial_cash).apply_batch(trades)
    mark = account.mark(closes, mark_id=f"close@{close_ns}", event_ns=close_ns, is_close=True)
    return account.apply(mark), JournalBatch(orders=trades.orders, fills=trades.fills, ends=trades.ends, marks=(mark,))


def _bought(
    symbol: str, close: float, qty: float, config: TradeConfig, close_ns: int, label: Label
) -> tuple[Order, Fill]:
    key = order_id(symbol, Side.BUY, signal_id="", reason=OPENING, bar_ns=close_ns)
    price = close * (1.0 + config.slippage_bps / 1e4)
    order = Order(key, symbol, Side.BUY, qty, close_ns, OPENING)
    fee = qty * price * config.fee_bps / 1e4
    return order, Fill(f"{key}-0", key, symbol, Side.BUY, qty, price, fee, close_ns, label)
