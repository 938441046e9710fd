"""What ``poll`` prints: bars and who has none, as a table, as lines of text, or as JSON.

In: reports of the poller.  Out: bars on standard output, what a person should look at on standard error.
Refuses to call a minute by two names: it is named by its start everywhere.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from tapeline.core.types import BAR_FIELDS, MINUTE_S, NS_PER_S, BarFrame, Tick

if TYPE_CHECKING:
    from tapeline.feed.report import PollReport

NAMED = 5
"""Missing symbols that standard error names; JSON names all."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest minute of every symbol: its bars, and who has none for what reason."""

    frames: Sequence[BarFrame] = ()
    no_trade: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    """No bar is known yet: its minute is not final, or nobody of the feed has one."""
    missing: Sequence[tuple[str, str]] = ()
    refused: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    requests: int = 0
    pages: int = 0


def show_newest(as_json: bool, newest: Newest) -> None:
    """Print the newest minute as one JSON object, or as a table."""
    rows = [row for frame in newest.frames for row in rows_of(frame)]
    if as_json:
        told = {
            "bars": rows,
            "no_trade": newest.no_trade,
            "unknown": newest.unknown,
            "missing": _reasons(newest.missing),
            "refused": _reasons(newest.refused),
            "requests": newest.requests,
            "pages": newest.pages,
            "notes": newest.notes,
        }
        typer.echo(msgspec.json.encode(told).decode())
        return
    if rows:
        typer.echo(_line(["symbol", "start (UTC)", *BAR_FIELDS, "feed"]))
    for row in rows:
        numbers = [f"{row[name]:,.10g}" if row[name] is not None else "-" for name in BAR_FIELDS]
        typer.echo(_line([row["symbol"], row["t"], *numbers, f"{row['feed']} ({row['label']})"]))
    typer.echo(f"{len(rows)} bars, {newest.requests} requests, {newest.pages} pages")
    if newest.no_trade:
        typer.echo(f"no trade in this minute: {', '.join(newest.no_trade)}")
    for symbol, reason in (*newest.refused, *newest.missing):
        typer.echo(f"{symbol}: {reason}", err=True)
    for note in newest.notes:
        typer.echo(note, err=True)


def _reasons(pairs: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"symbol": symbol, "reason": reason} for symbol, reason in pairs]


def _line(cells: list[str]) -> str:
    """Return one line of the table: names to the left, numbers to the right."""
    symbol, start, *numbers, feed = cells
    return f"{symbol:<8} {start:<20} " + " ".join(f"{number:>13}" for number in numbers) + f"  {feed}"


def rows_of(frame: BarFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON can hold them; NaN becomes null."""
    rows = []
    for bar in frame.bars():
        numbers = {name: getattr(bar, name) for name in BAR_FIELDS}
        told = {name: None if number != number else number for name, number in numbers.items()}
        head = {"symbol": bar.symbol, "t": iso(bar.event_ns), "event_ns": bar.event_ns}
        rows.append({**head, **told, "feed": bar.feed, "label": bar.label.value, "revision": bar.revision})
    return rows


def show_streamed(as_json: bool, frame: BarFrame) -> None:
    """Print bars of the stream, which a poll may correct."""
    for row in rows_of(frame):
        typer.echo(
            msgspec.json.encode(row).decode()
            if as_json
            else f"{row['t']}: {row['symbol']} closes at {row['close']:,.10g}, streamed"
        )


def show_report(as_json: bool, report: PollReport, is_final: bool) -> None:
    """Print one report: every bar and then the cycle as lines of JSON, or one line on the cycle.

    Before its minute ``is_final``, who has no bar of it may yet get one.
    """
    _warn(report)
    if not (report.requests or report.missing or any(len(frame) for frame in report.frames)):
        return  # between two minutes there was nothing to ask for
    if as_json:
        _show_lines(report, is_final)
        return
    bars = sum(len(frame) for frame in report.frames)
    revised = sum(int((frame.revision > 0).sum()) for frame in report.frames)
    absent = f"{len(report.no_trade)} without {'trade' if is_final else 'a bar yet'}"
    typer.echo(
        f"{_minute_of(report)}: {bars} bars, {revised} of them revised, {absent}, {len(report.missing)} missing, "
        f"{report.requests} requests in {_seconds(report):.2f} s, feed {report.frame.feed}"
        + (f", {len(report.quotes)} quotes" if report.quotes else "")
    )


def _warn(report: PollReport) -> None:
    """Name on standard error what a person should look at."""
    for alert in report.alerts:
        typer.echo(alert, err=True)
    for symbol, reason, _ in report.quarantined:
        typer.echo(f"{symbol} is left out for a while: {reason}", err=True)
    if report.missing:
        first = "; ".join(f"{symbol}: {reason}" for symbol, reason in report.missing[:NAMED])
        more = "; ..." if len(report.missing) > NAMED else ""
        typer.echo(f"{len(report.missing)} symbols missing, asked for again: {first}{more}", err=True)


def _show_lines(report: PollReport, is_final: bool) -> None:
    for frame in report.frames:
        for row in rows_of(frame):
            typer.echo(msgspec.json.encode(row).decode())
    for tick in report.quotes:
        quote = {name: None if number != number else number for name, number in _quote_of(tick)}
        typer.echo(msgspec.json.encode({"symbol": tick.symbol, "t": iso(tick.event_ns), **quote}).decode())
    cycle = {
        "minute": _minute_of(report),
        "bars": sum(len(frame) for frame in report.frames),
        "no_trade": report.no_trade if is_final else (),
        "unknown": () if is_final else report.no_trade,
        "missing": _reasons(report.missing),
        "refused": _reasons([(symbol, reason) for symbol, reason, _ in report.quarantined]),
        "requests": report.requests,
        "pages": report.pages,
        "took_s": round(_seconds(report), 3),
        "feed": report.frame.feed,
        "alerts": report.alerts,
    }
    typer.echo(msgspec.json.encode({"cycle": cycle}).decode())


def _seconds(report: PollReport) -> float:
    return (report.ended_ns - report.started_ns) / NS_PER_S


def _minute_of(report: PollReport) -> str:
    """Return the start of the last minute that the report covers."""
    return iso(report.frame.as_of_ns - MINUTE_S * NS_PER_S)


def _quote_of(tick: Tick) -> tuple[tuple[str, float], ...]:
    """Return the newest price of a snapshot, and what is bid and asked."""
    return ("price", tick.price), ("bid", tick.bid), ("ask", tick.ask)


def iso(moment_ns: int) -> str:
    """Return a moment as UTC text, to the second."""
    return dt.datetime.fromtimestamp(moment_ns // NS_PER_S, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
