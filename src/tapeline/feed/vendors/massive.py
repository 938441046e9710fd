"""Massive: minute and daily bars, one ticker a request.

In: symbols and a span of time.  Out: outcomes of ``BarFrame``.
Refuses a part of an answer, as every vendor here does, and a next page that leads to another host.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from urllib.parse import parse_qsl, quote, urlsplit

import numpy as np
from msgspec import Struct

from tapeline.core.clock import Clock
from tapeline.core.config.feed import FeedConfig
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Outcome, nothing, value_of
from tapeline.core.types import DAY_S, MINUTE_S, BarFrame
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host, Response, decode
from tapeline.feed.limiter import SlidingWindowLimiter
from tapeline.feed.sources import join_frames
from tapeline.feed.vendors.shared import Amount, CountedBars, Price, failed, new_york_midnight_ns

HOST = "massive"
PAGE_BARS = 50_000
MAX_PAGES = 100
"""Pages of one ticker at most: five million bars. More is a server that never ends."""
RANGES = {"1Min": ("1", "minute", MINUTE_S), "5Min": ("5", "minute", 5 * MINUTE_S), "1Day": ("1", "day", DAY_S)}
_MS = 1_000_000


class _Bar(Struct, frozen=True):
    """{"v":100,"vw":1.0,"o":1.0,"c":1.0,"h":1.0,"l":1.0,"t":1273152600000,"n":3}"""

    t: int
    o: Price
    h: Price
    l: Price  # noqa: E741  the vendor's name
    c: Price
    v: Amount
    vw: Amount | None = None
    n: Amount | None = None


class _Page(Struct, frozen=True):
    """{"ticker":"AAPL","results":[{...}],"status":"OK","next_url":"https://..."}; no list when there is nothing."""

    ticker: str
    results: tuple[_Bar, ...] = ()
    next_url: str = ""


def massive_host(config: FeedConfig, key: str, clock: Clock) -> Host:
    """Return the host, with its limiter; the key goes into a header, never into an address."""
    limiter = SlidingWindowLimiter(config.massive.requests_per_minute, clock=clock)
    return Host(HOST, config.massive.base_url, limiter, {"authorization": f"Bearer {key}"})


class MassiveBars(CountedBars):
    """Massive's aggregates over the gateway. A ``BarSource`` and a ``DailySource``.

    Parameters
    ----------
    gateway
        With the host of ``massive_host``.
    adjusted
        Whether prices are restated for splits; the vendor's own default is to, ours is what traded.
    """

    name = "massive"
    feed = "massive"

    def __init__(self, gateway: Gateway, *, adjusted: bool = False) -> None:
        super().__init__(gateway, HOST)
        self._adjusted = adjusted

    async def fetch_bars(
        self,
        symbols: Sequence[str],
        start_ns: int,
        end_ns: int,
        timeframe: str = "1Min",
        *,
        deadline_ns: int | None = None,
    ) -> Outcome[BarFrame]:
        """Fetch every bar that starts in [start_ns, end_ns), one ticker after the other; see ``BarSource``."""
        frames: list[BarFrame] = []
        last: Outcome[BarFrame] | None = None
        for symbol in symbols:
            last = await self._fetch_symbol(symbol, start_ns, end_ns, timeframe, deadline_ns)
            if last.value is None:
                return last
            frames.append(last.value)
        if last is None:
            raise ValueError("no symbol to ask for")
        return value_of(join_frames(frames, as_of_ns=end_ns), source=self.name, as_of_ns=last.as_of_ns)

    async def fetch_daily(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Outcome[BarFrame]:
        """Fetch the daily bars from ``first`` to ``last``, both included. See ``fetch_bars``."""
        return await self.fetch_bars(
            symbols, new_york_midnight_ns(first), new_york_midnight_ns(last + dt.timedelta(days=1)), "1Day"
        )

    async def _fetch_symbol(
        self, symbol: str, start_ns: int, end_ns: int, timeframe: str, deadline_ns: int | None
    ) -> Outcome[BarFrame]:
        count, unit, step_s = RANGES[timeframe]
        # Both ends are included by the vendor; the millisecond before leaves `end_ns` out.
        span = f"{start_ns // _MS}/{end_ns // _MS - 1}"
        path = f"/v2/aggs/ticker/{quote(symbol, safe='')}/range/{count}/{unit}/{span}"
        params: dict[str, str | int] = {"adjusted": str(self._adjusted).lower(), "sort": "asc", "limit": PAGE_BARS}
        frames: list[BarFrame] = []
        for _ in range(MAX_PAGES):
            parse = partial(_parse_page, symbol, start_ns, end_ns, step_s)
            outcome = await self._gateway.fetch(HOST, path, params, parse=parse, deadline_ns=deadline_ns)
            if outcome.value is None:
                return failed(outcome, self.name, f"{symbol}: {outcome.reason}")
            self._tally.pages += 1
            frame, following = outcome.value
            frames.append(frame)
            if not following:
                whole = join_frames(frames, as_of_ns=end_ns)
                return value_of(whole, source=self.name, as_of_ns=outcome.as_of_ns)
            path, params = _next(following)
        return nothing(outcome.kind, source=self.name, reason=f"more than {MAX_PAGES} pages of {symbol}")


def _parse_page(symbol: str, start_ns: int, end_ns: int, step_s: int, response: Response) -> tuple[BarFrame, str]:
    """Return the page's bars and where the next page is."""
    page = decode(response, _Page)
    if page.ticker != symbol:
        raise BadMessage(f"it holds {page.ticker[:20]!r}, which was not asked for")
    bars = page.results
    event_ns = np.array([bar.t * _MS for bar in bars], np.int64)
    if bool(((event_ns < start_ns) | (event_ns >= end_ns)).any()):
        raise BadMessage(f"a bar of {symbol} lies outside the span asked for")
    frame = BarFrame(
        step_s,
        MassiveBars.feed,
        response.label,
        end_ns,
        (symbol,) * len(bars),
        event_ns,
        open=np.array([bar.o for bar in bars], np.float64),
        high=np.array([bar.h for bar in bars], np.float64),
        low=np.array([bar.l for bar in bars], np.float64),
        close=np.array([bar.c for bar in bars], np.float64),
        volume=np.array([bar.v for bar in bars], np.float64),
        vwap=np.array([bar.vw for bar in bars], np.float64),  # None becomes NaN
        trades=np.array([bar.n for bar in bars], np.float64),
    )
    return frame, page.next_url


def _next(url: str) -> tuple[str, dict[str, str | int]]:
    """Return path and parameters of the next page; whatever host it names, our own is asked."""
    parts = urlsplit(url)
    return parts.path, {name: value for name, value in parse_qsl(parts.query) if name.lower() != "apikey"}
