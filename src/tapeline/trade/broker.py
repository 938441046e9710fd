"""The broker on paper: open orders meet the bars that came after them.

In: the account, whose open orders are the outbox, and closed bars.  Out: fills and ends of orders.
Refuses to fill from a bar that began before the order was given, from a bar without a price, beyond its share of a
bar's volume, or without cash.

A broker keeps nothing of its own: what it has to do stands in the ledger before it is asked, so after a restart the
same bars make the same fills with the same ids.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tapeline.core.config import TradeConfig
from tapeline.core.types import MINUTE_S, NS_PER_S, BarFrame, Fill, Order, Side
from tapeline.store.batch import EndKind, OrderEnd
from tapeline.trade.portfolio import OpenOrder, Portfolio


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the broker did, in the order in which it is booked: all fills, then the ends."""

    fills: tuple[Fill, ...] = ()
    ends: tuple[OrderEnd, ...] = ()


class Broker(Protocol):
    """Who works the account's open orders."""

    async def settle(self, portfolio: Portfolio, frame: BarFrame, *, as_of_ns: int) -> Settlement:
        """Return what has become of the open orders; asking again with the result applied does nothing twice."""
        ...


class PaperBroker:
    """Fills from bars, as ``fill_orders`` says."""

    def __init__(self, config: TradeConfig) -> None:
        self._config = config

    async def settle(self, portfolio: Portfolio, frame: BarFrame, *, as_of_ns: int) -> Settlement:
        """Return what ``frame`` makes of the open orders."""
        return fill_orders(portfolio, frame, self._config, as_of_ns=as_of_ns)


def fill_orders(portfolio: Portfolio, frame: BarFrame, config: TradeConfig, *, as_of_ns: int) -> Settlement:
    """Work the account's open orders against a frame of one-minute bars.

    Parameters
    ----------
    frame
        Closed bars. Frames of other lengths are not looked at: their volume is in the minutes already.
    as_of_ns
        Every bar that ended by then has been given, in this frame or before.

    Notes
    -----
    Price: the bar's open, moved ``slippage_bps`` against us. It may lie outside the bar's low..high: we pay for moving
    the market, we do not profit from its range.
    Volume: all orders of a symbol together take ``max_participation_pct`` of a bar, in whole shares; the rest waits for
    the next bar. A halt has no bar, so everything waits.
    Order: by bar; in one bar sells before buys, then older before younger.
    Cash: a buy never takes more than is there when it fills.
    End: an order takes bars that begin in [created, created + ``order_ttl_s``), and ends once all of them were seen. A
    sell ends the buys of its symbol that were given before it.
    Corrections: a later word on a bar never fills an order from that bar a second time.
    """
    if frame.timeframe_s != MINUTE_S or not portfolio.open_orders:
        return Settlement()
    ends = _overtaken(portfolio)
    at_work = [o for key, o in sorted(portfolio.open_orders.items()) if key not in ends]
    left = {o.order.order_id: o.remaining for o in at_work}
    ttl_ns = round(config.order_ttl_s * NS_PER_S)
    volume: dict[int, float] = {}
    cash = portfolio.cash
    fills: list[Fill] = []
    for row, open_order in _meetings(frame, at_work, ttl_ns):
        order = open_order.order
        share = volume.setdefault(row, _shares(frame.volume[row] * config.max_participation_pct / 100.0))
        fill = _fill(order, left[order.order_id], share, cash, frame, row, config)
        if fill is None:
            continue
        fills.append(fill)
        volume[row] -= fill.qty
        left[order.order_id] -= fill.qty
        cash = cash - fill.side.sign * fill.qty * fill.price - fill.fee  # as the account will book it, to the bit
        if left[order.order_id] <= 0.0:
            ends[order.order_id] = OrderEnd(order.order_id, EndKind.FILLED, fill.event_ns)
    for open_order in at_work:
        order = open_order.order
        expires_ns = order.created_ns + ttl_ns
        if order.order_id not in ends and as_of_ns >= expires_ns + MINUTE_S * NS_PER_S:
            ends[order.order_id] = OrderEnd(order.order_id, EndKind.EXPIRED, expires_ns)
    return Settlement(tuple(fills), tuple(ends[key] for key in sorted(ends)))


def _overtaken(portfolio: Portfolio) -> dict[str, OrderEnd]:
    """Return the ends of buys whose symbol is being sold by a later order."""
    sold_ns: dict[str, int] = {}
    for o in portfolio.open_orders.values():
        if o.order.side is Side.SELL:
            sold_ns[o.order.symbol] = max(o.order.created_ns, sold_ns.get(o.order.symbol, 0))
    return {
        key: OrderEnd(key, EndKind.CANCELLED, sold_ns[o.order.symbol])
        for key, o in portfolio.open_orders.items()
        if o.order.side is Side.BUY and o.order.created_ns < sold_ns.get(o.order.symbol, 0)
    }


def _meetings(frame: BarFrame, at_work: list[OpenOrder], ttl_ns: int) -> Iterator[tuple[int, OpenOrder]]:
    """Yield (row, order) for every bar that an order may fill from, in the order in which they fill."""
    by_symbol: dict[str, list[OpenOrder]] = {}
    for open_order in at_work:
        by_symbol.setdefault(open_order.order.symbol, []).append(open_order)
    found = [
        (int(frame.event_ns[row]), o.order.side is Side.BUY, o.order.created_ns, o.order.order_id, row, o)
        for row, symbol in enumerate(frame.symbols)
        for o in by_symbol.get(symbol, ())
    ]
    last_ns = {o.order.order_id: o.last_fill_ns for o in at_work}
    for event_ns, _, created_ns, key, row, open_order in sorted(found, key=lambda meeting: meeting[:5]):
        if created_ns <= event_ns < created_ns + ttl_ns and event_ns > last_ns[key]:
            # Of two words on one bar in a frame, the first is the one the order met.
            last_ns[key] = event_ns
            yield row, open_order


def _fill(
    order: Order, left: float, share: float, cash: float, frame: BarFrame, row: int, config: TradeConfig
) -> Fill | None:
    """Return the fill of one order from one bar, or None when it has to wait."""
    opened = float(frame.open[row])
    if not 0.0 < opened < math.inf:
        return None
    price = opened * (1.0 + order.side.sign * config.slippage_bps / 1e4)
    fee_rate = config.fee_bps / 1e4
    qty = left if left <= share else share
    if order.side is Side.BUY:
        qty = min(qty, _shares(cash / (price * (1.0 + fee_rate))))
    if qty <= 0.0:
        return None
    event_ns = int(frame.event_ns[row])
    key = hashlib.sha256(f"{order.order_id}|{event_ns}".encode()).hexdigest()[:16]
    fee = qty * price * fee_rate
    return Fill(key, order.order_id, order.symbol, order.side, qty, price, fee, event_ns, frame.label)


def _shares(amount: float) -> float:
    """Return the whole shares in ``amount``; none when it is unknown."""
    return float(math.floor(amount)) if amount > 0.0 else 0.0
