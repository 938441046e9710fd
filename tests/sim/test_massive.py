"""Massive's aggregates: its own client reads them, page by page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.sim.running import running_simulator
from tests.sim.worlds import DAY, at, make_client, make_market

KEY = {"authorization": "Bearer key"}
RANGE = "/v2/aggs/ticker/AAPL/range/1/minute"


def test_minutes_come_in_pages_that_lead_on() -> None:
    client = make_client(moment="10:30")
    path = f"{RANGE}/{at('09:30') // 10**6}/{at('10:00') // 10**6}"
    whole = client.get(path, headers=KEY).json()
    assert (whole["status"], whole["ticker"], whole["resultsCount"]) == ("OK", "AAPL", len(whole["results"]))
    found, url = [], f"{path}?limit=7"
    while url:
        page = client.get(url, headers=KEY).json()
        found += page["results"]
        url = page.get("next_url", "")
    assert found == whole["results"]
    market = make_market()
    first = market.minutes(DAY)
    column = market.symbols.index("AAPL")
    bar = next(bar for bar in found if bar["t"] == at("09:35") // 10**6)
    assert bar["c"] == first.close[5, column]


def test_days_and_the_whole_market_agree() -> None:
    client = make_client(moment="10:30")
    days = client.get("/v2/aggs/ticker/AAPL/range/1/day/2010-05-03/2010-05-05?adjusted=false", headers=KEY).json()
    assert [bar["t"] for bar in days["results"]] == [at("00:00", DAY.replace(day=d)) // 10**6 for d in (3, 4, 5)]
    market = client.get("/v2/aggs/grouped/locale/us/market/stocks/2010-05-05?adjusted=false", headers=KEY).json()
    (apple,) = [bar for bar in market["results"] if bar.pop("T") == "AAPL"]
    assert apple == days["results"][-1]


def test_nothing_of_the_future_is_told_and_an_empty_range_has_no_list() -> None:
    client = make_client(moment="09:40")
    told = client.get(f"{RANGE}/2010-05-06/2010-05-06", headers=KEY).json()
    assert max(bar["t"] for bar in told["results"]) < at("09:40") // 10**6
    assert "results" not in client.get("/v2/aggs/ticker/NOPE/range/1/day/2010-05-03/2010-05-05", headers=KEY).json()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{RANGE}/2010-05-06/2010-05-05", 400),
        (f"{RANGE}/never/2010-05-05", 400),
        (f"{RANGE}/2010-05-05/2010-05-06?limit=0", 400),
        (f"{RANGE}/2010-05-05/2010-05-06?cursor=%25", 400),
        ("/v2/aggs/ticker/AAPL/range/7/minute/2010-05-05/2010-05-06", 400),
        ("/v2/aggs/ticker/aa~/range/1/minute/2010-05-05/2010-05-06", 400),
    ],
)
def test_what_the_vendor_refuses_is_refused_in_its_form(path: str, status: int) -> None:
    answer = make_client(moment="10:30").get(path, headers=KEY)
    assert answer.status_code == status
    assert answer.json()["status"] == "ERROR"


def test_without_a_key_nothing_is_told() -> None:
    answer = make_client(moment="10:30").get(f"{RANGE}/2010-05-05/2010-05-06", headers={"authorization": ""})
    assert (answer.status_code, answer.json()["error"]) == (401, "API Key was not provided")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_simulator(60) as address:
        yield address


@pytest.mark.process
def test_the_vendors_own_client_reads_a_range_through_all_its_pages(url: str) -> None:
    from massive import RESTClient

    client = RESTClient(api_key="key", base=url, retries=0)
    bars = list(client.list_aggs("AAPL", 1, "minute", "2010-05-05", "2010-05-05", limit=100))
    assert len(bars) > 300
    assert bars[0].timestamp == at("09:30", DAY.replace(day=5)) // 10**6
    assert [bar.timestamp for bar in bars] == sorted({bar.timestamp for bar in bars})
    market = client.get_grouped_daily_aggs("2010-05-05")
    assert {"AAPL", "MSFT"} <= {bar.ticker for bar in market}
