"""Alpaca: minute and daily bars, the list of assets, the market clock.

In: symbols and a span of time.  Out: outcomes of ``BarFrame``, ``Asset``, ``MarketClock``.
Refuses a part of an answer: every page of a question or an error that says which page failed and why. ``limit`` counts
rows over all symbols and rows come symbol by symbol, so a short limit would lose symbols without a word.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from tapeline.core.clock import Clock
from tapeline.core.config import AlpacaConfig, FeedConfig
from tapeline.core.config.secrets import AlpacaKeys
from tapeline.core.outcome import Outcome
from tapeline.core.types import BarFrame
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host, Response, decode
from tapeline.feed.limiter import SlidingWindowLimiter
from tapeline.feed.shared_limit import LimiterState
from tapeline.feed.sources import Newest
from tapeline.feed.vendors.alpaca_pages import DATA_HOST, TRADING_HOST, BarsQuestion, fetch_bar_pages, fetch_pages
from tapeline.feed.vendors.alpaca_wire import ParseNewest, Stamp, ns_of, parse_latest, parse_snapshots
from tapeline.feed.vendors.shared import CountedBars, new_york_midnight_ns, utc_midnight_ns

__all__ = ["DATA_HOST", "TRADING_HOST", "AlpacaBars", "Asset", "MarketClock", "StockSplit", "alpaca_hosts"]

AssetClass = Literal["us_equity", "crypto"]

_HOME = AlpacaConfig()
_ASSETS_TTL_S = 3_600.0
_ACTIONS_PER_PAGE = 1_000


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


class AlpacaBars(CountedBars):
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
        super().__init__(gateway, DATA_HOST, config.feed)
        self._config = config

    @property
    def feed(self) -> str:
        """The vendor's feed that every bar comes from."""
        return self._config.feed

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
        question = BarsQuestion(
            self.name,
            "/v2/stocks/bars",
            tuple(symbols),
            timeframe,
            start_ns,
            end_ns,
            self.feed,
            {"adjustment": self._config.adjustment, "feed": self.feed},
        )
        return await fetch_bar_pages(self._gateway, question, self._tally, deadline_ns)

    async def fetch_latest(self, symbols: Sequence[str], *, deadline_ns: int | None = None) -> Outcome[Newest]:
        """Fetch the newest minute bar of each symbol of one batch."""
        return await self._fetch_newest("/v2/stocks/bars/latest", parse_latest, symbols, deadline_ns)

    async def fetch_snapshots(self, symbols: Sequence[str], *, deadline_ns: int | None = None) -> Outcome[Newest]:
        """Fetch the newest minute bar, trade and quote of each symbol of one batch."""
        return await self._fetch_newest("/v2/stocks/snapshots", parse_snapshots, symbols, deadline_ns)

    async def fetch_daily(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Outcome[BarFrame]:
        """Fetch the daily bars of one batch from ``first`` to ``last``, both included. See ``fetch_bars``."""
        end = last + dt.timedelta(days=1)
        return await self.fetch_bars(symbols, utc_midnight_ns(first), utc_midnight_ns(end), "1Day")

    async def fetch_assets(self, asset_class: AssetClass = "us_equity") -> Outcome[tuple[Asset, ...]]:
        """Fetch every active US stock the vendor lists, or every pair of coins, by symbol."""
        params = {"status": "active", "asset_class": asset_class}
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
        params: dict[str, str | int] = {
            "types": "forward_split,reverse_split",
            "start": first.isoformat(),
            "end": last.isoformat(),
            "limit": _ACTIONS_PER_PAGE,
        }
        outcome = await fetch_pages(
            self._gateway,
            DATA_HOST,
            "/v1/corporate-actions",
            params,
            _parse_actions,
            source=self.name,
            circuit="corporate-actions",
        )
        wanted, first_ns = set(symbols), new_york_midnight_ns(first)
        return outcome.map(
            lambda pages: tuple(
                sorted(
                    (split for page in pages for split in page if split.symbol in wanted and first_ns <= split.ex_ns),
                    key=lambda split: (split.ex_ns, split.symbol),
                )
            )
        )

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
        self._tally.pages += outcome.is_value
        return outcome


def _parse_actions(response: Response) -> tuple[list[StockSplit], str | None]:
    page = decode(response, _ActionsPage)
    entries = [*page.corporate_actions.forward_splits, *page.corporate_actions.reverse_splits]
    splits = [StockSplit(e.symbol, e.new_rate / e.old_rate, new_york_midnight_ns(e.ex_date)) for e in entries]
    return splits, page.next_page_token or None


def _parse_assets(response: Response) -> tuple[Asset, ...]:
    return tuple(sorted(decode(response, list[Asset]), key=lambda asset: asset.symbol))


def _parse_clock(response: Response) -> MarketClock:
    clock = decode(response, _Clock)
    return MarketClock(ns_of(clock.timestamp), clock.is_open, ns_of(clock.next_open), ns_of(clock.next_close))
