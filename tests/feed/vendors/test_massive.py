"""Massive: every ticker of a batch, every page, or the reason."""

from __future__ import annotations

import datetime as dt
from typing import Any

import httpx2
import pytest
from tests.feed.worlds import MINUTE_NS, OPEN_NS, answer, run
from tests.sim.running import running_simulator

from tapeline.core.clock import LogicalClock, actor
from tapeline.core.config import FeedConfig
from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import DAY_S, BarFrame, Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Refusal
from tapeline.feed.replay import ReplayAuthority
from tapeline.feed.vendors.massive import HOST, MassiveBars, massive_host

CONFIG = FeedConfig(retries=0)


def _bar(minute: int, **other: object) -> dict[str, Any]:
    start_ms = (OPEN_NS + minute * MINUTE_NS) // 10**6
    return {"t": start_ms, "o": 2.0, "h": 3.0, "l": 1.0, "c": 2.5, "v": 10, **other}


def _fetch(handler: Any, symbols: tuple[str, ...] = ("B", "A")) -> tuple[Outcome[BarFrame], MassiveBars, list[Any]]:
    sent: list[httpx2.Request] = []

    def kept(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        reply: httpx2.Response = handler(request)
        return reply

    async def main(clock: LogicalClock) -> tuple[Outcome[BarFrame], MassiveBars, list[Any]]:
        transport = httpx2.MockTransport(kept)
        hosts = [massive_host(CONFIG, "key-1", clock)]
        async with Gateway(hosts, config=CONFIG, clock=clock, transport=transport, replay=True) as gateway:
            source = MassiveBars(gateway)
            return await source.fetch_bars(symbols, OPEN_NS, OPEN_NS + 3 * MINUTE_NS), source, sent

    return run(main)


def _ticker(request: httpx2.Request) -> str:
    return request.url.path.split("/")[4]


def test_tickers_are_asked_one_by_one_and_joined() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        ticker = _ticker(request)
        results = {"results": [_bar(0, vw=2.2, n=4), _bar(2)]} if ticker == "A" else {}
        return answer({"ticker": ticker, "status": "OK", **results})

    outcome, source, sent = _fetch(handler)
    frame = outcome.unwrap()
    assert (frame.symbols, frame.feed, frame.label) == (("A", "A"), "massive", Label.REAL)
    assert frame.event_ns.tolist() == [OPEN_NS, OPEN_NS + 2 * MINUTE_NS]
    assert frame.vwap[0] == 2.2
    assert frame.vwap[1] != frame.vwap[1]
    assert (source.pages, source.requests) == (2, 2)
    assert sent[0].headers["authorization"] == "Bearer key-1"
    assert dict(sent[0].url.params) == {"adjusted": "false", "sort": "asc", "limit": "50000"}
    assert sent[0].url.path.endswith(f"/1/minute/{OPEN_NS // 10**6}/{(OPEN_NS + 3 * MINUTE_NS) // 10**6 - 1}")


def test_pages_are_followed_at_our_own_host() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        more = {"next_url": "https://elsewhere.test/v2/aggs/ticker/A/range/1/minute/1/2?cursor=x&apiKey=stolen"}
        return answer(
            {
                "ticker": "A",
                "results": [_bar(int(request.url.params.get("cursor") == "x"))],
                **({} if "cursor" in request.url.params else more),
            }
        )

    outcome, _, sent = _fetch(handler, ("A",))
    assert len(outcome.unwrap()) == 2
    assert {request.url.host for request in sent} == {"api.massive.com"}
    assert "apiKey" not in sent[1].url.params


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"ticker": "Z", "results": []}, "holds 'Z'"),
        ({"ticker": "A", "results": [_bar(3)]}, "outside the span"),
        ({"ticker": "A", "results": [_bar(0, c=-1.0)]}, "cannot be read"),
    ],
)
def test_an_answer_to_another_question_is_an_error(body: object, words: str) -> None:
    outcome, _, _ = _fetch(lambda _: answer(body), ("A",))
    assert outcome.kind is Kind.ERROR
    assert words in outcome.reason


def test_a_refused_ticker_is_a_refusal_and_the_key_is_not_shown() -> None:
    outcome, _, _ = _fetch(lambda _: answer({"message": "bad ticker, key-1"}, 400), ("A",))
    assert isinstance(outcome, Refusal)
    assert "key-1" not in outcome.reason


@pytest.mark.process
def test_the_simulator_is_read_as_the_vendor_is() -> None:
    with running_simulator(60) as url:

        async def main(_clock: LogicalClock) -> tuple[BarFrame, BarFrame]:
            async with ReplayAuthority(url) as authority:
                clock = LogicalClock(OPEN_NS - 30 * MINUTE_NS, authority)
                massive = CONFIG.massive.__class__(base_url=url, requests_per_minute=100)
                config = FeedConfig(massive=massive)
                hosts = [massive_host(config, "key", clock)]
                async with Gateway(hosts, config=config, clock=clock, replay=True) as gateway, actor(clock):
                    source = MassiveBars(gateway)
                    await clock.sleep_until(OPEN_NS + 5 * MINUTE_NS)
                    days = await source.fetch_daily(["MSFT", "AAPL"], dt.date(2010, 5, 3), dt.date(2010, 5, 5))
                    minutes = await source.fetch_bars(["AAPL"], OPEN_NS, OPEN_NS + 3 * MINUTE_NS)
                    assert gateway.stats[HOST].failures == 0
                    return days.unwrap(), minutes.unwrap()

        days, minutes = run(main)
    assert days.symbols == ("AAPL", "MSFT") * 3
    assert days.timeframe_s == DAY_S
    assert minutes.event_ns.tolist() == [OPEN_NS + m * MINUTE_NS for m in range(3)]
    assert minutes.label is Label.BRIDGED
