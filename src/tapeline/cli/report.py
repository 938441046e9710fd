"""The tables at the end of a run: what was traded and why, what is held, what it is worth. Every number is labelled."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tapeline.loop.desk import Book, Desk
from tapeline.loop.summary import Summary


def print_report(desk: Desk, book: Book, summary: Summary) -> None:
    """Print a run's result for a person."""
    console = Console()
    console.print(_holdings(book))
    console.print(_totals(desk, summary))
    for error in book.tally.errors[:10]:
        console.print(f"error: {error}")


def _holdings(book: Book) -> Table:
    table = Table(
        "symbol", "shares", "paid", "last", "value", "since bought", title=f"held at the close, {book.session.day}"
    )
    for symbol, position in sorted(book.portfolio.positions.items()):
        last = book.prices[symbol]
        gain_pct = 100.0 * (last / position.avg_price - 1.0)
        value = f"{position.qty * last:,.0f}"
        table.add_row(
            symbol, f"{position.qty:,.0f}", f"{position.avg_price:.2f}", f"{last:.2f}", value, f"{gain_pct:+.1f} %"
        )
    return table


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
        "wall time": f"{summary.wall_s:.1f} s",
        "errors": str(summary.errors),
    }
    for what, how_much in rows.items():
        table.add_row(what, how_much)
    return table
