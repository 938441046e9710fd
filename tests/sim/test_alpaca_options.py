"""Option chains: the vendor's own client and ours read the same contracts, page by page, with Greeks that fit."""

from __future__ import annotations

import datetime as dt
import math
import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from tests.sim.running import running_simulator
from tests.sim.worlds import at, make_client

CHAIN = "/v1beta1/options/snapshots/AAPL"


def test_a_chain_comes_in_pages_of_a_hundred_unless_asked_otherwise() -> None:
    client = make_client(moment="10:00")
    found: dict[str, Any] = {}
    sizes: list[int] = []
    token: str | None = ""
    while token is not None:
        page = client.get(CHAIN, params={"page_token": token} if token else {}).json()
        sizes.append(len(page["snapshots"]))
        found |= page["snapshots"]
        token = page["next_page_token"]
    assert sizes[0] == 100
    assert max(sizes) == 100
    whole = client.get(CHAIN, params={"limit": 1000}).json()
    assert (whole["snapshots"], whole["next_page_token"]) == (found, None)
    assert client.get(CHAIN, params={"limit": 1001}).status_code == 400


def test_filters_leave_what_fits() -> None:
    client = make_client(moment="10:00")
    asked: dict[str, str | int] = {
        "type": "put",
        "expiration_date_gte": "2010-06-01",
        "expiration_date_lte": "2010-06-30",
        "limit": 1000,
    }
    symbols = client.get(CHAIN, params=asked).json()["snapshots"]
    assert symbols
    assert all(symbol.startswith("AAPL100618P") for symbol in symbols)
    assert client.get("/v1beta1/options/snapshots/NOPE").json()["snapshots"] == {}


def test_call_and_put_keep_parity_and_their_deltas_differ_by_one() -> None:
    client = make_client(moment="10:00")
    chain = client.get(CHAIN, params={"limit": 1000}).json()["snapshots"]
    for symbol, call in chain.items():
        if symbol[-9] == "C":
            put = chain[f"{symbol[:-9]}P{symbol[-8:]}"]
            assert call["greeks"]["delta"] - put["greeks"]["delta"] == pytest.approx(1.0, abs=2e-6)
            assert call["greeks"]["gamma"] == put["greeks"]["gamma"]
            assert call["latestQuote"]["bp"] <= call["latestQuote"]["ap"]


def test_named_contracts_are_told_as_in_their_chain_and_a_hundred_at_most() -> None:
    client = make_client(moment="10:00")
    chain = client.get(CHAIN, params={"limit": 1000}).json()["snapshots"]
    some = sorted(chain)[:100]
    asked = {"symbols": ",".join([*some[:99], "AAPL990101C00001000"])}
    told = client.get("/v1beta1/options/snapshots", params=asked).json()["snapshots"]
    assert told == {symbol: chain[symbol] for symbol in some[:99]}
    too_many = client.get("/v1beta1/options/snapshots", params={"symbols": ",".join(sorted(chain)[:101])})
    assert (too_many.status_code, too_many.json()["message"]) == (400, "too many symbols: at most 100")
    assert client.get("/v1beta1/options/snapshots", params={"symbols": "AAPL"}).status_code == 400


def test_what_is_listed_stays_from_morning_to_evening() -> None:
    morning, evening = (
        make_client(moment=moment).get(CHAIN, params={"limit": 1000}).json()["snapshots"]
        for moment in ("09:32", "15:59")
    )
    assert morning.keys() == evening.keys()
    assert morning != evening


def test_bars_of_contracts_follow_their_underlying_and_come_in_pages() -> None:
    client = make_client(moment="10:30")
    symbols = sorted(client.get(CHAIN, params={"limit": 1000}).json()["snapshots"])
    pair = [symbols[0], symbols[0].replace("C00", "P00")]
    asked: dict[str, str | int] = {"symbols": ",".join(pair), "timeframe": "1Min", "limit": 7}
    found: dict[str, list[Any]] = {}
    token: str | None = ""
    while token is not None:
        page = client.get("/v1beta1/options/bars", params=asked | ({"page_token": token} if token else {})).json()
        assert sum(map(len, page["bars"].values())) <= 7
        for symbol, bars in page["bars"].items():
            found.setdefault(symbol, []).extend(bars)
        token = page["next_page_token"]
    stock = client.get("/v2/stocks/bars", params={"symbols": "AAPL", "feed": "iex", "timeframe": "1Min"}).json()
    times = [bar["t"] for bar in stock["bars"]["AAPL"]]
    for bars in found.values():
        assert [bar["t"] for bar in bars] == times
        assert all(bar["l"] <= min(bar["o"], bar["c"]) <= max(bar["o"], bar["c"]) <= bar["h"] for bar in bars)
    rises = [later["c"] - bar["c"] for bar, later in pairwise(found[pair[0]])]
    falls = [later["c"] - bar["c"] for bar, later in pairwise(found[pair[1]])]
    assert all(up * down <= 0.0 or abs(up - down) < 0.2 for up, down in zip(rises, falls, strict=True))


