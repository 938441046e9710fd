"""Which vendors are polled for bars: ``feed.sources``, one behind the other.

In: settings, keys, a gateway.  Out: the hosts that have to be open, and the chain.
Refuses an empty list, and a vendor whose key is missing.
"""

from __future__ import annotations

from collections.abc import Callable

from tapeline.core.clock import Clock
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadInput
from tapeline.feed.chain import SourceChain
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host
from tapeline.feed.sources import BarSource
from tapeline.feed.vendors.alpaca import AlpacaBars
from tapeline.feed.vendors.massive import MassiveBars, massive_host
from tapeline.feed.vendors.yahoo_chart import YahooBars


def chain_hosts(config: FeedConfig, massive_key: str, clock: Clock) -> list[Host]:
    """Return the hosts that the chain needs besides Alpaca's and Yahoo's.

    Raises
    ------
    BadInput
        When nobody is to be asked, or Massive is and there is no key.
    """
    if not config.sources:
        raise BadInput("feed.sources is empty: name at least one of alpaca, massive, yahoo")
    if "massive" not in config.sources:
        return []
    if not massive_key:
        raise BadInput("feed.sources names massive: set MASSIVE_API_KEY, or leave it out")
    return [massive_host(config, massive_key, clock)]


def bar_source(config: FeedConfig, gateway: Gateway, bars: AlpacaBars) -> BarSource:
    """Return the configured vendors, one behind the other; ``bars`` itself when there is no other."""
    if config.sources == ("alpaca",):
        return bars
    made: dict[str, Callable[[], BarSource]] = {
        "alpaca": lambda: bars,
        "massive": lambda: MassiveBars(gateway),
        "yahoo": lambda: YahooBars(gateway),
    }
    return SourceChain([made[name]() for name in dict.fromkeys(config.sources)])
