"""Rows for a person, made of the book. Pure.

In: a book.  Out: tiles, the account, one symbol's page.  Refuses to show a number that is not known: it is None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import numpy as np

from tapeline.core.types import F64, I64, MINUTE_S, Dossier
from tapeline.grid import BarGrid
from tapeline.grid.about import About
from tapeline.loop.board import Account, Candle, Holding, SymbolPage, Tile
from tapeline.loop.desk import Book, Desk

CHARTED = ("sma_20", "ema_12", "rsi_14", "bbands_20_2_upper", "bbands_20_2_lower")
"""Indicators of a symbol's page."""
FIELDS = ("open", "high", "low", "close", "volume")
MAX_DAYS = 120
"""Sessions on a symbol's page."""
MAX_NAMED = 5
"""Symbols that a sentence names."""


def known(number: float) -> float | None:
    """Return a number, or None for NaN."""
    return None if math.isnan(number) else number


def tally_of(book: Book) -> dict[str, int]:
    """Return what the session did so far."""
    names = ("polls", "ticks", "bars", "signals", "orders", "fills", "dossiers", "llm_calls")
    counts = {name: getattr(book.tally, name) for name in names}
    return {**counts, "errors": len(book.tally.errors)}


def sources_of(desk: Desk, degraded: Mapping[str, str]) -> dict[str, str]:
    """Return each host that is asked with "ok" or what is wrong with it, and every part that does not work."""
    hosts = {name: cause or "ok" for name, cause in desk.vendors.troubles.items()}
    return {**hosts, **dict(desk.research.gaps), **degraded}


def feeds_of(book: Book) -> dict[str, str]:
    """Return the polls, and the stream if somebody is listened to, with "ok" or what is wrong with them."""
    stream = book.intake.state
    return {"poll": poll_of(book)} if stream is None else {"poll": poll_of(book), "stream": stream}


def poll_of(book: Book) -> str:
    """Return "ok", or what is wrong with the polls: a feed that does not advance, symbols that the vendor refuses."""
    refused = sorted(book.poller.quarantine)
    named = ", ".join(refused[:MAX_NAMED]) + (", ..." if len(refused) > MAX_NAMED else "")
    troubles = [*book.alerts, *([f"{len(refused)} symbols are refused and left out: {named}"] if refused else [])]
    return "; ".join(troubles) or "ok"


def tiles_of(book: Book, about: Mapping[str, About]) -> tuple[Tile, ...]:
    """Return a tile for every symbol, in the universe's order."""
    dollars = _dollars_today(book)
    label = book.tally.label.value
    unknown = About()
    return tuple(
        Tile(
            symbol=symbol,
            name=about.get(symbol, unknown).name,
            sector=about.get(symbol, unknown).sector,
            price=book.prices.get(symbol),
            change_pct=_change_pct(book, symbol),
            dollar_volume=known(dollars[col]),
            label=label,
        )
        for col, symbol in enumerate(book.days.symbols)
    )


def _dollars_today(book: Book) -> list[float]:
    """Return each symbol's traded dollars of today; NaN before its first trade."""
    if not book.days.n_bars or int(book.days.event_ns[-1]) < book.session.open_ns:
        return [math.nan] * len(book.symbols)
    dollars: list[float] = (book.days.last("vwap") * book.days.last("volume")).tolist()
    return dollars


def _change_pct(book: Book, symbol: str) -> float | None:
    price, before = book.prices.get(symbol), book.previous.get(symbol)
    return 100.0 * (price / before - 1.0) if price is not None and before else None


def account_of(book: Book) -> Account:
    """Return the account as of now, newest fills first."""
    equity = book.portfolio.equity(book.prices)
    holdings = tuple(_holding(book, symbol) for symbol in sorted(book.portfolio.positions))
    return Account(
        cash=book.portfolio.cash,
        equity=equity.value,
        holdings=holdings,
        deals=tuple(reversed(book.deals)),
        curve=tuple(book.curve),
    )


def _holding(book: Book, symbol: str) -> Holding:
    position, price = book.portfolio.positions[symbol], book.prices.get(symbol)
    return Holding(
        symbol=symbol,
        qty=position.qty,
        avg_price=position.avg_price,
        price=price,
        value=None if price is None else position.qty * price,
        profit_pct=None if price is None else 100.0 * (price / position.avg_price - 1.0),
    )


def dossier_of(book: Book, symbol: str) -> Dossier | None:
    """Return the newest dossier of a symbol, decided on or not."""
    if symbol in book.written:
        return book.written[symbol]
    waiting = [kept for kept in book.arrived if kept.dossier.symbol == symbol]
    kept = waiting[-1] if waiting else book.dossiers.get(symbol)
    return None if kept is None else kept.dossier


def symbol_page(book: Book, symbol: str, about: About) -> SymbolPage:
    """Return everything that is known of a symbol of the universe."""
    minutes, days = _traded(book.minutes, symbol), _traded(book.days, symbol)
    dossier = dossier_of(book, symbol)
    return SymbolPage(
        symbol=symbol,
        name=about.name,
        sector=about.sector,
        price=book.prices.get(symbol),
        change_pct=_change_pct(book, symbol),
        label=book.tally.label.value,
        minutes=_candles(*minutes),
        days=_candles(*days)[-MAX_DAYS:],
        indicators=_indicators(symbol, *minutes),
        headlines=_headlines(book, symbol),
        deals=tuple(deal for deal in reversed(book.deals) if deal.symbol == symbol),
        holding=_holding(book, symbol) if symbol in book.portfolio.positions else None,
        dossier=None if dossier is None else msgspec.json.decode(msgspec.json.encode(dossier)),
    )


def _headlines(book: Book, symbol: str) -> tuple[tuple[int, str, str], ...]:
    """Return what the press says, each title once: an agency's text is printed by many."""
    distinct = {h.title: h for h in reversed(book.headlines.get(symbol, ()))}
    newest_first = sorted(distinct.values(), key=lambda headline: -headline.event_ns)
    return tuple((h.event_ns, h.publisher, h.title) for h in newest_first)


def _traded(bars: BarGrid, symbol: str) -> tuple[I64, dict[str, F64]]:
    """Return starts and columns of a symbol's bars; those without a trade are left out."""
    col = bars.column(symbol)
    columns = {name: bars.field(name)[:, col] for name in FIELDS}
    kept = np.flatnonzero(~np.isnan(columns["close"]))
    return bars.event_ns[kept], {name: np.array(column[kept]) for name, column in columns.items()}


def _candles(event_ns: I64, columns: dict[str, F64]) -> tuple[Candle, ...]:
    lists = [columns[name].tolist() for name in FIELDS]
    rows = zip(event_ns.tolist(), *lists, strict=True)
    return tuple(Candle(event_ns=start, **dict(zip(FIELDS, row, strict=True))) for start, *row in rows)


def _indicators(symbol: str, event_ns: I64, columns: dict[str, F64]) -> dict[str, tuple[float | None, ...]]:
    """Return the charted indicators, a value for each traded minute; None while they warm up."""
    if len(event_ns) < 2:
        return {name: (None,) * len(event_ns) for name in CHARTED}
    opened, high, low, close, volume = (columns[name][:, None] for name in FIELDS)
    grid = BarGrid.from_arrays(
        (symbol,), event_ns, open=opened, high=high, low=low, close=close, volume=volume, timeframe_s=MINUTE_S
    )
    values = grid.indicators(CHARTED, rows="all")
    return {name: tuple(known(value) for value in values[name][:, 0].tolist()) for name in CHARTED}
