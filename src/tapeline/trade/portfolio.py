"""The account: a frozen value that is folded from the ledger, the same way live and after a restart.

In: orders, fills, ends of orders, splits, closes.  Out: cash, positions, open orders, the day's counters, equity.
Refuses to value a position without a price, to sell what is not held, and to book a fill of an order that is not open.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import assert_never

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import Fill, Order, Position, Side
from tapeline.store.batch import EquityMark, Holding, JournalBatch, LedgerEvent, OrderEnd, Split

Prices = Mapping[str, float]
"""Symbol to its last known price in dollars. Absent, NaN and anything not above zero mean: not known."""

_DUST = 1e-9
"""Shares; what floating point leaves of a whole number, never a holding."""


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order with what is left of it. ``last_fill_ns`` is the bar that filled it last; -1 before the first."""

    order: Order
    remaining: float
    last_fill_ns: int = -1


def known_price(prices: Prices, symbol: str) -> float:
    """Return the price of ``symbol``, or NaN when there is none to act on."""
    price = prices.get(symbol, math.nan)
    return price if 0.0 < price < math.inf else math.nan


@dataclass(frozen=True, slots=True)
class Portfolio:
    """An account at one moment. Every change returns a new one; the mappings are never written to.

    Attributes
    ----------
    cash
        Dollars. What it started with, minus what was bought, plus what was sold, minus fees.
    positions
        Symbol to shares held and their average price; nothing is kept of a closed one.
    open_orders
        Order id to what is left of it. Orders in the ledger that the broker has not finished: the outbox.
    realised_pnl
        Dollars won by sells against the average price, fees not included.
    fees
        Dollars paid.
    entries_today
        Buys ordered since the last close; filled or not.
    ordered_today
        Ids of the orders since the last close: deciding twice is one order.
    last_sell_ns
        Symbol to the time of its last sell.
    last_split_ns
        Symbol to the last split that was applied: applying one twice is applying it once.
    previous_close_equity
        Dollars at the last close; what the daily loss is measured against.
    """

    cash: float
    previous_close_equity: float
    positions: Mapping[str, Position] = field(default_factory=dict)
    open_orders: Mapping[str, OpenOrder] = field(default_factory=dict)
    realised_pnl: float = 0.0
    fees: float = 0.0
    entries_today: int = 0
    ordered_today: frozenset[str] = frozenset()
    last_sell_ns: Mapping[str, int] = field(default_factory=dict)
    last_split_ns: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def empty(cash: float) -> Portfolio:
        """Return an account that holds nothing but ``cash`` dollars."""
        return Portfolio(cash=cash, previous_close_equity=cash)

    def equity(self, prices: Prices) -> Outcome[float]:
        """Return cash and holdings in dollars, or no data when a position has no price. It is never counted as 0."""
        missing = sorted(symbol for symbol in self.positions if math.isnan(known_price(prices, symbol)))
        if missing:
            return nothing(Kind.NO_DATA, source="portfolio", reason=f"no price for {', '.join(missing)}")
        held = math.fsum(position.qty * prices[symbol] for symbol, position in self.positions.items())
        return value_of(self.cash + held, source="portfolio")

    def pending(self, symbol: str, side: Side) -> float:
        """Return the shares of ``symbol`` that open orders of ``side`` still ask for."""
        asked = (o for o in self.open_orders.values() if o.order.symbol == symbol and o.order.side is side)
        return math.fsum(o.remaining for o in asked)

    def apply(self, event: LedgerEvent) -> Portfolio:
        """Return the account after one event of the ledger."""
        match event:
            case Order():
                return self.apply_order(event)
            case Fill():
                return self.apply_fill(event)
            case OrderEnd():
                return self.apply_end(event)
            case Split():
                return self.apply_split(event.symbol, event.new_per_old, event.ex_ns)
            case EquityMark():
                return self.apply_close(event) if event.is_close else self
            case _:
                assert_never(event)

    def apply_batch(self, batch: JournalBatch) -> Portfolio:
        """Return the account after a batch, exactly as the journal will read it back."""
        return reduce(Portfolio.apply, batch.ledger(), self)

    def apply_order(self, order: Order) -> Portfolio:
        """Return the account with ``order`` open. An order that was already given today changes nothing."""
        if order.order_id in self.ordered_today or order.order_id in self.open_orders:
            return self
        return replace(
            self,
            open_orders={**self.open_orders, order.order_id: OpenOrder(order, order.qty)},
            ordered_today=self.ordered_today | {order.order_id},
            entries_today=self.entries_today + (order.side is Side.BUY),
        )

    def apply_fill(self, fill: Fill) -> Portfolio:
        """Return the account after a fill.

        Raises
        ------
        ValueError
            The order is not open, was filled from this bar before, or has less left; or it sells what is not held.
        """
        open_order = self.open_orders.get(fill.order_id)
        if open_order is None or fill.event_ns <= open_order.last_fill_ns or fill.qty > open_order.remaining + _DUST:
            raise ValueError(f"fill {fill.fill_id}: order {fill.order_id} has nothing open for it; is it booked twice?")
        left = open_order.remaining - fill.qty
        rest = {key: value for key, value in self.open_orders.items() if key != fill.order_id}
        if left > _DUST:
            rest[fill.order_id] = OpenOrder(open_order.order, left, fill.event_ns)
        booked = replace(
            self,
            cash=self.cash - fill.side.sign * fill.qty * fill.price - fill.fee,
            fees=self.fees + fill.fee,
            open_orders=rest,
        )
        return booked._bought(fill) if fill.side is Side.BUY else booked._sold(fill)

    def _bought(self, fill: Fill) -> Portfolio:
        held = self.positions.get(fill.symbol, Position(fill.symbol, 0.0, 0.0))
        qty = held.qty + fill.qty
        avg_price = (held.qty * held.avg_price + fill.qty * fill.price) / qty
        return replace(self, positions={**self.positions, fill.symbol: Position(fill.symbol, qty, avg_price)})

    def _sold(self, fill: Fill) -> Portfolio:
        held = self.positions.get(fill.symbol)
        if held is None or fill.qty > held.qty + _DUST:
            raise ValueError(
                f"fill {fill.fill_id} sells {fill.qty} {fill.symbol}, more than is held: there are no shorts"
            )
        rest = {symbol: position for symbol, position in self.positions.items() if symbol != fill.symbol}
        if held.qty - fill.qty > _DUST:
            rest[fill.symbol] = replace(held, qty=held.qty - fill.qty)
        return replace(
            self,
            positions=rest,
            realised_pnl=self.realised_pnl + fill.qty * (fill.price - held.avg_price),
            last_sell_ns={**self.last_sell_ns, fill.symbol: fill.event_ns},
        )

    def apply_end(self, end: OrderEnd) -> Portfolio:
        """Return the account without that open order; one that is not open any more changes nothing."""
        if end.order_id not in self.open_orders:
            return self
        return replace(self, open_orders={k: v for k, v in self.open_orders.items() if k != end.order_id})

    def apply_split(self, symbol: str, new_per_old: float, ex_ns: int) -> Portfolio:
        """Return the account after a split: ``new_per_old`` shares for one old (2.0 for 2:1, 0.1 for 1:10).

        Open orders that were given before ``ex_ns`` are restated too. Fractions of a share stay: no cash is paid for
        them, so the value is unchanged.
        """
        if not 0.0 < new_per_old < math.inf:
            raise ValueError(f"split of {symbol}: {new_per_old} shares for one must be above zero")
        if ex_ns <= self.last_split_ns.get(symbol, ex_ns - 1):
            return self
        positions = dict(self.positions)
        if symbol in positions:
            held = positions[symbol]
            positions[symbol] = Position(symbol, held.qty * new_per_old, held.avg_price / new_per_old)
        orders = {
            key: replace(o, order=replace(o.order, qty=o.order.qty * new_per_old), remaining=o.remaining * new_per_old)
            if o.order.symbol == symbol and o.order.created_ns < ex_ns
            else o
            for key, o in self.open_orders.items()
        }
        gone_through = {**self.last_split_ns, symbol: ex_ns}
        return replace(self, positions=positions, open_orders=orders, last_split_ns=gone_through)

    def apply_close(self, mark: EquityMark) -> Portfolio:
        """Return the account at the start of the next day: losses and entries count from this close."""
        if not math.isfinite(mark.equity):
            raise ValueError(f"close {mark.mark_id} has no equity: a day can not be measured against it")
        return replace(self, previous_close_equity=mark.equity, entries_today=0, ordered_today=frozenset())

    def mark(self, prices: Prices, *, mark_id: str, event_ns: int, is_close: bool = False) -> EquityMark:
        """Return the account's statement. Equity and the price of a line are NaN where there is no price."""
        equity = self.equity(prices)
        lines = tuple(
            Holding(symbol, held.qty, held.avg_price, known_price(prices, symbol))
            for symbol, held in sorted(self.positions.items())
        )
        value = equity.unwrap() if is_close or equity.is_value else math.nan
        return EquityMark(mark_id, event_ns, value, self.cash, self.realised_pnl, self.fees, lines, is_close)


def fold(initial_cash: float, events: Iterable[LedgerEvent]) -> Portfolio:
    """Return the account that ``events`` (``Journal.read_ledger``) make of ``initial_cash`` dollars."""
    return reduce(Portfolio.apply, events, Portfolio.empty(initial_cash))
