"""Who is polled: the configured vendors in their order, and a clear word when one cannot be asked."""

from __future__ import annotations

import pytest
from tests.feed.worlds import FakeVendor, bars_of, gateway_to, run

from tapeline.core.clock import LogicalClock
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadInput
from tapeline.feed.chain import SourceChain
from tapeline.feed.vendors.choice import bar_source, chain_hosts


def test_alpaca_alone_is_asked_without_a_chain_and_others_stand_behind_it() -> None:
    async def main(clock: LogicalClock) -> None:
        async with gateway_to(FakeVendor(clock, {}), clock, FeedConfig()) as gateway:
            bars = bars_of(gateway, FeedConfig())
            assert bar_source(FeedConfig(), gateway, bars) is bars
            chain = bar_source(FeedConfig(sources=("yahoo", "alpaca", "yahoo")), gateway, bars)
            assert isinstance(chain, SourceChain)
            assert chain.name == "yahoo"

    run(main)


def test_only_a_chain_with_massive_needs_its_host_and_its_key() -> None:
    clock = LogicalClock(0)
    assert chain_hosts(FeedConfig(), "", clock) == []
    massive = FeedConfig(sources=("alpaca", "massive"))
    assert [host.name for host in chain_hosts(massive, "key", clock)] == ["massive"]
    with pytest.raises(BadInput, match="MASSIVE_API_KEY"):
        chain_hosts(massive, "", clock)


def test_an_empty_list_of_sources_is_refused() -> None:
    with pytest.raises(BadInput, match=r"feed\.sources is empty"):
        chain_hosts(FeedConfig(sources=()), "", LogicalClock(0))
