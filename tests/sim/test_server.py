"""The whole application: its own routes, and the one rule that no answer knows the future."""

from __future__ import annotations

import datetime as dt

import anyio
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sim.worlds import SYMBOLS, at, make_client, make_market, with_other_future

from tapeline.core.errors import DataError
from tapeline.sim.filings import cik_of
from tapeline.sim.market import MINUTE_NS
from tapeline.sim.server import SimSettings, build_app

MARKET = make_market()
ALL = ",".join(SYMBOLS)
PATHS = [
    f"/v2/stocks/bars?symbols={ALL}&feed=iex&start=2010-05-05&limit=10000",
    f"/v2/stocks/bars?symbols={ALL}&feed=iex&start=2010-05-06&end=2030-01-01&limit=10000&sort=desc&timeframe=5Min",
    f"/v2/stocks/bars?symbols={ALL}&feed=iex&timeframe=1Day&start=2010-04-01&end=2030-01-01",
    f"/v2/stocks/bars?symbols={ALL}&feed=sip&start=2010-05-06",
    f"/v2/stocks/bars/latest?symbols={ALL}",
    f"/v2/stocks/trades/latest?symbols={ALL}",
    f"/v2/stocks/quotes/latest?symbols={ALL}",
    f"/v2/stocks/snapshots?symbols={ALL}",
    "/v2/stocks/IBM/bars?feed=iex",
    "/v1/corporate-actions",
    "/v2/assets",
    "/v2/clock",
    *[f"/rss/search?q={symbol}+stock" for symbol in SYMBOLS],
    "/rss/search?q=stock+market",
    *[f"/r/{board}/{order}?limit=100" for board in ("wallstreetbets", "stocks") for order in ("hot", "new", "rising")],
    *[f"/v8/finance/chart/IBM?range=5d&interval={interval}" for interval in ("1m", "1h", "1d")],
    *[f"/youtube/v3/search?key=any&maxResults=50&q={query}" for query in (*SYMBOLS, "market")],
    "/files/company_tickers.json",
    *[f"/submissions/CIK{cik_of(symbol):010d}.json" for symbol in SYMBOLS],
    "/ws/fundamentals-timeseries/v1/finance/timeseries/IBM?type=annualNetIncome,quarterlyTotalAssets",
]


@given(st.integers(1, 389), st.integers(0, 60 * 10**9 - 1))
@settings(max_examples=6, deadline=None)
def test_no_answer_changes_with_the_future(minute: int, into_ns: int) -> None:
    here, there = make_client(MARKET), make_client(with_other_future(MARKET, minute))
    for client in (here, there):
        client.post("/sim/clock", json={"until_ns": at("09:30") + minute * MINUTE_NS + into_ns})
    for path in PATHS:
        ours = here.get(path)
        assert ours.status_code == 200
        assert ours.content == there.get(path).content, path


def test_the_clock_tells_the_session_it_stands_in() -> None:
    client = make_client(MARKET)
    assert client.get("/sim/clock").json() == {
        "now_ns": at("09:00"),
        "day": "2010-05-06",
        "is_open": False,
        "open_ns": at("09:30"),
        "close_ns": at("16:00"),
        "next_open_ns": at("09:30"),
        "participants": ["node"],
    }
    client.post("/sim/clock", json={"until_ns": at("10:00")})
    shown = client.get("/sim/clock").json()
    assert shown["is_open"] is True
    assert shown["next_open_ns"] == at("09:30", dt.date(2010, 5, 7))


def test_the_clock_moves_forward_only() -> None:
    client = make_client(MARKET)
    assert client.post("/sim/clock", json={"until_ns": at("10:00")}).json() == {"now_ns": at("10:00")}
    assert client.post("/sim/clock", json={"until_ns": at("09:30")}).json() == {"now_ns": at("10:00")}


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_time_waits_for_everybody_who_has_joined() -> None:
    app = build_app(MARKET, SimSettings())
    granted: list[int] = []

    async def ask(client: httpx2.AsyncClient, name: str, until_ns: int) -> None:
        answer = await client.post("/sim/clock", json={"participant": name, "until_ns": until_ns})
        granted.append(answer.json()["now_ns"])

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://sim") as client:
        await client.post("/sim/participants", json={"name": "worker"})
        async with anyio.create_task_group() as group:
            group.start_soon(ask, client, "node", at("09:20"))
            await anyio.wait_all_tasks_blocked()
            assert (await client.get("/sim/clock")).json()["now_ns"] == at("09:00")
            await ask(client, "worker", at("09:10"))
            left = await client.delete("/sim/participants/worker")
    assert left.json() == {"now_ns": at("09:20"), "participants": ["node"]}
    assert granted == [at("09:10"), at("09:20")]


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'{"until_ns": "soon"}', b'{"until_ns": 1e400}'])
def test_a_wish_that_cannot_be_read_moves_nothing(body: bytes) -> None:
    client = make_client(MARKET)
    refused = client.post("/sim/clock", content=body)
    assert refused.status_code == 400
    assert client.get("/sim/clock").json()["now_ns"] == at("09:00")


def test_a_nameless_participant_is_refused() -> None:
    assert make_client(MARKET).post("/sim/participants", content=b"{}").status_code == 400


def test_an_address_that_no_vendor_has_is_not_found_in_the_vendors_words() -> None:
    client = make_client(MARKET)
    missing = client.get("/v2/orders")
    assert (missing.status_code, missing.json()) == (404, {"message": "endpoint not found."})
    assert client.post("/v2/stocks/bars").status_code == 405


def test_a_day_without_a_session_is_refused_before_anything_starts() -> None:
    with pytest.raises(DataError, match="2010-05-08"):
        build_app(MARKET, SimSettings(day=dt.date(2010, 5, 8)))
