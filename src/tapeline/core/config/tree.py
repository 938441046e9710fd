"""The configuration: one frozen tree. Every value has a unit in its name and a reason beside it.

A room reads its own section and no other. Secrets are not here: they stay in the environment (``secrets.py``).
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from msgspec import Meta, field

from tapeline.core.config.base import Count, NotNegative, Positive, Section
from tapeline.core.config.feed import FeedConfig
from tapeline.core.config.retention import RetentionConfig
from tapeline.core.config.scan import MlConfig, ScanConfig
from tapeline.core.config.signals import SignalsConfig
from tapeline.core.config.streams import LiveConfig, StreamsConfig
from tapeline.core.config.thesis import LlmConfig, LoopConfig, ThesisConfig
from tapeline.core.config.trade import TradeConfig
from tapeline.core.config.web import WebConfig


class NodeConfig(Section, frozen=True):
    """The node itself. Read by ``app``."""

    seed: Annotated[int, Meta(ge=0)] = 7
    """Seed of everything that is drawn: the bridge, the simulated market, latencies, retries."""
    drain_s: Positive = 5.0
    """How long a stop may take before children are killed."""


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
    reread: bool = False
    """Read minutes a second time after feed.reread_s, as a live node does. The simulator's minutes are final when they
    are first told, so it takes time and finds nothing."""
    stream: bool = False
    """Listen to the simulator's stream for the symbols of the watchlist, as a live node does. Changes no bar: the
    polled ones win."""
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
    ml: MlConfig = field(default_factory=MlConfig)
    signals: SignalsConfig = field(default_factory=SignalsConfig)
    llm: LlmConfig = field(default_factory=LlmConfig)
    thesis: ThesisConfig = field(default_factory=ThesisConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
    trade: TradeConfig = field(default_factory=TradeConfig)
    web: WebConfig = field(default_factory=WebConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
