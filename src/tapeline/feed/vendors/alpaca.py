"""Alpaca: minute and daily bars, the list of assets, the market clock.

In: symbols and a span of time.  Out: outcomes of ``BarFrame``, ``Asset``, ``MarketClock``.
Refuses a part of an answer: every page of a question or an error that says which page failed and why. ``limit`` counts
rows over all symbols and rows come symbol by symbol, so a short limit would lose symbols without a word.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Meta, Struct, field

from tapeline.core.clock import Clock
from tapeline.core.config import AlpacaConfig, FeedConfig
from tapeline.core.config.secrets import AlpacaKeys
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import DAY_S, MINUTE_S, NS_PER_S, BarFrame
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host, Refusal, Response, decode
from tapeline.feed.limiter import SlidingWindowLimiter
from tapeline.feed.shared_limit import LimiterState
from tapeline.feed.sources import PAGE_ROWS, Newest, least_real
from tapeline.feed.vendors.alpaca_wire import (
    BarsPage,
    ParseNewest,
    Stamp,
    check_asked,
    frame_of,
    ns_of,
    parse_latest,
    parse_snapshots,
)

DATA_HOST = "alpaca.data"
TRADING_HOST = "alpaca.trading"
MAX_PAGES = 1_000
"""Pages of one question at most: ten million rows. More is a server that never ends."""
TIMEFRAMES_S = {"1Min": MINUTE_S, "5Min": 5 * MINUTE_S, "15Min": 15 * MINUTE_S, "1Hour": 3_600, "1Day": DAY_S}

_HOME = AlpacaConfig()
_ASSETS_TTL_S = 3_600.0
_ACTIONS_PER_PAGE = 1_000
_NEW_YORK = ZoneInfo("America/New_York")


class Asset(Struct, frozen=True):
    """Something that can be traded, as the vendor lists it."""

    symbol: str
    exchange: str
    status: str
    tradable: bool
    name: str | None = None
    asset_class: str = field(name="class", default="us_equity")
    id: str = ""


class _Clock(Struct, frozen=True):
    """{"timestamp":"2010-05-06T09:00:00-04:00","is_open":false,"next_open":"...","next_close":"..."}"""

    timestamp: Stamp
    is_open: bool
    next_open: Stamp
    next_close: Stamp


class MarketClock(Struct, frozen=True):
    """Whether the vendor's market is open, and when that changes; UTC nanoseconds."""

    now_ns: int
    is_open: bool
    next_open_ns: int
    next_close_ns: int


class _Rates(Struct, frozen=True):
    """{"symbol":"DHR","ex_date":"2010-06-14","new_rate":2,"old_rate":1}"""

    symbol: str
    ex_date: dt.date
    new_rate: Annotated[float, Meta(gt=0)]
    old_rate: Annotated[float, Meta(gt=0)]


class _Actions(Struct, frozen=True):
    """The kinds of corporate actions that restate shares; a kind without entries is absent."""

    forward_splits: list[_Rates] = []
    reverse_splits: list[_Rates] = []


class _ActionsPage(Struct, frozen=True):
    """{"corporate_actions":{"forward_splits":[{...}]},"next_page_token":null}"""

    corporate_actions: _Actions
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True)
class StockSplit:
    """From ``ex_ns`` (midnight in New York) on, ``new_per_old`` shares stand for one old: 2.0 for 2:1, 0.1 for 1:10."""

    symbol: str
    new_per_old: float
    ex_ns: int


@dataclass(frozen=True, slots=True)
class _Question:
    """One batch, one span."""

    symbols: tuple[str, ...]
    timeframe: str
    start_ns: int
    end_ns: int

    def params(self, config: AlpacaConfig, token: str | None) -> dict[str, str | int]:
        """Return the query of one page. Everything the vendor would otherwise choose is named."""
        params: dict[str, str | int] = {
            "symbols": ",".join(self.symbols),
            "timeframe": self.timeframe,
            "start": _rfc3339(self.start_ns),
            # The vendor's end is included. Bars start at whole seconds, so the second before leaves `end_ns` out.
            "end": _rfc3339(self.end_ns - 1),
            "limit": PAGE_ROWS,
            "adjustment": config.adjustment,
            "feed": config.feed,
            "sort": "asc",
        }
        return params if token is None else {**params, "page_token": token}


def alpaca_hosts(
    config: FeedConfig, keys: AlpacaKeys, clock: Clock, state: LimiterState | None = None
) -> tuple[Host, Host]:
    """Return Alpaca's data and trading hosts, each with the limiter the vendor counts by.

    ``state`` is where all processes on the key count their requests; without it, each counts its own.
    """
    trading_url = config.alpaca.trading_url
    if config.alpaca.base_url != _HOME.base_url and trading_url == _HOME.trading_url:
        trading_url = config.alpaca.base_url  # a server in the vendor's place stands in for both of its hosts
    secrets = {"APCA-API-KEY-ID": keys.key_id, "APCA-API-SECRET-KEY": keys.secret_key}
    urls = ((DATA_HOST, config.alpaca.base_url), (TRADING_HOST, trading_url))
    data, trading = (
        Host(
            name,
            url,
            SlidingWindowLimiter(config.requests_per_minute, clock=clock, state=state, key=f"{name}:{keys.key_id}"),
            secrets,
        )
        for name, url in urls
    )
    return data, trading


