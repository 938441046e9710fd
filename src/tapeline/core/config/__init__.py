"""One frozen tree of settings, from defaults, a TOML file and the environment."""

from __future__ import annotations

from tapeline.core.config.tree import (
    AlpacaConfig,
    Config,
    FeedConfig,
    LiveConfig,
    NewsConfig,
    NodeConfig,
    ReplayConfig,
    RiskConfig,
    ScanConfig,
    SignalsConfig,
    StoreConfig,
    StreamsConfig,
    TradeConfig,
)

__all__ = [
    "AlpacaConfig",
    "Config",
    "FeedConfig",
    "LiveConfig",
    "NewsConfig",
    "NodeConfig",
    "ReplayConfig",
    "RiskConfig",
    "ScanConfig",
    "SignalsConfig",
    "StoreConfig",
    "StreamsConfig",
    "TradeConfig",
]
