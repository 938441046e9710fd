"""Yahoo's paths: cookie, crumb, and shapes."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.sim.worlds import make_client, make_market

from tapeline.sim.faults import Fault, FaultPlan
from tapeline.sim.market import CorporateAction
from tapeline.sim.voices import VoiceLimits

SUMMARY = "/v10/finance/quoteSummary"
SERIES = "/ws/fundamentals-timeseries/v1/finance/timeseries"
DAY_START_S = 1_273_118_400


@pytest.fixture(scope="module")
def client() -> TestClient:
    return make_client(moment="12:00")


def crumb_of(client: TestClient) -> str:
    assert client.get("/").status_code == 404
    return client.get("/v1/test/getcrumb").text


def summary(client: TestClient, symbol: str, modules: str, **more: str) -> Any:
    params = {"modules": modules, "crumb": crumb_of(client), **more}
    return client.get(f"{SUMMARY}/{symbol}", params=params).json()["quoteSummary"]["result"][0]


def test_a_crumb_is_given_for_the_cookie_alone() -> None:
    client = make_client()
    refused = client.get("/v1/test/getcrumb")
    assert (refused.status_code, refused.json()["finance"]["error"]["description"]) == (401, "Invalid Cookie")
    assert client.get(f"{SUMMARY}/IBM?modules=price").status_code == 401
    crumb = crumb_of(client)
    assert client.get(f"{SUMMARY}/IBM?modules=price&crumb={crumb}").status_code == 200
    assert client.get(f"{SUMMARY}/IBM?modules=price&crumb=wrong").status_code == 401


def test_a_cookie_is_yahoos_where_the_host_is_yahoos() -> None:
    client = make_client()
    assert "Domain=.yahoo.com" in client.get("/", headers={"Host": "fc.yahoo.com"}).headers["set-cookie"]
    assert "Domain" not in client.get("/").headers["set-cookie"]


def test_modules_come_as_asked_plain_or_formatted(client: TestClient) -> None:
    plain = summary(client, "IBM", "price,summaryDetail,nothing", formatted="false")
    assert sorted(plain) == ["price", "summaryDetail"]
    shown = summary(client, "IBM", "price")["price"]["regularMarketPrice"]
    assert shown["raw"] == plain["price"]["regularMarketPrice"]
    assert client.get(f"{SUMMARY}/IBM?crumb={crumb_of(client)}").status_code == 400


def test_a_class_of_shares_may_be_spelt_with_a_hyphen(client: TestClient) -> None:
    crumb = crumb_of(client)
    answers = [client.get(f"{SUMMARY}/{s}?modules=price&crumb={crumb}&formatted=false") for s in ("BRK.B", "BRK-B")]
    assert answers[0].json() == answers[1].json()


def test_an_unknown_symbol_is_not_found_in_yahoos_words(client: TestClient) -> None:
    missing = client.get(f"{SUMMARY}/NONE?modules=price&crumb={crumb_of(client)}")
    assert missing.status_code == 404
    assert missing.json()["finance"]["error"]["code"] == "Not Found"
    assert client.get("/v8/finance/chart/NONE").status_code == 404


def test_statements_have_four_years_or_five_quarters_whatever_the_period(client: TestClient) -> None:
    query = "type=annualTotalRevenue,quarterlyTotalRevenue,trailingNetIncome,annualNothing&period1=1483142400&period2=9"
    result = client.get(f"{SERIES}/IBM?{query}").json()["timeseries"]["result"]
    series = {entry["meta"]["type"][0]: entry for entry in result}
    years = series["annualTotalRevenue"]["annualTotalRevenue"]
    assert [point["asOfDate"] for point in years] == ["2006-12-31", "2007-12-31", "2008-12-31", "2009-12-31"]
    assert len(series["annualTotalRevenue"]["timestamp"]) == 4
    quarters = series["quarterlyTotalRevenue"]["quarterlyTotalRevenue"]
    in_2009 = [point["reportedValue"]["raw"] for point in quarters if point["asOfDate"].startswith("2009")]
    assert sum(in_2009) == years[-1]["reportedValue"]["raw"]
    assert len(series["trailingNetIncome"]["trailingNetIncome"]) == 1
    assert list(series["annualNothing"]) == ["meta"]


def test_a_chart_shows_days_and_minutes_up_to_now(client: TestClient) -> None:
    days = client.get("/v8/finance/chart/IBM?range=1mo&interval=1d").json()["chart"]["result"][0]
    quote = days["indicators"]["quote"][0]
    assert len(days["timestamp"]) == len(quote["close"]) == len(days["indicators"]["adjclose"][0]["adjclose"]) == 5
    minutes = client.get("/v8/finance/chart/IBM?range=1d&interval=5m").json()["chart"]["result"][0]
    assert 25 < len(minutes["timestamp"]) <= 30
    assert max(minutes["timestamp"]) < 1_273_161_600
    assert minutes["meta"]["exchangeTimezoneName"] == "America/New_York"
    window = f"period1={DAY_START_S}&period2=4102444800"
    today = client.get(f"/v8/finance/chart/IBM?{window}&interval=1d").json()["chart"]["result"][0]
    assert len(today["timestamp"]) == 1


@pytest.mark.parametrize("query", ["interval=7m", "range=9y", "period1=soon"])
def test_a_chart_that_cannot_be_drawn_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/v8/finance/chart/IBM?{query}").status_code in (400, 422)


def test_a_chart_is_adjusted_for_splits() -> None:
    path = "/v8/finance/chart/IBM?range=5d&interval=1d"
    plain = make_client().get(path).json()["chart"]["result"][0]["indicators"]["quote"][0]["close"]
    actions = (CorporateAction("IBM", make_market().sessions[-1], "split", 0.5, ""),)
    split = make_client(make_market(actions=actions)).get(path).json()["chart"]["result"][0]
    assert split["indicators"]["quote"][0]["close"] == pytest.approx([close / 2 for close in plain])


def test_quotes_of_several_symbols(client: TestClient) -> None:
    found = client.get(f"/v7/finance/quote?symbols=IBM,NONE&crumb={crumb_of(client)}").json()
    assert [row["symbol"] for row in found["quoteResponse"]["result"]] == ["IBM"]


def test_a_dead_and_a_limited_yahoo_say_so_in_yahoos_words() -> None:
    dead = make_client(faults=FaultPlan(fault=(Fault("status", 1.0, family="yahoo"),))).get("/v8/finance/chart/IBM")
    assert (dead.status_code, dead.json()["finance"]["error"]["code"]) == (500, "Internal Server Error")
    client = make_client(voices=VoiceLimits(yahoo=1))
    limited = [client.get("/v8/finance/chart/IBM") for _ in range(2)][1]
    assert (limited.status_code, limited.json()["finance"]["error"]["code"]) == (429, "Too Many Requests")


def test_a_lost_symbol_has_no_facts() -> None:
    client = make_client(faults=FaultPlan(fault=(Fault("missing", 1.0, family="yahoo"),)))
    assert client.get(f"{SERIES}/IBM?type=annualNetIncome").status_code == 404
