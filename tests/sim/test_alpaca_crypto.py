"""Alpaca's crypto: the vendor's own client and ours read the same bars, page by page, on any day of the week."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.sim.running import running_simulator
from tests.sim.worlds import at, make_client

CRYPTO = "/v1beta3/crypto/us"


def _all_pages(client: TestClient, **params: str | int) -> tuple[dict[str, list[dict[str, Any]]], list[int]]:
    """Return all bars, and how many each page had."""
    found: dict[str, list[dict[str, Any]]] = {}
    sizes: list[int] = []
    token: str | None = ""
    while token is not None:
        answer = client.get(f"{CRYPTO}/bars", params=params | ({"page_token": token} if token else {}))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        sizes.append(sum(map(len, page["bars"].values())))
        for symbol, bars in page["bars"].items():
            found.setdefault(symbol, []).extend(bars)
        token = page["next_page_token"]
    return found, sizes


@given(
    limit=st.integers(3, 120),
    minutes=st.integers(0, 40),
    symbols=st.sets(st.sampled_from(("BTC/USD", "ETH/USD", "UNI/USD", "NOT/USD")), min_size=1),
    sort=st.sampled_from(("asc", "desc")),
)
@settings(max_examples=20)
def test_any_size_of_a_page_gives_the_same_bars(limit: int, minutes: int, symbols: set[str], sort: str) -> None:
    asked: dict[str, str | int] = {
        "symbols": ",".join(symbols),
        "timeframe": "1Min",
        "start": "2010-05-06T11:00:00Z",
        "end": f"2010-05-06T11:{minutes:02d}:00Z",
        "sort": sort,
    }
    client = make_client(moment="09:00")
    paged, sizes = _all_pages(client, **asked, limit=limit)
    whole, _ = _all_pages(client, **asked, limit=10_000)
    assert paged == whole
    assert set(whole) == symbols - {"NOT/USD"}
    assert all(size == limit for size in sizes[:-1])
    assert all(len(bars) == minutes + 1 for bars in whole.values())
    times = [bar["t"] for bars in whole.values() for bar in bars[: minutes + 1]][: minutes + 1]
    assert times == sorted(times, reverse=sort == "desc")


def test_without_a_start_the_day_begins_at_midnight_utc_and_a_weekend_has_bars() -> None:
    client = make_client(moment="09:00")
    today, _ = _all_pages(client, symbols="BTC/USD", timeframe="1Hour")
    assert today["BTC/USD"][0]["t"] == "2010-05-06T00:00:00Z"
    weekend = {"start": "2010-05-01T00:00:00Z", "end": "2010-05-02T23:59:00Z"}
    found, _ = _all_pages(client, symbols="BTC/USD", timeframe="1Day", **weekend)
    assert [bar["t"] for bar in found["BTC/USD"]] == ["2010-05-01T00:00:00Z", "2010-05-02T00:00:00Z"]


def test_a_question_that_reaches_back_for_ever_costs_a_page() -> None:
    client = make_client(moment="09:00")
    asked: dict[str, str | int] = {
        "symbols": "BTC/USD",
        "timeframe": "1Min",
        "start": "1990-01-01T00:00:00Z",
        "limit": 500,
    }
    page = client.get(f"{CRYPTO}/bars", params=asked).json()
    assert page["bars"]["BTC/USD"][0]["t"] == "2006-01-01T00:00:00Z"
    assert len(page["bars"]["BTC/USD"]) == 500
    newest = client.get(f"{CRYPTO}/bars", params=asked | {"sort": "desc"}).json()
    assert newest["bars"]["BTC/USD"][0]["t"] == "2010-05-06T12:58:00Z"


def test_newest_prices_agree_with_each_other() -> None:
    client = make_client(moment="09:00:30")
    asked = {"symbols": "ETH/USD,BTC/USD,NOT/USD"}
    snapshots = client.get(f"{CRYPTO}/snapshots", params=asked).json()["snapshots"]
    assert list(snapshots) == ["BTC/USD", "ETH/USD"]
    for name, field in (("bars", "minuteBar"), ("trades", "latestTrade"), ("quotes", "latestQuote")):
        told = client.get(f"{CRYPTO}/latest/{name}", params=asked).json()[name]
        assert told == {symbol: snapshot[field] for symbol, snapshot in snapshots.items()}
    for snapshot in snapshots.values():
        assert snapshot["minuteBar"]["t"] == "2010-05-06T12:59:00Z"
        assert snapshot["dailyBar"]["c"] == snapshot["minuteBar"]["c"] == snapshot["latestTrade"]["p"]
        assert snapshot["prevDailyBar"]["t"] == "2010-05-05T00:00:00Z"
        assert snapshot["latestQuote"]["bp"] < snapshot["latestTrade"]["p"] < snapshot["latestQuote"]["ap"]


@pytest.mark.parametrize(
    ("path", "params", "message"),
    [
        (f"{CRYPTO}/bars", {"symbols": "BTCUSD", "timeframe": "1Min"}, "invalid symbol: BTCUSD"),
        (f"{CRYPTO}/bars", {"symbols": "", "timeframe": "1Min"}, "symbols is required"),
        (f"{CRYPTO}/bars", {"symbols": "BTC/USD", "timeframe": "7Min"}, "invalid timeframe: 7Min"),
        (f"{CRYPTO}/bars", {"symbols": "BTC/USD", "limit": "10001"}, "invalid limit: 10001"),
        ("/v1beta3/crypto/mars/snapshots", {"symbols": "BTC/USD"}, "invalid location: mars"),
    ],
)
def test_wrong_questions_are_refused(path: str, params: dict[str, str], message: str) -> None:
    answer = make_client().get(path, params=params)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


def test_coins_need_no_key_and_spend_the_allowance_of_the_data_host() -> None:
    client = make_client(data_limit=2)
    for header in ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY"):
        del client.headers[header]
    answers = [client.get(f"{CRYPTO}/latest/bars", params={"symbols": "BTC/USD"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["X-RateLimit-Remaining"] == "1"
    assert client.get("/v2/stocks/bars/latest", params={"symbols": "AAPL"}).status_code == 403


def test_pairs_are_assets_of_their_own_class() -> None:
    client = make_client()
    pairs = client.get("/v2/assets", params={"asset_class": "crypto"}).json()
    assert {asset["class"] for asset in pairs} == {"crypto"}
    assert "BTC/USD" in {asset["symbol"] for asset in pairs}
    assert "BTC/USD" not in {asset["symbol"] for asset in client.get("/v2/assets").json()}
    assert client.get("/v2/assets/BTCUSD").json() == next(one for one in pairs if one["symbol"] == "BTC/USD")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_simulator(20) as address:
        yield address


@pytest.mark.process
def test_the_vendors_own_client_reads_bars_and_snapshots(url: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a library that the client imports
        from alpaca.data.historical.crypto import CryptoHistoricalDataClient
        from alpaca.data.requests import CryptoBarsRequest, CryptoLatestBarRequest, CryptoSnapshotRequest
        from alpaca.data.timeframe import TimeFrame
        from alpaca.trading.client import TradingClient
        from alpaca.trading.enums import AssetClass
        from alpaca.trading.requests import GetAssetsRequest

    httpx2.post(f"{url}/sim/clock", json={"until_ns": at("10:00")}).raise_for_status()
    client = CryptoHistoricalDataClient(url_override=url)
    symbols = ["BTC/USD", "DOGE/USD"]
    span = {"start": datetime(2010, 4, 28, tzinfo=UTC), "end": datetime(2010, 5, 5, 23, 59, tzinfo=UTC)}
    minute = TimeFrame.Minute
    bars: Any = client.get_crypto_bars(CryptoBarsRequest(symbol_or_symbols=symbols, timeframe=minute, **span))  # type: ignore[arg-type]
    assert [len(bars[symbol]) for symbol in symbols] == [8 * 1440] * 2  # more than two pages
    newest: Any = client.get_crypto_latest_bar(CryptoLatestBarRequest(symbol_or_symbols=symbols))
    snapshots: Any = client.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols=symbols))
    client._session.close()
    for symbol in symbols:
        assert snapshots[symbol].minute_bar == newest[symbol]
        assert snapshots[symbol].latest_quote.bid_price < snapshots[symbol].latest_trade.price
        assert any(bar.volume != int(bar.volume) for bar in bars[symbol])
    trading = TradingClient("key", "secret", url_override=url)
    listed: Any = trading.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO))
    trading._session.close()
    assert set(symbols) <= {asset.symbol for asset in listed}
