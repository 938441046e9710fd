"""The tables at the end of a run: what was traded and why, what is held, what it is worth. Every number is labelled."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from tapeline.core.types import NS_PER_S
from tapeline.loop.deals import reason_of
from tapeline.loop.desk import Book, Desk
from tapeline.loop.summary import Summary
from tapeline.store import queries
from tapeline.thesis.prompts import plain

MAX_TRADES = 24
"""Rows of the table of trades; the export has them all."""
MAX_CASE = 80
"""Characters of a dossier's summary in the table."""
_NEW_YORK = ZoneInfo("America/New_York")


async def print_report(desk: Desk, book: Book, summary: Summary) -> None:
    """Print a run's result for a person."""
    console = Console()
    console.print(await _trades(desk, book))
    console.print(await _dossiers(desk, book))
    console.print(_holdings(book))
    console.print(_totals(desk, summary))
    for sentence in summary.degraded:
        console.print(f"degraded: {sentence}")
    failed = sum(book.tally.failures.counts.values())
    if failed > len(book.tally.failures.counts):
        console.print(f"sources failed {failed:,} times in all, for the causes below")
    for error in book.tally.errors[:10]:
        console.print(f"error: {error}")


async def _trades(desk: Desk, book: Book) -> Table:
    """List the fills of the session with the decision behind each."""
    fills = [fill for _, fill in await desk.journal.read(queries.fills) if fill.event_ns >= book.session.open_ns]
    orders = {order.order_id: order for _, order in await desk.journal.read(queries.orders)}
    signals = {signal.signal_id: signal for signal in await desk.journal.read(queries.signals)}
    title = f"{min(len(fills), MAX_TRADES)} of {len(fills)} fills on paper, from {book.tally.label} minutes"
    table = Table("New York", "", "shares", "symbol", "price", "why", title=title)
    for fill in fills[:MAX_TRADES]:
        clock = dt.datetime.fromtimestamp(fill.event_ns // NS_PER_S, _NEW_YORK).strftime("%H:%M")
        order = orders[fill.order_id]
        why = reason_of(order, signals.get(order.signal_id))
        table.add_row(clock, fill.side.value, f"{fill.qty:,.0f}", fill.symbol, f"{fill.price:.2f}", why)
    return table


async def _dossiers(desk: Desk, book: Book) -> Table:
    """List what was thought of each ticker, and by whom."""
    kept = await desk.journal.read(lambda connection: queries.dossiers(connection, book.session.open_ns))
    table = Table("symbol", "conviction", "of it the model's", "", "model", "case", title=f"{len(kept)} dossiers")
    for dossier in (record.dossier for record in kept):
        words = plain(dossier.summary, MAX_CASE)
        model = dossier.model or "rules only"
        table.add_row(
            dossier.symbol, f"{dossier.conviction:.2f}", f"{dossier.model_part:+.2f}", dossier.action, model, words
        )
    return table


def _holdings(book: Book) -> Table:
    title = f"held at the close, {book.session.day}"
    table = Table("symbol", "shares", "paid", "last", "value", "since bought", title=title)
    for symbol, position in sorted(book.portfolio.positions.items()):
        last = book.prices[symbol]
        gain_pct = 100.0 * (last / position.avg_price - 1.0)
        value = f"{position.qty * last:,.0f}"
        table.add_row(
            symbol, f"{position.qty:,.0f}", f"{position.avg_price:.2f}", f"{last:.2f}", value, f"{gain_pct:+.1f} %"
        )
    return table if book.portfolio.positions else Table(title=f"nothing held at the close, {book.session.day}")


def _totals(desk: Desk, summary: Summary) -> Table:
    table = Table("what", "how much", title="the run")
    start = desk.config.trade.initial_cash
    rows = {
        "symbols, of which traded": f"{summary.symbols}, {summary.traded}",
        "polls, HTTP requests": f"{summary.polls}, {summary.requests:,}",
        "ticks through the lanes": f"{summary.ticks:,}",
        "closed bars in the journal": f"{summary.bars:,}",
        "a scan of the market": f"{summary.scan_ms:.1f} ms",
        "candidates, signals": f"{summary.candidates}, {summary.signals}",
        "orders, fills": f"{summary.orders}, {summary.fills}",
        "equity, dollars": f"{summary.equity:,.2f} ({100.0 * (summary.equity / start - 1.0):+.2f} %)",
        "discovered, dossiers, questions": f"{summary.discovered}, {summary.dossiers}, {summary.llm_calls}",
        "from discovery to trade": f"{summary.loop_s:.1f} s, {summary.loop_market_s:.0f} s of the market",
        "wall time": f"{summary.wall_s:.1f} s",
        "errors": str(summary.errors),
    }
    for what, how_much in rows.items():
        table.add_row(what, how_much)
    return table
