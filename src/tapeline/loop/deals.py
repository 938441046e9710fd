"""Fills as a person wants to read them: each with the reason that led to it.

In: fills, orders, signals.  Out: ``Deal``s.  Refuses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tapeline.core.types import Fill, Order, Signal
from tapeline.loop.board import Deal
from tapeline.store import queries
from tapeline.store.journal import Journal


def reason_of(order: Order, signal: Signal | None) -> str:
    """Return why an order was given: what each voice said, or the rule that gave it."""
    if signal is None:
        return order.reason
    return "; ".join(f"{vote.source} {vote.side:+.1f}: {vote.reason}" for vote in signal.votes)


def deals_of(fills: Iterable[Fill], orders: Mapping[str, Order], signals: Mapping[str, Signal]) -> list[Deal]:
    """Return the fills with their reasons, in their order."""
    deals = []
    for fill in fills:
        order = orders[fill.order_id]
        deals.append(
            Deal(
                fill_id=fill.fill_id,
                symbol=fill.symbol,
                side=fill.side.value,
                qty=fill.qty,
                price=fill.price,
                fee=fill.fee,
                event_ns=fill.event_ns,
                reason=reason_of(order, signals.get(order.signal_id)),
                label=fill.label.value,
            )
        )
    return deals


async def read_deals(journal: Journal, since_ns: int) -> tuple[list[Deal], dict[str, Signal]]:
    """Return the fills of the journal from ``since_ns`` on, oldest first, and the signals since then by id."""
    fills = [fill for _, fill in await journal.read(queries.fills) if fill.event_ns >= since_ns]
    orders = {order.order_id: order for _, order in await journal.read(queries.orders)}
    signals = {s.signal_id: s for s in await journal.read(queries.signals) if s.as_of_ns >= since_ns}
    return deals_of(fills, orders, signals), signals
