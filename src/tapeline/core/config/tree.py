"""The configuration: one frozen tree. Every value has a unit in its name and a reason beside it.

A room reads its own section and no other. Secrets are not here: they stay in the environment (``secrets.py``).
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the tree: frozen, named fields only, unknown keys refused."""


class NodeConfig(Section, frozen=True):
    """The node itself. Read by ``app``."""

    seed: Annotated[int, Meta(ge=0)] = 7
    """Seed of everything that is drawn: the bridge, the simulated market, latencies, retries."""
    drain_s: Positive = 5.0
    """How long a stop may take before children are killed."""


class AlpacaConfig(Section, frozen=True):
    """Alpaca's market data. Keys come from APCA_API_KEY_ID and APCA_API_SECRET_KEY."""

    base_url: str = "https://data.alpaca.markets"
    trading_url: str = "https://paper-api.alpaca.markets"
    """Serves assets, clock and calendar. Only a paper account is ever accepted."""
    feed: Literal["iex", "sip"] = "iex"
    """Free keys have iex in real time; sip needs a subscription. Never mixed inside a series."""
    adjustment: Literal["raw", "split", "all"] = "raw"
    """Raw: what traded. Splits are applied from the corporate actions, explicitly."""


class NewsConfig(Section, frozen=True):
    """Google News by RSS."""

    base_url: str = "https://news.google.com"
    max_age_s: Positive = 86_400.0
    """Older headlines are stale and have no vote."""


class FeedConfig(Section, frozen=True):
    """How we ask vendors. Read by ``feed``."""

    requests_per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 180
    """Ceiling in any sliding 60 s; 90 % of the 200 of a free Alpaca key."""
    news_requests_per_minute: Annotated[int, Meta(ge=1, le=100_000)] = 100
    """A polite ceiling for a public RSS feed."""
    batch_size: Annotated[int, Meta(ge=1, le=1000)] = 400
    """Symbols in one request; bounded by the length of its URL."""
    max_concurrent_batches: Annotated[int, Meta(ge=1, le=64)] = 4
    cycle_s: Positive = 60.0
    """Seconds between polls."""
    publish_delay_s: NotNegative = 1.5
    """Bars appear about a second after their minute; asking earlier gets the minute before."""
    max_catch_up_min: Count = 30
    """At most this many missed minutes are fetched in one poll; the rest in the next."""
    connect_timeout_s: Positive = 5.0
    read_timeout_s: Positive = 10.0
    retries: Annotated[int, Meta(ge=0, le=10)] = 3
    """Further tries of a read that failed; each is charged to the limiter."""
    retry_base_s: Positive = 0.5
    max_response_mb: Positive = 32.0
    breaker_failures: Count = 5
    """Failures in a row that open a host's breaker."""
    breaker_open_s: Positive = 60.0
    alpaca: AlpacaConfig = field(default_factory=AlpacaConfig)
    news: NewsConfig = field(default_factory=NewsConfig)


class StreamsConfig(Section, frozen=True):
    """Valkey, lanes and workers. Read by ``streams``."""

    redis_url: str = ""
    """redis:// or rediss:// of a server (Redis >= 7 or Valkey); empty starts the embedded Valkey in the home."""
    lanes: Annotated[int, Meta(ge=1, le=1024)] = 4
    workers: Annotated[int, Meta(ge=0, le=64)] = 0
    """Worker processes; 0 means 70 % of the cores, at least 1, at most 8."""
    batch_size: Count = 50
    """Entries read at once."""
    batch_ms: Annotated[int, Meta(ge=1, le=10_000)] = 10
    """Longest wait for a batch to fill."""
    lease_s: Positive = 3.0
    """A lane whose owner is silent this long is taken over; well under the 5 s that are promised."""
    max_entries: Annotated[int, Meta(ge=1000)] = 100_000
    """Entries kept per lane; trimming never passes what is applied."""
    snapshot_s: Positive = 1.0
    """Longest time between two snapshots of a lane under load."""
    max_deliveries: Count = 5
    """Tries of one entry before it goes to the dead letters."""


class LiveConfig(Section, frozen=True):
    """What a tick does. Read by ``live``."""

    timeframes_s: tuple[Count, ...] = (60, 300)
    """Bars built from the stream; each a multiple of the one before."""
    window_bars: Annotated[int, Meta(ge=30, le=10_000)] = 120
    """Bars of one minute kept per symbol for the indicators."""
    grace_s: NotNegative = 0.0
    """How long after its end a bar still takes late ticks before it closes; a later one makes a revision."""
    indicators: tuple[str, ...] = ("sma_20", "ema_12", "rsi_14", "atr_14", "bbands_20_2_upper", "bbands_20_2_lower")
    session_start_utc_s: Annotated[int, Meta(ge=0, lt=86_400)] = 18_000
    """Seconds after midnight UTC at which session VWAP, volume, high and low begin anew; 5 h is New York's midnight."""
    hot_ttl_s: Positive = 86_400.0
    """Life of a symbol's hot state in Valkey."""


