"""Alpaca's words for a bar, a trade, a quote and a snapshot.

In: an answer's bytes.  Out: frames of bars, ticks.
Refuses prices that are not positive, moments without a zone, and symbols that were not asked for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct, field

from tapeline.core.errors import BadMessage
from tapeline.core.types import MINUTE_S, NS_PER_S, BarFrame, Label, Tick
from tapeline.feed.http import Response, decode
from tapeline.feed.sources import Newest
from tapeline.feed.vendors.shared import Amount, Price

Stamp = Annotated[dt.datetime, Meta(tz=True)]
ParseNewest = Callable[[frozenset[str], str, Response], Newest]
"""Reads the newest bars out of an answer: symbols asked for, feed, answer."""


class WireBar(Struct, frozen=True):
    """{"t":"2010-05-06T13:30:00Z","o":1.0,"h":1.0,"l":1.0,"c":1.0,"v":100,"n":3,"vw":1.0}

    Bars of crypto come also for minutes in which only quotes moved: volume and vwap are 0 then, and vwap is unknown.
    """

    t: Stamp
    o: Price
    h: Price
    l: Price  # noqa: E741  the vendor's name
    c: Price
    v: Amount
    n: Amount | None = None
    vw: Amount | None = None


class BarsPage(Struct, frozen=True):
    """{"bars":{"AAPL":[{...}]},"next_page_token":null}"""

    bars: dict[str, list[WireBar]] | None
    next_page_token: str | None = None


class _LatestBars(Struct, frozen=True):
    """{"bars":{"AAPL":{...}}}; a symbol that never traded is absent."""

    bars: dict[str, WireBar]


class _Trade(Struct, frozen=True):
    """{"t":"...","x":"V","p":250.1,"s":100,"c":["@"],"i":1,"z":"C"}"""

    t: Stamp
    p: Price
    s: Amount


class _Quote(Struct, frozen=True):
    """{"t":"...","ap":250.2,"as":1,"bp":250.0,"bs":1,"c":["R"],"z":"C"}; a side without an order is 0."""

    ap: Amount = 0.0
    bp: Amount = 0.0


class _Snapshot(Struct, frozen=True):
    """{"latestTrade":{...},"latestQuote":{...},"minuteBar":{...},"dailyBar":{...},"prevDailyBar":{...}}"""

    trade: _Trade | None = field(name="latestTrade", default=None)
    quote: _Quote | None = field(name="latestQuote", default=None)
    minute: WireBar | None = field(name="minuteBar", default=None)


class _Snapshots(Struct, frozen=True):
    """{"snapshots":{"BTC/USD":{...}}}"""

    snapshots: dict[str, _Snapshot | None]


def ns_of(moment: dt.datetime) -> int:
    """Return UTC nanoseconds, exact to the microsecond that the wire shape carries."""
    return int(moment.timestamp()) * NS_PER_S + moment.microsecond * 1_000


def rfc3339(moment_ns: int) -> str:
    """Return the whole second of a moment in the vendor's spelling."""
    return dt.datetime.fromtimestamp(moment_ns // NS_PER_S, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def frame_of(
    symbols: Sequence[str], bars: Sequence[WireBar], *, timeframe_s: int, feed: str, label: Label, as_of_ns: int
) -> BarFrame:
    """Return bars as one frame in their order, the symbol of each beside it."""
    return BarFrame(
        timeframe_s,
        feed,
        label,
        as_of_ns,
        tuple(symbols),
        np.array([ns_of(bar.t) for bar in bars], np.int64),
        open=np.array([bar.o for bar in bars], np.float64),
        high=np.array([bar.h for bar in bars], np.float64),
        low=np.array([bar.l for bar in bars], np.float64),
        close=np.array([bar.c for bar in bars], np.float64),
        volume=np.array([bar.v for bar in bars], np.float64),
        vwap=np.array([bar.vw if bar.v else None for bar in bars], np.float64),  # None becomes NaN
        trades=np.array([bar.n for bar in bars], np.float64),
    )


def parse_latest(asked: frozenset[str], feed: str, response: Response) -> Newest:
    """Read the newest bars."""
    found = decode(response, _LatestBars).bars
    check_asked(found.keys(), asked)
    return Newest(_minute_frame(sorted(found.items()), feed, response))


def parse_snapshots(asked: frozenset[str], feed: str, response: Response) -> Newest:
    """Read snapshots: the newest bars, and a tick of the newest trade with its bid and ask."""
    return _newest_of(decode(response, dict[str, _Snapshot | None]), asked, feed, response)


def parse_crypto_snapshots(asked: frozenset[str], feed: str, response: Response) -> Newest:
    """Read snapshots of crypto, which stand one level deeper; see ``parse_snapshots``."""
    return _newest_of(decode(response, _Snapshots).snapshots, asked, feed, response)


def _newest_of(found: Mapping[str, _Snapshot | None], asked: frozenset[str], feed: str, response: Response) -> Newest:
    check_asked(found.keys(), asked)
    told = [(symbol, snapshot) for symbol, snapshot in sorted(found.items()) if snapshot is not None]
    bars = [(symbol, snapshot.minute) for symbol, snapshot in told if snapshot.minute is not None]
    quotes = [_tick(symbol, s.trade, s.quote) for symbol, s in told if s.trade is not None]
    return Newest(_minute_frame(bars, feed, response), tuple(quotes))


def _tick(symbol: str, trade: _Trade, quote: _Quote | None) -> Tick:
    bid, ask = (quote.bp, quote.ap) if quote is not None else (0.0, 0.0)
    nan = float("nan")
    return Tick(symbol, ns_of(trade.t), trade.p, trade.s, bid=bid or nan, ask=ask or nan)


def _minute_frame(rows: Sequence[tuple[str, WireBar]], feed: str, response: Response) -> BarFrame:
    symbols, bars = [symbol for symbol, _ in rows], [bar for _, bar in rows]
    return frame_of(symbols, bars, timeframe_s=MINUTE_S, feed=feed, label=response.label, as_of_ns=response.received_ns)


def check_asked(found: AbstractSet[str], asked: AbstractSet[str]) -> None:
    """Raise BadMessage when an answer holds a symbol that was not asked for."""
    if strangers := found - asked:
        raise BadMessage(f"it holds {min(strangers)[:20]!r}, which was not asked for")
