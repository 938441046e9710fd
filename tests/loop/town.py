"""A small market for the loop's tests: a vendor over HTTP, short sessions, lanes in memory, a real journal and worker.

What outlives a kill stands in ``Town``: the journal's file, the lanes, the time. Everything else is made anew.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import anyio
import httpx2
import numpy as np

from tapeline.core.calendar import Session, SessionCalendar
from tapeline.core.clock import LogicalClock, actor
from tapeline.core.config import (
    Config,
    FeedConfig,
    LiveConfig,
    ScanConfig,
    SignalsConfig,
    StreamsConfig,
    TradeConfig,
)
from tapeline.core.config.secrets import AlpacaKeys
from tapeline.core.types import DAY_S, MINUTE_S, NS_PER_S, BarFrame, CycleRecord
from tapeline.feed.gateway import Gateway
from tapeline.feed.vendors.alpaca import AlpacaBars, alpaca_hosts
from tapeline.feed.vendors.google_news import GoogleNews, news_host
from tapeline.live.state import LaneState
from tapeline.loop.desk import Book, Desk, Vendors
from tapeline.loop.opening import open_book
from tapeline.loop.research import Research
from tapeline.loop.session import run_session
from tapeline.store import queries
from tapeline.store.batch import LedgerEvent
from tapeline.store.journal import Journal
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.worker import run_worker

T = TypeVar("T")

MINUTE_NS = MINUTE_S * NS_PER_S
MINUTES = 15
DAY = dt.date(2010, 5, 6)
SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")
NEW_YORK = ZoneInfo("America/New_York")
CONFIG = Config(
    feed=FeedConfig(batch_size=3, max_concurrent_batches=2, retries=0, requests_per_minute=1_000),
    streams=StreamsConfig(lanes=2),
    live=LiveConfig(indicators=("sma_20",), window_bars=30),
    scan=ScanConfig(history_sessions=60, top=4),
    signals=SignalsConfig(min_strength=0.2),
    trade=TradeConfig(opening_positions=2),
)


class ShortCalendar(SessionCalendar):
    """New York's trading days, each over after ``MINUTES`` minutes."""

    def session(self, day: dt.date) -> Session:
        """Return the short session of ``day``."""
        full = super().session(day)
        return Session(day, full.open_ns, full.open_ns + MINUTES * MINUTE_NS)

    def next_session(self, moment_ns: int) -> Session:
        """Return the short session that is open at ``moment_ns`` or opens next."""
        session = super().next_session(moment_ns)
        return session if moment_ns < session.close_ns else super().next_session(session.open_ns + DAY_S * NS_PER_S)


CALENDAR = ShortCalendar()
SESSION = CALENDAR.session(DAY)
BEFORE = CALENDAR.previous_session(DAY)
OPEN_NS, CLOSE_NS = SESSION.open_ns, SESSION.close_ns


def midnight_ns(day: dt.date) -> int:
    """Return when a day begins in New York."""
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).timestamp()) * NS_PER_S