def test_contracts_tell_open_interest_of_the_evening_before_and_end_at_the_weekend_unless_asked() -> None:
    client = make_client(moment="10:00")
    assert client.get("/v2/options/contracts", params={"underlying_symbols": "AAPL"}).json() == {
        "option_contracts": [],
        "next_page_token": None,
    }
    asked: dict[str, str | int] = {"underlying_symbols": "AAPL,IBM", "expiration_date_lte": "2011-01-01", "limit": 100}
    found: list[dict[str, Any]] = []
    token: str | None = ""
    while token is not None:
        page = client.get("/v2/options/contracts", params=asked | ({"page_token": token} if token else {})).json()
        assert len(page["option_contracts"]) <= 100
        found += page["option_contracts"]
        token = page["next_page_token"]
    symbols = [one["symbol"] for one in found]
    assert symbols == sorted(set(symbols))
    chain = client.get(CHAIN, params={"limit": 1000}).json()["snapshots"]
    assert {one["symbol"] for one in found if one["underlying_symbol"] == "AAPL"} == chain.keys()
    assert {one["open_interest_date"] for one in found} == {"2010-05-05"}
    assert all(int(one["open_interest"]) >= 0 and float(one["close_price"]) > 0 for one in found)
    assert client.get(f"/v2/options/contracts/{symbols[0]}").json() == found[0]
    assert client.get("/v2/options/contracts/AAPL990101C00001000").status_code == 404
    assert client.get("/v2/options/contracts", params=asked | {"limit": 10_001}).status_code == 422
    assert client.get("/v2/options/contracts", params=asked | {"status": "inactive"}).json()["option_contracts"] == []


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_simulator(40) as address:
        yield address


@pytest.mark.process
def test_the_vendors_own_client_reads_chains_contracts_and_bars(url: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a library that the client imports
        from alpaca.data.historical.option import OptionHistoricalDataClient
        from alpaca.data.requests import OptionBarsRequest, OptionChainRequest, OptionSnapshotRequest
        from alpaca.data.timeframe import TimeFrame
        from alpaca.trading.client import TradingClient
        from alpaca.trading.requests import GetOptionContractsRequest

    httpx2.post(f"{url}/sim/clock", json={"until_ns": at("10:00")}).raise_for_status()
    client = OptionHistoricalDataClient("key", "secret", url_override=url)
    asked = OptionChainRequest(underlying_symbol="AAPL", expiration_date=dt.date(2010, 6, 18))
    chain: Any = client.get_option_chain(asked)
    named: Any = client.get_option_snapshot(OptionSnapshotRequest(symbol_or_symbols=sorted(chain)[:5]))
    assert named == {symbol: chain[symbol] for symbol in sorted(chain)[:5]}
    first = sorted(chain)[0]
    bars: Any = client.get_option_bars(OptionBarsRequest(symbol_or_symbols=first, timeframe=TimeFrame.Minute))
    assert len(bars[first]) > 10
    client._session.close()
    trading = TradingClient("key", "secret", url_override=url)
    listed: Any = trading.get_option_contracts(
        GetOptionContractsRequest(underlying_symbols=["AAPL"], expiration_date=dt.date(2010, 6, 18), limit=1000)
    )
    trading._session.close()
    assert {contract.symbol for contract in listed.option_contracts} == chain.keys()
    assert sum(int(contract.open_interest) for contract in listed.option_contracts) > 1_000
    assert len(chain) >= 20
    for symbol, snapshot in chain.items():
        assert symbol.startswith("AAPL100618")
        assert snapshot.latest_quote.bid_price <= snapshot.latest_quote.ask_price
        assert 0.0 < snapshot.implied_volatility < 1.0
        assert math.copysign(1.0, snapshot.greeks.delta) == (1.0 if symbol[-9] == "C" else -1.0)
