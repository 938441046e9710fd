"""From opinions to intentions: which symbol to enter, which to leave, and how much to ask for.

In: signals, the account, prices.  Out: intents for ``risk`` and a reason for everything that was refused.
Refuses to add to a position, to go short, to trade an expired signal or to give one symbol two orders.

A pure function. Exits come first and one position has one exit: stop before target before signal. Limits are not looked
at here: they are enforced afterwards, whatever was asked.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from tapeline.core.config import RiskConfig, TradeConfig
from tapeline.core.types import MINUTE_S, NS_PER_S, Position, Side, Signal
from tapeline.trade.portfolio import Portfolio, Prices, known_price

STOP, TARGET, SIGNAL = "stop", "target", "signal"
"""Reasons of an order."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What we would like: ``qty`` shares, not yet limited and for an entry not yet whole."""

    order_id: str
    symbol: str
    side: Side
    qty: float
    reason: str
    signal_id: str = ""


@dataclass(frozen=True, slots=True)
class Routed:
    """Intents, exits first, entries by strength; and (symbol, why not) for every signal that became none."""

    intents: tuple[Intent, ...]
    refusals: tuple[tuple[str, str], ...]


def order_id(symbol: str, side: Side, *, signal_id: str, reason: str, bar_ns: int) -> str:
    """Return the id that this decision has, however often it is made.

    A signal is traded once, so its id stands for the bar; other exits are one a bar.
    """
    cause = signal_id or f"{reason}@{bar_ns}"
    return hashlib.sha256(f"{cause}|{symbol}|{side.value}".encode()).hexdigest()[:16]


def route(signals: Sequence[Signal], portfolio: Portfolio, prices: Prices, config: TradeConfig, now_ns: int) -> Routed:
    """Decide what to ask for.

    Parameters
    ----------
    signals
        In any order. Of several for one symbol the strongest counts, of equals the one with the lower id.
    prices
        Marks for stops, targets and sizes. Without a price there is no entry, and no stop or target can be judged; a
        position whose signal says sell is left all the same.
    now_ns
        The moment of the decision.

    Notes
    -----
    An entry asks for ``max_position_pct`` of equity times the strength of its signal.
    """
    exits, refusals = _triggered(portfolio, prices, config.risk, now_ns)
    leaving = {intent.symbol for intent in exits}
    equity = portfolio.equity(prices)
    entries: list[Intent] = []
    seen: set[str] = set()
    for signal in sorted(signals, key=lambda s: (-s.strength, s.symbol, s.signal_id)):
        why = _refusal(signal, portfolio, leaving, seen, now_ns)
        seen.add(signal.symbol)
        price = known_price(prices, signal.symbol)
        if not why and signal.side is Side.BUY:
            why = "no price to size an entry" if math.isnan(price) else equity.reason
        if why:
            refusals.append((signal.symbol, why))
        elif signal.side is Side.SELL:
            qty = portfolio.positions[signal.symbol].qty
            exits.append(_intent(signal.symbol, Side.SELL, qty, SIGNAL, now_ns, signal.signal_id))
        else:
            dollars = equity.unwrap() * config.risk.max_position_pct / 100.0 * signal.strength
            entries.append(_intent(signal.symbol, Side.BUY, dollars / price, SIGNAL, now_ns, signal.signal_id))
    return Routed((*exits, *entries), tuple(refusals))


def _intent(symbol: str, side: Side, qty: float, reason: str, now_ns: int, signal_id: str = "") -> Intent:
    bar_ns = now_ns - now_ns % (MINUTE_S * NS_PER_S)
    key = order_id(symbol, side, signal_id=signal_id, reason=reason, bar_ns=bar_ns)
    return Intent(key, symbol, side, qty, reason, signal_id)


def _triggered(
    portfolio: Portfolio, prices: Prices, config: RiskConfig, now_ns: int
) -> tuple[list[Intent], list[tuple[str, str]]]:
    """Return the exits that marks alone call for, by symbol, and the positions that could not be judged."""
    exits: list[Intent] = []
    blind: list[tuple[str, str]] = []
    for symbol, position in sorted(portfolio.positions.items()):
        price = known_price(prices, symbol)
        if math.isnan(price):
            blind.append((symbol, "no price: stop and target can not be judged"))
            continue
        reason = _trigger(position, price, config)
        if reason and not portfolio.pending(symbol, Side.SELL):
            exits.append(_intent(symbol, Side.SELL, position.qty, reason, now_ns))
    return exits, blind


def _trigger(position: Position, price: float, config: RiskConfig) -> str:
    if price <= position.avg_price * (1.0 - config.stop_loss_pct / 100.0):
        return STOP
    if price >= position.avg_price * (1.0 + config.take_profit_pct / 100.0):
        return TARGET
    return ""


def _refusal(signal: Signal, portfolio: Portfolio, leaving: set[str], seen: set[str], now_ns: int) -> str:
    """Return why ``signal`` is not traded; empty when it may be."""
    symbol = signal.symbol
    held = symbol in portfolio.positions
    checks = (
        (symbol in seen, "another signal of this symbol counts"),
        (signal.as_of_ns > now_ns, "the signal is from the future"),
        (now_ns >= signal.expires_ns, "the signal has expired"),
        (symbol in leaving, "the position is already being left"),
        (portfolio.pending(symbol, signal.side) > 0.0, "an order of that side is open"),
        (signal.side is Side.BUY and held, "already held; nothing is added"),
        (signal.side is Side.SELL and not held, "not held; there are no shorts"),
    )
    return next((why for fails, why in checks if fails), "")
