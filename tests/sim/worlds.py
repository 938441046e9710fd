"""A small made market for the simulator's tests: minutes are given, and daily bars are what they add up to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from starlette.testclient import TestClient

from tapeline.core.types import BAR_FIELDS, F64
from tapeline.sim.clock import new_york_ns
from tapeline.sim.market import DAILY_FIELDS, MINUTE_NS, CorporateAction, Index, Market, MinuteDay
from tapeline.sim.server import SimSettings, build_app

DAY = dt.date(2010, 5, 6)
SESSIONS = (dt.date(2010, 4, 30), dt.date(2010, 5, 3), dt.date(2010, 5, 4), dt.date(2010, 5, 5), DAY)
SYMBOLS = ("AA", "AAPL", "BRK.B", "IBM", "MSFT", "ZZZ")
SECTORS = ("Materials", "Technology", "Financials", "Technology", "Technology", "")
KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
VISITOR = {"Authorization": "Bearer any", "User-Agent": "tapeline tests@example.com"}
"""What Reddit and the SEC want to see."""
N_MINUTES = 390


@dataclass(frozen=True, slots=True)
class MadeMarket(Market):
    """A market whose minutes are given, (7, 390, n_symbols) per day."""

    made: Mapping[dt.date, F64] = field(default_factory=dict)

    def minutes(self, day: dt.date) -> MinuteDay:
        """Return the given minutes of ``day``."""
        event_ns = self.open_ns[self.row_of(day)] + MINUTE_NS * np.arange(N_MINUTES, dtype=np.int64)
        return MinuteDay(day, self.symbols, event_ns, **dict(zip(BAR_FIELDS, self.made[day], strict=True)))


def at(time: str, day: dt.date = DAY) -> int:
    """Return a New York wall time on ``day`` in UTC nanoseconds."""
    return new_york_ns(day, dt.time.fromisoformat(time))


def make_minutes(seed: int) -> dict[dt.date, F64]:
    """Return random minutes: ZZZ never trades on the last day, MSFT and BRK.B often do not, the others mostly do."""
    rng = np.random.default_rng(seed)
    quiet = np.array([0.0, 0.02, 0.6, 0.02, 0.5, 0.7])
    made: dict[dt.date, F64] = {}
    price = np.array([12.0, 250.0, 76.0, 120.0, 30.0, 5.0])
    for day in SESSIONS:
        steps = rng.normal(0, 0.002, (N_MINUTES, len(SYMBOLS)))
        close = np.round(price * np.exp(np.cumsum(steps, axis=0)), 2)
        opened = np.vstack([np.round(price, 2), close[:-1]])
        high = np.maximum(opened, close) + 0.01
        low = np.minimum(opened, close) - 0.01
        volume = rng.integers(100, 10_000, close.shape).astype(float)
        values = np.stack([opened, high, low, close, volume, (high + low) / 2, rng.integers(1, 50, close.shape)])
        values[:, rng.random(close.shape) < quiet] = np.nan
        if day == DAY:
            values[:, :, -1] = np.nan
        made[day] = values
        price = close[-1]
    return made


def daily_of(values: F64) -> list[list[float]]:
    """Return the daily bar of each symbol, naively, as a list of ``DAILY_FIELDS`` each."""
    bars = []
    for column in range(values.shape[2]):
        rows = [values[:, i, column] for i in range(values.shape[1]) if not np.isnan(values[3, i, column])]
        if not rows:
            bars.append([float("nan")] * len(DAILY_FIELDS))
            continue
        high, low = max(row[1] for row in rows), min(row[2] for row in rows)
        bars.append([rows[0][0], high, low, rows[-1][3], sum(row[4] for row in rows)])
    return bars


def market_of(made: Mapping[dt.date, F64], actions: tuple[CorporateAction, ...] = ()) -> MadeMarket:
    """Return the market that has these minutes."""
    daily = np.array([daily_of(made[day]) for day in SESSIONS])
    nothing = np.zeros(0)
    return MadeMarket(
        symbols=SYMBOLS,
        names=("Alcoa & Sons", "Apple <Inc>", "", "IBM", "Microsoft", "Zed"),
        sectors=SECTORS,
        industries=("",) * len(SYMBOLS),
        sessions=SESSIONS,
        open_ns=np.array([at("09:30", day) for day in SESSIONS], np.int64),
        close_ns=np.array([at("16:00", day) for day in SESSIONS], np.int64),
        daily={name: daily[:, :, i] for i, name in enumerate(DAILY_FIELDS)},
        label=np.zeros(daily.shape[:2], np.int8),
        index=Index((), nothing, nothing, nothing, nothing, nothing),
        corporate_actions=actions,
        seed=7,
        made=made,
    )


def make_market(seed: int = 1, actions: tuple[CorporateAction, ...] = ()) -> MadeMarket:
    """Return a small market with random minutes."""
    return market_of(make_minutes(seed), actions)


def with_other_future(market: MadeMarket, minute: int) -> MadeMarket:
    """Return ``market`` with everything from ``minute`` of the last day on replaced by a wild other course."""
    made = {day: values.copy() for day, values in market.made.items()}
    rest = made[DAY][:, minute:]
    rest[:4] = 1_000.0 + np.arange(rest.shape[1])[:, None]
    rest[4:] = 7.0
    return replace(market_of(made, market.corporate_actions))


def make_client(market: Market | None = None, *, moment: str = "09:00", **settings: object) -> TestClient:
    """Return a client with keys of a simulator whose clock shows ``moment``."""
    defaults: dict[str, object] = {"data_limit": 100_000, "trading_limit": 100_000, "news_limit": 100_000}
    app = build_app(market or _plain_market(), SimSettings(day=DAY, **(defaults | settings)))  # type: ignore[arg-type]
    client = TestClient(app, headers=KEYS | VISITOR)
    move(client, moment)
    return client


@cache
def _plain_market() -> MadeMarket:
    """Return the market of tests that do not care which; nobody changes it."""
    return make_market()


def move(client: TestClient, moment: str) -> None:
    """Move the simulator's clock to a New York wall time on ``DAY``."""
    assert client.post("/sim/clock", json={"until_ns": at(moment)}).status_code == 200