def iso(moment_ns: int) -> str:
    """Return a moment as the vendor writes it."""
    return dt.datetime.fromtimestamp(moment_ns // NS_PER_S, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> int:
    """Return the moment that the vendor wrote."""
    return int(dt.datetime.fromisoformat(text).timestamp()) * NS_PER_S


def wire_bar(event_ns: int, close: float, volume: float) -> dict[str, Any]:
    """Return a bar that ends on its high."""
    bar = {"o": 0.998 * close, "h": close, "l": 0.997 * close, "c": close, "vw": 0.999 * close}
    return {"t": iso(event_ns), **{name: round(price, 4) for name, price in bar.items()}, "v": volume, "n": 9}


@dataclass
class Market:
    """What happened, as the vendor tells it.

    Attributes
    ----------
    days
        Symbol to (day, close) of its history. Rising: AAA and BBB most.
    minutes
        Symbol to its closes of the session, minute by minute; NaN where it did not trade. AAA breaks down in minute 3
        and CCC takes off; the others stay.
    splits
        (symbol, ex-date, new shares, old shares).
    titles
        Symbol to the headline of the morning.
    is_down
        Says which questions are not answered, by path and parameters and the time.
    late
        Dollars that trades which are only known by a moment put on a minute's close: symbol, minute, moment.
    refused
        A symbol whose minutes nobody may ask for.
    """

    days: dict[str, list[tuple[dt.date, float]]]
    minutes: dict[str, list[float]]
    splits: list[tuple[str, dt.date, int, int]] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    is_down: Callable[[str, Mapping[str, str], int], bool] = lambda _path, _params, _now_ns: False
    late: Callable[[str, int, int], float] = lambda _symbol, _event_ns, _now_ns: 0.0
    refused: str = ""

    def answer(self, clock: LogicalClock, request: httpx2.Request) -> httpx2.Response:
        """Answer one request as of now."""
        path, params = request.url.path, dict(request.url.params)
        headers = {"X-Replay-Latency-Ms": "80", "X-Tapeline-Label": "simulated"}
        if self.is_down(path, params, clock.now_ns()):
            return httpx2.Response(500, headers=headers, content=b'{"message":"out of order"}')
        if self.refused in params.get("symbols", "").split(",") and params.get("timeframe") == "1Min":
            told = {"message": f"invalid symbol: {self.refused}"}
            return httpx2.Response(400, headers=headers, content=json.dumps(told))
        if path == "/rss/search":
            return httpx2.Response(200, headers=headers, content=self._rss(params["q"].removesuffix(" stock")).encode())
        return httpx2.Response(200, headers=headers, content=json.dumps(self._body(path, params, clock.now_ns())))

    def _body(self, path: str, params: Mapping[str, str], now_ns: int) -> object:
        if path == "/v2/assets":
            return [{"symbol": s, "exchange": "X", "status": "active", "tradable": True} for s in sorted(self.days)]
        if path == "/v1/corporate-actions":
            return {"corporate_actions": {"forward_splits": self._splits()}, "next_page_token": None}
        assert path == "/v2/stocks/bars", path
        start_ns, end_ns = parse_iso(params["start"]), min(parse_iso(params["end"]), now_ns)
        bars = {s: self._bars(s, params["timeframe"], start_ns, end_ns, now_ns) for s in params["symbols"].split(",")}
        return {"bars": {symbol: rows for symbol, rows in bars.items() if rows}, "next_page_token": None}

    def _bars(self, symbol: str, timeframe: str, start_ns: int, end_ns: int, now_ns: int) -> list[dict[str, Any]]:
        if timeframe == "1Day":
            found = [(midnight_ns(day), close, 1e6) for day, close in self.days[symbol]]
        else:
            length_ns, closes = MINUTE_NS, self.minutes.get(symbol, [])
            found = [(OPEN_NS + m * length_ns, close, 9e4) for m, close in enumerate(closes) if close == close]
            found = [bar for bar in found if bar[0] + length_ns <= end_ns + MINUTE_NS]
            found = [
                (event_ns, close + self.late(symbol, event_ns, now_ns), volume) for event_ns, close, volume in found
            ]
        return [wire_bar(*bar) for bar in found if start_ns <= bar[0] <= end_ns]

    def _splits(self) -> list[dict[str, Any]]:
        return [
            {"symbol": symbol, "ex_date": day.isoformat(), "new_rate": new, "old_rate": old}
            for symbol, day, new, old in self.splits
        ]

    def _rss(self, symbol: str) -> str:
        stamp = dt.datetime.fromtimestamp((OPEN_NS - 10 * MINUTE_NS) // NS_PER_S, dt.UTC)
        date = stamp.strftime("%a, %d %b %Y %H:%M:%S GMT")
        title = self.titles.get(symbol)
        item = f"<item><title>{title}</title><pubDate>{date}</pubDate></item>" if title else ""
        return f"<rss><channel>{item}</channel></rss>"


def make_market() -> Market:
    """Return the market of most tests: a stop for AAA, a signal to buy CCC."""
    days = CALENDAR.sessions(DAY - dt.timedelta(days=120), BEFORE.day)[-70:]
    rng = np.random.default_rng(5)
    history, minutes = {}, {}
    for symbol, drift in zip(SYMBOLS, (0.004, 0.003, 0.001, 0.0, -0.001, -0.002), strict=True):
        closes = 50.0 * np.exp(np.cumsum(drift + 0.004 * rng.standard_normal(len(days))))
        history[symbol] = list(zip(days, closes.tolist(), strict=True))
        minutes[symbol] = (closes[-1] * (1.0 + 0.0005 * rng.standard_normal(MINUTES))).tolist()
    minutes["AAA"][3:] = [0.92 * price for price in minutes["AAA"][3:]]
    minutes["CCC"] = [price * (1.0 + 0.002 * m) for m, price in enumerate(minutes["CCC"])]
    minutes["DDD"][2] = minutes["DDD"][3] = minutes["EEE"][0] = np.nan
    titles = {"CCC": "CCC shares surge on blowout results", "BBB": "BBB outperforms, analysts upgrade"}
    return Market(history, minutes, titles=titles)


@dataclass
class Town:
    """What outlives a kill: the folder of the journal, the lanes, the market, the time."""

    folder: Path
    market: Market = field(default_factory=make_market)
    config: Config = CONFIG
    store: MemoryLaneStore = field(default_factory=MemoryLaneStore)
    now_ns: int = BEFORE.close_ns
    research: Callable[[LogicalClock], Research] = lambda _clock: Research()

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[Desk]:
        """Open a node with a worker; both are dropped, not stopped, at the end. The body is an actor."""
        clock = LogicalClock(self.now_ns)
        keys = AlpacaKeys("key", "secret")
        hosts = [*alpaca_hosts(self.config.feed, keys, clock), news_host(self.config.feed, clock)]
        transport = httpx2.MockTransport(partial(self.market.answer, clock))
        gateway = Gateway(hosts, config=self.config.feed, clock=clock, transport=transport, replay=True)
        news = GoogleNews(gateway, self.config.feed.news, clock=clock)
        vendors = Vendors(gateway, AlpacaBars(gateway, self.config.feed.alpaca), news)
        # The same name again takes its old leases at once; another one would wait until they have run out.
        worker = partial(run_worker, self.store, lambda _: LaneState(self.config.live), self.config.streams, "worker")
        journal = await Journal.open(self.folder / "journal.duckdb")
        async with journal, gateway, anyio.create_task_group() as group:
            await group.start(worker)
            try:
                async with actor(clock):
                    yield Desk(self.config, clock, CALENDAR, vendors, self.store, journal, self.research(clock))
            finally:
                self.now_ns = clock.now_ns()
                group.cancel_scope.cancel()

    async def open_book(self, desk: Desk, day: dt.date = DAY) -> Book:
        """Open the book of a day, with an account that holds something when the ledger is empty."""
        return await open_book(desk, CALENDAR.session(day), fresh=True, progress=lambda _done, _of: None)

    async def live(self) -> Book:
        """Open and run the session to its close."""
        async with self.desk() as desk:
            book = await self.open_book(desk)
            await run_session(desk, book, lambda _done, _of, _note: None)
            return book


@dataclass(frozen=True)
class Kept:
    """What the journal holds."""

    bars: dict[int, list[BarFrame]]
    ledger: list[LedgerEvent]
    cycles: list[CycleRecord]

    def rows(self, timeframe_s: int = MINUTE_S) -> list[tuple[Any, ...]]:
        """Return (symbol, start, open, high, low, close, volume) of every bar."""
        names = ("open", "high", "low", "close", "volume")
        return [
            (bar.symbol, bar.event_ns, *(getattr(bar, name) for name in names))
            for frame in self.bars[timeframe_s]
            for bar in frame.bars()
        ]


async def read_kept(folder: Path) -> Kept:
    """Read the journal of a folder, from its file."""
    async with await Journal.open(folder / "journal.duckdb") as journal:
        bars = {t: await journal.read(partial(_bars, timeframe_s=t)) for t in CONFIG.live.timeframes_s}
        return Kept(bars, await journal.read_ledger(), await journal.read(queries.cycles))


def _bars(connection: Any, timeframe_s: int) -> list[BarFrame]:
    return queries.bars(connection, timeframe_s)


def expected_rows(market: Market) -> list[tuple[Any, ...]]:
    """Return the rows of ``Kept.rows`` that the market's minutes make."""
    told = [
        (OPEN_NS + m * MINUTE_NS, symbol, wire_bar(OPEN_NS + m * MINUTE_NS, close, 9e4))
        for symbol, closes in market.minutes.items()
        for m, close in enumerate(closes)
        if close == close
    ]
    return [(symbol, start, *(bar[key] for key in "ohlcv")) for start, symbol, bar in sorted(told, key=lambda r: r[:2])]


def run(main: Callable[[], Awaitable[T]], backend: str = "asyncio") -> T:
    """Run ``main``, which must end within half a minute of the wall."""

    async def limited() -> T:
        with anyio.fail_after(30):
            return await main()

    return anyio.run(limited, backend=backend)


async def day_in(town: Town) -> tuple[Book, Kept]:
    """Live through the day and read what it left in the journal."""
    book = await town.live()
    return book, await read_kept(town.folder)


def replay(town: Town, backend: str = "asyncio") -> tuple[Book, Kept]:
    """Run ``day_in`` by itself."""
    return run(lambda: day_in(town), backend)