class AlpacaBars:
    """Alpaca's stocks over the gateway. A ``BarSource`` and a ``DailySource``.

    Parameters
    ----------
    gateway
        With the hosts of ``alpaca_hosts``.
    config
        Feed and adjustment, which every request names: the vendor's defaults are not what one thinks.
    """

    name = "alpaca"

    def __init__(self, gateway: Gateway, config: AlpacaConfig) -> None:
        self._gateway = gateway
        self._config = config
        self._pages = 0

    @property
    def feed(self) -> str:
        """The vendor's feed that every bar comes from."""
        return self._config.feed

    @property
    def pages(self) -> int:
        """Pages received since it was built."""
        return self._pages

    @property
    def requests(self) -> int:
        """Requests sent to the data host since it was built, pages and retries included."""
        return self._gateway.stats[DATA_HOST].requests

    async def fetch_bars(
        self,
        symbols: Sequence[str],
        start_ns: int,
        end_ns: int,
        timeframe: str = "1Min",
        *,
        deadline_ns: int | None = None,
    ) -> Outcome[BarFrame]:
        """Fetch every bar that starts in [start_ns, end_ns).

        Parameters
        ----------
        symbols
            One batch: what fits into one URL (``sources.batches``).
        start_ns, end_ns
            UTC nanoseconds. ``end_ns`` is when the last bar ends, so no bar that still runs is asked for.
        timeframe
            A key of ``TIMEFRAMES_S``.
        deadline_ns
            When the caller gives up.

        Returns
        -------
        Outcome
            All pages as one frame, rows by (event_ns, symbol), empty when nothing traded; or why there is none.
        """
        return await self._fetch_pages(_Question(tuple(symbols), timeframe, start_ns, end_ns), deadline_ns)

    async def fetch_latest(self, symbols: Sequence[str], *, deadline_ns: int | None = None) -> Outcome[Newest]:
        """Fetch the newest minute bar of each symbol of one batch."""
        return await self._fetch_newest("/v2/stocks/bars/latest", parse_latest, symbols, deadline_ns)

    async def fetch_snapshots(self, symbols: Sequence[str], *, deadline_ns: int | None = None) -> Outcome[Newest]:
        """Fetch the newest minute bar, trade and quote of each symbol of one batch."""
        return await self._fetch_newest("/v2/stocks/snapshots", parse_snapshots, symbols, deadline_ns)

    async def fetch_daily(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Outcome[BarFrame]:
        """Fetch the daily bars of one batch from ``first`` to ``last``, both included. See ``fetch_bars``."""
        end = last + dt.timedelta(days=1)
        question = _Question(tuple(symbols), "1Day", _midnight_ns(first), _midnight_ns(end))
        return await self._fetch_pages(question, None)

    async def fetch_assets(self) -> Outcome[tuple[Asset, ...]]:
        """Fetch every active US stock the vendor lists, by symbol."""
        params = {"status": "active", "asset_class": "us_equity"}
        return await self._gateway.fetch(
            TRADING_HOST, "/v2/assets", params, parse=_parse_assets, ttl_s=_ASSETS_TTL_S, circuit="assets"
        )

    async def fetch_clock(self) -> Outcome[MarketClock]:
        """Fetch whether the vendor's market is open."""
        return await self._gateway.fetch(TRADING_HOST, "/v2/clock", parse=_parse_clock, circuit="clock")

    async def fetch_splits(
        self, symbols: Sequence[str], first: dt.date, last: dt.date
    ) -> Outcome[tuple[StockSplit, ...]]:
        """Fetch the splits of ``symbols`` with an ex-date from ``first`` to ``last``, by ex-date and symbol.

        The vendor is asked for the whole market: splits are few, symbols are many.
        """
        wanted = set(symbols)
        found: list[StockSplit] = []
        params: dict[str, str | int] = {
            "types": "forward_split,reverse_split",
            "start": first.isoformat(),
            "end": last.isoformat(),
            "limit": _ACTIONS_PER_PAGE,
        }
        for _ in range(MAX_PAGES):
            outcome = await self._gateway.fetch(
                DATA_HOST, "/v1/corporate-actions", params, parse=_parse_actions, circuit="corporate-actions"
            )
            if outcome.value is None:
                return outcome.map(lambda _: ())
            splits, token = outcome.value
            found += [s for s in splits if s.symbol in wanted and _midnight_in_new_york_ns(first) <= s.ex_ns]
            if token is None:
                ordered = sorted(found, key=lambda s: (s.ex_ns, s.symbol))
                return value_of(tuple(ordered), source=self.name, as_of_ns=outcome.as_of_ns)
            params = {**params, "page_token": token}
        return nothing(Kind.ERROR, source=self.name, reason=f"more than {MAX_PAGES} pages of corporate actions")

    async def _fetch_newest(
        self, path: str, parse: ParseNewest, symbols: Sequence[str], deadline_ns: int | None
    ) -> Outcome[Newest]:
        outcome = await self._gateway.fetch(
            DATA_HOST,
            path,
            {"symbols": ",".join(symbols), "feed": self._config.feed},
            parse=partial(parse, frozenset(symbols), self._config.feed),
            deadline_ns=deadline_ns,
            circuit=self._config.feed,
        )
        self._pages += outcome.is_value
        return outcome

    async def _fetch_pages(self, question: _Question, deadline_ns: int | None) -> Outcome[BarFrame]:
        frames: list[BarFrame] = []
        tokens: set[str] = set()
        token: str | None = None
        while len(frames) < MAX_PAGES:
            outcome = await self._gateway.fetch(
                DATA_HOST,
                "/v2/stocks/bars",
                question.params(self._config, token),
                parse=partial(_parse_page, question, self._config.feed),
                deadline_ns=deadline_ns,
                circuit=self._config.feed,
            )
            if outcome.value is None:
                return _none(outcome, f"page {len(frames) + 1}: {outcome.reason}")
            self._pages += 1
            frame, token = outcome.value
            frames.append(frame)
            if token is None:
                return _joined(frames, question, outcome)
            if token in tokens:
                return _none(outcome, f"page {len(frames)} leads back to an earlier one", Kind.ERROR)
            tokens.add(token)
        return _none(outcome, f"more than {MAX_PAGES} pages for one question", Kind.ERROR)


def _none(outcome: Outcome[Any], reason: str, kind: Kind | None = None) -> Outcome[BarFrame]:
    if isinstance(outcome, Refusal):
        return replace(outcome, reason=reason)
    return nothing(kind or outcome.kind, source=AlpacaBars.name, reason=reason, as_of_ns=outcome.as_of_ns)


def _joined(frames: list[BarFrame], question: _Question, last: Outcome[Any]) -> Outcome[BarFrame]:
    """Return all pages as one frame by (event_ns, symbol), or an error when a bar came twice."""
    label = least_real(frame.label for frame in frames)
    whole = BarFrame.concat([replace(frame, label=label) for frame in frames], as_of_ns=question.end_ns)
    symbols = np.array(whole.symbols, dtype=np.str_)
    rows = np.lexsort((symbols, whole.event_ns))
    symbols, event_ns = symbols[rows], whole.event_ns[rows]
    twice = np.flatnonzero((symbols[1:] == symbols[:-1]) & (event_ns[1:] == event_ns[:-1]))
    if twice.size:
        return _none(last, f"the bar of {symbols[twice[0]]} at {event_ns[twice[0]]} came twice", Kind.ERROR)
    return value_of(whole.take(rows), source=AlpacaBars.name, as_of_ns=last.as_of_ns)


def _parse_page(question: _Question, feed: str, response: Response) -> tuple[BarFrame, str | None]:
    """Return the page's rows in the vendor's order, and the token of the next page."""
    page = decode(response, BarsPage)
    by_symbol = page.bars or {}
    check_asked(by_symbol.keys(), set(question.symbols))
    frame = frame_of(
        [symbol for symbol, bars in by_symbol.items() for _ in bars],
        [bar for rows in by_symbol.values() for bar in rows],
        timeframe_s=TIMEFRAMES_S[question.timeframe],
        feed=feed,
        label=response.label,
        as_of_ns=question.end_ns,
    )
    if outside := np.flatnonzero((frame.event_ns < question.start_ns) | (frame.event_ns >= question.end_ns)).tolist():
        moment = _rfc3339(int(frame.event_ns[outside[0]]))
        raise BadMessage(f"the bar of {frame.symbols[outside[0]]} at {moment} lies outside the span asked for")
    return frame, page.next_page_token or None


def _parse_actions(response: Response) -> tuple[list[StockSplit], str | None]:
    page = decode(response, _ActionsPage)
    entries = [*page.corporate_actions.forward_splits, *page.corporate_actions.reverse_splits]
    splits = [StockSplit(e.symbol, e.new_rate / e.old_rate, _midnight_in_new_york_ns(e.ex_date)) for e in entries]
    return splits, page.next_page_token or None


def _parse_assets(response: Response) -> tuple[Asset, ...]:
    return tuple(sorted(decode(response, list[Asset]), key=lambda asset: asset.symbol))


def _parse_clock(response: Response) -> MarketClock:
    clock = decode(response, _Clock)
    return MarketClock(ns_of(clock.timestamp), clock.is_open, ns_of(clock.next_open), ns_of(clock.next_close))


def _midnight_in_new_york_ns(day: dt.date) -> int:
    return ns_of(dt.datetime(day.year, day.month, day.day, tzinfo=_NEW_YORK))


def _midnight_ns(day: dt.date) -> int:
    return ns_of(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC))


def _rfc3339(moment_ns: int) -> str:
    """Return the whole second of a moment in the vendor's spelling."""
    return dt.datetime.fromtimestamp(moment_ns // NS_PER_S, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
