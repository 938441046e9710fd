"""Accounts, bars and signals to decide on: short ways to write them down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from tapeline.core.config import RiskConfig, TradeConfig
from tapeline.core.types import MINUTE_S, NS_PER_S, BarFrame, Fill, Label, Order, Position, Side, Signal
from tapeline.trade.portfolio import OpenOrder, Portfolio

MINUTE_NS = MINUTE_S * NS_PER_S
NOW_NS = 100 * MINUTE_NS + 2 * NS_PER_S
NAN = float("nan")
CONFIG = TradeConfig()


def config(*, risk: Mapping[str, float] | None = None, **changes: float) -> TradeConfig:
    """Return the defaults with some values changed, and no floor under entries unless it is asked for."""
    return msgspec.convert(
        {"min_entry": 0.0, **changes, "risk": msgspec.to_builtins(RiskConfig()) | dict(risk or {})}, TradeConfig
    )


def account(
    positions: Mapping[str, tuple[float, float]] | None = None,
    *,
    cash: float = 100_000.0,
    orders: Sequence[Order] = (),
    **changes: object,
) -> Portfolio:
    """Return an account with positions as {symbol: (qty, average price)}."""
    held = {symbol: Position(symbol, qty, avg_price) for symbol, (qty, avg_price) in (positions or {}).items()}
    opened = {order.order_id: OpenOrder(order, order.qty) for order in orders}
    worth = cash + sum(qty * avg_price for qty, avg_price in (positions or {}).values())
    fields = {"previous_close_equity": worth, "positions": held, "open_orders": opened} | changes
    return Portfolio(cash=cash, **fields)  # type: ignore[arg-type]


def order(
    symbol: str = "AAA", side: Side = Side.BUY, qty: float = 100.0, *, key: str = "o1", created_ns: int = NOW_NS
) -> Order:
    """Return an order of ``NOW_NS``."""
    return Order(key, symbol, side, qty, created_ns, "signal", "s1")


def fill(of: Order, qty: float, price: float, *, fee: float = 0.0, key: str = "f", event_ns: int = NOW_NS + 1) -> Fill:
    """Return a fill of an order."""
    return Fill(key, of.order_id, of.symbol, of.side, qty, price, fee, event_ns, Label.BRIDGED)


def signal(
    symbol: str = "AAA", side: Side = Side.BUY, strength: float = 1.0, *, key: str = "", age_s: float = 1.0
) -> Signal:
    """Return a signal that lives 900 s."""
    as_of_ns = NOW_NS - round(age_s * NS_PER_S)
    return Signal(key or f"s-{symbol}", symbol, side, strength, as_of_ns, as_of_ns + 900 * NS_PER_S, "BULL", (), ())


def frame(
    minute: int,
    rows: Mapping[str, tuple[float, float]] | Sequence[tuple[str, float, float]],
    *,
    timeframe_s: int = MINUTE_S,
    revision: int = 0,
) -> BarFrame:
    """Return the bars of one minute as {symbol: (open, volume)}."""
    lines = [(name, *row) for name, row in rows.items()] if isinstance(rows, Mapping) else list(rows)
    opened = np.array([line[1] for line in lines], np.float64)
    n = len(lines)
    return BarFrame(
        timeframe_s,
        "sip",
        Label.BRIDGED,
        (minute + 1) * MINUTE_NS,
        tuple(line[0] for line in lines),
        np.full(n, minute * MINUTE_NS),
        opened,
        opened + 1.0,
        opened - 1.0,
        opened,
        np.array([line[2] for line in lines], np.float64),
        opened,
        np.ones(n),
        np.full(n, revision),
    )
