"""Discovery and collection against the real simulator: a process of its own, its wire, its clock, its faults."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio
import httpx2
import pytest
from msgspec.structs import replace
from tests.sim.running import running_simulator
from tests.thesis.markets import NOW_NS, prices_of, walk

from tapeline.core.clock import LogicalClock, actor
from tapeline.core.config import FeedConfig, ThesisConfig
from tapeline.core.config.secrets import RedditKeys, YouTubeKey
from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import NS_PER_S, Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.replay import ReplayAuthority
from tapeline.feed.vendors.edgar import Edgar, edgar_hosts
from tapeline.feed.vendors.google_news import GoogleNews, news_host
from tapeline.feed.vendors.reddit import Reddit, reddit_hosts
from tapeline.feed.vendors.yahoo import Yahoo, yahoo_hosts
from tapeline.feed.vendors.youtube import YouTube, youtube_hosts
from tapeline.thesis.collect import STEPS, Collected, Sources, collect, degraded, gate
from tapeline.thesis.discovery import Found, Scoreboard, TalkSource, discover
from tapeline.thesis.talk import RedditTalk, YouTubeTalk
from tapeline.thesis.vendors import vendor_sources

pytestmark = pytest.mark.process

T = TypeVar("T")
Use = Callable[[Gateway, FeedConfig, LogicalClock], Awaitable[T]]
Heard = Mapping[str, tuple[Outcome[int], ...]]

WELL_KNOWN = ("AAPL", "BA", "C", "F", "GOOG", "IBM", "JPM", "KO", "MSFT", "PG", "T", "XOM")


def _pointed_at(url: str) -> FeedConfig:
    config = FeedConfig(retries=0)
    return replace(
        config,
        reddit=replace(config.reddit, base_url=url, token_url=url),
        youtube=replace(config.youtube, base_url=url, watch_url=url),
        yahoo=replace(config.yahoo, base_url=url, cookie_url=url),
        edgar=replace(config.edgar, base_url=url, files_url=url),
        news=replace(config.news, base_url=url),
    )


def _replayed(use: Use[T], *arguments: str) -> T:
    """Run ``use`` with a gateway to a fresh simulator, an hour into the session of the flash crash."""

    async def main(url: str) -> T:
        config = _pointed_at(url)
        async with ReplayAuthority(url) as authority, httpx2.AsyncClient(trust_env=False) as client:
            clock = LogicalClock((await client.get(f"{url}/sim/clock")).json()["now_ns"], authority)
            hosts = [
                *reddit_hosts(config, RedditKeys("any", "key"), clock),
                *youtube_hosts(config, YouTubeKey("any"), clock),
                *yahoo_hosts(config, clock),
                *edgar_hosts(config, clock),
                news_host(config, clock),
            ]
            async with Gateway(hosts, config=config, clock=clock, seed=7, replay=True) as gateway, actor(clock):
                await clock.sleep_until(NOW_NS)
                return await use(gateway, config, clock)

    with running_simulator(524, *arguments) as url:
        return anyio.run(main, url)


async def _discover(gateway: Gateway, config: FeedConfig, clock: LogicalClock) -> tuple[list[tuple[int, Found]], Heard]:
    assets = (*WELL_KNOWN, "FSLR", "CLF", "WHR", "ISRG", "HOT", "EOG", "AMZN", "OXY", "PCLN", "APC")
    board = Scoreboard(assets, min_score=3.0, as_of_ns=clock.now_ns())
    told: list[tuple[int, Found]] = []

    async def emit(found: Found) -> None:
        told.append((clock.now_ns() - NOW_NS, found))

    talk: list[TalkSource] = [
        RedditTalk(Reddit(gateway, config.reddit, clock=clock), config.reddit),
        YouTubeTalk(YouTube(gateway, config.youtube, clock=clock), config.youtube),
    ]
    return told, await discover(talk, board, emit, clock)


def _sources(gateway: Gateway, config: FeedConfig, clock: LogicalClock) -> Sources:
    return vendor_sources(
        Yahoo(gateway, clock=clock),
        GoogleNews(gateway, config.news, clock=clock),
        Edgar(gateway, config.edgar, clock=clock),
        YouTube(gateway, config.youtube, clock=clock),
        clock=clock,
    )


@dataclass(frozen=True)
class _Seen:
    told: list[tuple[int, Found]]
    heard: Heard
    collected: list[Collected]
    asked: int


async def _all(gateway: Gateway, config: FeedConfig, clock: LogicalClock) -> _Seen:
    """Discover, then collect the steps of well-known companies."""
    told, heard = await _discover(gateway, config, clock)
    sources = _sources(gateway, config, clock)
    collected = [await collect(s, prices_of(walk(120), symbol=s), sources, clock, 30.0) for s in WELL_KNOWN]
    return _Seen(told, heard, collected, gateway.stats["yahoo"].requests)


def test_talk_names_tickers_while_it_is_read_and_every_step_has_content() -> None:
    seen = _replayed(_all)
    assert len({found.symbol for _, found in seen.told}) == len(seen.told) >= 4
    assert {kind.kind for asked in seen.heard.values() for kind in asked} <= {Kind.VALUE, Kind.NO_DATA}
    assert 0 < seen.told[0][0] < seen.told[-1][0]  # not all at the end
    assert {source for _, found in seen.told for source in found.sources} == {"reddit", "youtube"}
    for step in STEPS:
        assert sum(c.steps[step].is_value for c in seen.collected) >= len(WELL_KNOWN) / 3, step
    assert sum(gate(c, ThesisConfig()) == () for c in seen.collected) >= len(WELL_KNOWN) / 2
    assert all(degraded(c) == () for c in seen.collected)
    assert seen.asked <= 2 * len(WELL_KNOWN) + 1  # two questions a symbol, and a crumb
    passages = [p for c in seen.collected for o in c.steps.values() if o.value is not None for p in o.value.passages]
    assert {passage.label for passage in passages} == {Label.SIMULATED}
    assert all(passage.event_ns <= NOW_NS + 600 * NS_PER_S for passage in passages)
    assert any(math.isfinite(c.fact("insider_activity", "net_90d_usd")) for c in seen.collected)


def test_dead_talk_and_dead_news_are_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    dead = ("reddit", "news", "youtube")
    faults = [{"kind": "status", "probability": 1.0, "family": family, "status": 500} for family in dead]
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"fault": faults}))
    seen = _replayed(_all, "--faults", str(plan))
    assert seen.told == []
    assert {outcome.kind for asked in seen.heard.values() for outcome in asked} <= {Kind.ERROR, Kind.LIMITED}
    apple = seen.collected[0]
    assert apple.steps["youtube"].kind in (Kind.ERROR, Kind.LIMITED)
    assert [step for step, _ in apple.partial] == ["news"]
    assert [sentence.split(":")[0] for sentence in degraded(apple)] == ["news", "youtube"]
    assert apple.steps["fundamentals"].is_value
    assert gate(apple, ThesisConfig()) == ()
