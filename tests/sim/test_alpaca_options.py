"""Option chains: the vendor's own client and ours read the same contracts, page by page, with Greeks that fit."""

from __future__ import annotations

import datetime as dt
import json
import math
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from tests.sim.worlds import at, make_client

from tapeline.core.process import spawn

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


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    argv = [sys.executable, "-m", "tapeline.sim", "--port", "0", "--symbols", "40"]
    with spawn(argv, name="the simulator", pipe_stdout=True) as child:
        yield json.loads(child.read_line(60.0))["url"]


@pytest.mark.process
def test_the_vendors_own_client_reads_the_whole_chain(url: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a library that the client imports
        from alpaca.data.historical.option import OptionHistoricalDataClient
        from alpaca.data.requests import OptionChainRequest

    httpx2.post(f"{url}/sim/clock", json={"until_ns": at("10:00")}).raise_for_status()
    client = OptionHistoricalDataClient("key", "secret", url_override=url)
    asked = OptionChainRequest(underlying_symbol="AAPL", expiration_date=dt.date(2010, 6, 18))
    chain: Any = client.get_option_chain(asked)
    client._session.close()
    assert len(chain) >= 20
    for symbol, snapshot in chain.items():
        assert symbol.startswith("AAPL100618")
        assert snapshot.latest_quote.bid_price <= snapshot.latest_quote.ask_price
        assert 0.0 < snapshot.implied_volatility < 1.0
        assert math.copysign(1.0, snapshot.greeks.delta) == (1.0 if symbol[-9] == "C" else -1.0)
