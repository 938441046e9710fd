"""One frozen tree of settings, from defaults, a TOML file and the environment."""

from __future__ import annotations

from tapeline.core.config.base import Section
from tapeline.core.config.feed import (
    AlpacaConfig,
    EdgarConfig,
    FeedConfig,
    MassiveConfig,
    NewsConfig,
    RedditConfig,
    YahooConfig,
    YouTubeConfig,
)
from tapeline.core.config.retention import RetentionConfig
from tapeline.core.config.scan import MlConfig, ScanConfig
from tapeline.core.config.signals import SignalsConfig
from tapeline.core.config.streams import LiveConfig, StreamsConfig
from tapeline.core.config.thesis import LlmConfig, LoopConfig, ThesisConfig
from tapeline.core.config.trade import RiskConfig, TradeConfig
from tapeline.core.config.tree import Config, NodeConfig, ReplayConfig, StoreConfig
from tapeline.core.config.web import WebConfig

__all__ = [
    "AlpacaConfig",
    "Config",
    "EdgarConfig",
    "FeedConfig",
    "LiveConfig",
    "LlmConfig",
    "LoopConfig",
    "MassiveConfig",
    "MlConfig",
    "NewsConfig",
    "NodeConfig",
    "RedditConfig",
    "ReplayConfig",
    "RetentionConfig",
    "RiskConfig",
    "ScanConfig",
    "Section",
    "SignalsConfig",
    "StoreConfig",
    "StreamsConfig",
    "ThesisConfig",
    "TradeConfig",
    "WebConfig",
    "YahooConfig",
    "YouTubeConfig",
]