class ScanConfig(Section, frozen=True):
    """The whole-market scan. Read by ``scan``."""

    every_min: Count = 5
    """Minutes between scans while the market is open."""
    top: Count = 20
    """Candidates put forward."""
    history_sessions: Annotated[int, Meta(ge=60, le=5000)] = 170
    """Daily bars behind the scan; refused below what the factors need."""
    min_price: NotNegative = 5.0
    min_dollar_volume: NotNegative = 5e6
    """Mean of 20 sessions, in dollars; what the free float of a mid cap trades with ease."""
    max_staleness_s: Positive = 900.0
    """A symbol whose last bar is older is listed as stale, not scored."""
    weights: dict[str, float] = field(
        default_factory=lambda: {
            "momentum_21": 0.25,
            "trend": 0.25,
            "reversal_5": 0.10,
            "intraday": 0.20,
            "relative_volume": 0.10,
            "low_volatility": 0.10,
        }
    )
    """Points of each factor's cross-sectional z-score."""


class SignalsConfig(Section, frozen=True):
    """Votes and consensus. Read by ``signals``."""

    quorum_groups: Annotated[int, Meta(ge=1)] = 2
    """Independent groups that must speak, and agree, before there is a signal."""
    min_strength: Fraction = 0.5
    """Weighted agreement below this makes no signal."""
    ttl_s: Positive = 900.0
    """A signal older than this is not traded."""
    deadline_s: Positive = 10.0
    """A source that has not answered by then has no vote in this cycle."""
    source_timeout_s: Positive = 5.0
    """Longest wait for one answer; half the deadline, so that one stall leaves time for the symbols after it."""
    source_concurrency: Annotated[int, Meta(ge=1, le=64)] = 4
    """Questions open at one source at a time."""
    weights: dict[str, float] = field(default_factory=lambda: {"tape": 0.6, "news": 0.4})
    """Weight of each group; sources inside a group share it."""
    regime_tilt_frac: Annotated[float, Meta(ge=0, le=0.2)] = 0.05
    """How far the market's regime tilts a strength; small, as the index knows little of one name."""
    news_half_life_s: Positive = 3_600.0
    """A headline this old counts half; prices take news in within the hour."""


class RiskConfig(Section, frozen=True):
    """Limits, enforced after everything else. Read by ``trade``."""

    max_position_pct: Annotated[float, Meta(gt=0, le=100)] = 10.0
    """Of equity, in one name."""
    max_invested_pct: Annotated[float, Meta(gt=0, le=100)] = 80.0
    """Of equity, in all names."""
    max_entries_per_day: Count = 20
    """Buys; exits are never counted and never blocked."""
    daily_loss_limit_pct: Annotated[float, Meta(gt=0, le=100)] = 5.0
    """Mark-to-market loss since the previous close that stops entries for the day."""
    cooldown_s: NotNegative = 3_600.0
    """After a sell, this long no buy of the same name."""
    stop_loss_pct: Annotated[float, Meta(gt=0, le=100)] = 5.0
    take_profit_pct: Positive = 15.0


class TradeConfig(Section, frozen=True):
    """The paper account. Read by ``trade``."""

    initial_cash: Positive = 1_000_000.0
    """Dollars."""
    opening_positions: Annotated[int, Meta(ge=0, le=100)] = 10
    """Names bought at the previous close when a replay begins, best of that day's scan first."""
    min_entry: NotNegative = 1_000.0
    """Dollars. What the limits leave of an entry below this is not worth its order; exits have no such floor."""
    slippage_bps: NotNegative = 5.0
    """Against us, on every fill."""
    fee_bps: NotNegative = 1.0
    max_participation_pct: Annotated[float, Meta(gt=0, le=100)] = 10.0
    """Of a bar's volume; the rest of an order waits for the next bar."""
    order_ttl_s: Positive = 600.0
    """An order not filled by then is cancelled."""
    risk: RiskConfig = field(default_factory=RiskConfig)


class StoreConfig(Section, frozen=True):
    """What is kept. Read by ``store``."""

    commit_rows: Count = 20_000
    """Rows of bars that are written in one transaction at most."""


class ReplayConfig(Section, frozen=True):
    """The day that a replay shows. Read by ``app`` and handed to the simulator."""

    day: dt.date = dt.date(2010, 5, 6)
    """The flash crash."""
    symbols: Annotated[int, Meta(ge=1, le=100_000)] = 524
    """The shipped real universe; more are resampled from it, and labelled so."""
    universe: str = ""
    """A Parquet file of `tapeline sample`, instead of the shipped universe."""
    faults: str = ""
    """A TOML file of faults that the simulator makes; none by default."""
    port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Port of the simulator on this machine; 0 takes a free one."""
    speed: NotNegative = 0.0
    """Market minutes per wall minute at most; 0 is as fast as it goes. Changes nothing but the pace."""


class Config(Section, frozen=True):
    """The whole tree."""

    node: NodeConfig = field(default_factory=NodeConfig)
    feed: FeedConfig = field(default_factory=FeedConfig)
    streams: StreamsConfig = field(default_factory=StreamsConfig)
    live: LiveConfig = field(default_factory=LiveConfig)
    scan: ScanConfig = field(default_factory=ScanConfig)
    signals: SignalsConfig = field(default_factory=SignalsConfig)
    trade: TradeConfig = field(default_factory=TradeConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
