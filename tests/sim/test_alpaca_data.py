"""Alpaca's market data: pages, windows, newest prices, and what the free plan may not see."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.sim.worlds import DAY, SESSIONS, SYMBOLS, make_client, make_market, move

from tapeline.sim.market import CorporateAction

MARKET = make_market()
OPEN = "2010-05-06T13:30:00Z"


@pytest.fixture(scope="module")
def client() -> TestClient:
    return make_client(MARKET, moment="12:00")


def fetch(client: TestClient, path: str = "/v2/stocks/bars", **params: Any) -> Any:
    return client.get(f"{path}?{urlencode({'feed': 'iex'} | params)}").json()


def fetch_all(client: TestClient, **params: Any) -> tuple[dict[str, list[Any]], list[int]]:
    """Return all bars of all pages, and how many each page held."""
    found: dict[str, list[Any]] = defaultdict(list)
    sizes, token = [], None
    while True:
        page = fetch(client, **(params | ({"page_token": token} if token else {})))
        for symbol, bars in page["bars"].items():
            found[symbol] += bars
        sizes.append(sum(map(len, page["bars"].values())))
        if (token := page["next_page_token"]) is None:
            return dict(found), sizes


def test_a_minute_bar_has_the_vendors_shape(client: TestClient) -> None:
    page = fetch(client, symbols="AA", start=OPEN, end=OPEN)
    o, h, low, c, v, vw, n = MARKET.made[DAY][:, 0, 0].tolist()
    bar = {"t": OPEN, "o": o, "h": h, "l": low, "c": c, "v": int(v), "n": int(n), "vw": vw}
    assert page == {"bars": {"AA": [bar]}, "next_page_token": None}


def test_a_limit_counts_over_all_symbols_so_that_two_bars_are_both_of_the_first(client: TestClient) -> None:
    page = fetch(client, symbols=",".join(SYMBOLS), limit=2)
    assert list(page["bars"]) == ["AA"]
    assert len(page["bars"]["AA"]) == 2
    assert page["next_page_token"]


def test_without_a_start_bars_begin_with_the_current_day(client: TestClient) -> None:
    assert fetch(client, symbols="AAPL", limit=1)["bars"]["AAPL"][0]["t"].startswith("2010-05-06")


@given(
    limit=st.integers(1, 1200),
    symbols=st.lists(st.sampled_from([*SYMBOLS, "NONE"]), min_size=1, max_size=8),
    first=st.integers(0, 60),
    length=st.integers(0, 200),
    timeframe=st.sampled_from(["1Min", "5Min", "1Day"]),
    sort=st.sampled_from(["asc", "desc"]),
)
@settings(max_examples=30, deadline=None)
def test_any_limit_and_any_mix_of_symbols_gives_the_same_bars_once(
    client: TestClient, limit: int, symbols: list[str], first: int, length: int, timeframe: str, sort: str
) -> None:
    start = dt.datetime(2010, 5, 5 if timeframe != "1Day" else 1, 19, 30, tzinfo=dt.UTC) + dt.timedelta(minutes=first)
    end = start + (dt.timedelta(days=5) if timeframe == "1Day" else dt.timedelta(hours=18, minutes=length))
    window = {"start": start.isoformat(), "end": end.isoformat(), "timeframe": timeframe, "sort": sort}
    limit = limit if timeframe != "1Min" else max(limit, 20)
    paged, sizes = fetch_all(client, symbols=",".join(symbols), limit=limit, **window)
    whole = fetch(client, symbols=",".join(symbols), limit=10_000, **window)
    assert whole["next_page_token"] is None
    assert paged == whole["bars"]
    assert list(paged) == sorted(paged)
    assert all(size == limit for size in sizes[:-1])
    assert 0 < sizes[-1] <= limit or paged == {}
    for bars in paged.values():
        times = [bar["t"] for bar in bars]
        assert times == sorted(set(times), reverse=sort == "desc")


def test_unknown_symbols_are_absent_and_misspelt_ones_are_refused(client: TestClient) -> None:
    assert list(fetch(client, symbols="NONE,AA", start=OPEN, end=OPEN)["bars"]) == ["AA"]
    assert fetch(client, symbols="AA,b@d") == {"message": "invalid symbol: b@d"}


def test_a_request_without_symbols_is_refused(client: TestClient) -> None:
    assert client.get("/v2/stocks/bars").status_code == 400


@pytest.mark.parametrize("wrong", [{"feed": "otc"}, {"sort": "up"}, {"adjustment": "none"}, {"page_token": "%%"}])
def test_a_parameter_that_the_vendor_does_not_know_is_refused(client: TestClient, wrong: dict[str, str]) -> None:
    name = next(iter(wrong))
    assert fetch(client, **({"symbols": "AA"} | wrong))["message"].startswith(f"invalid {name}")


def test_daily_bars_of_the_past_are_the_real_rows(client: TestClient) -> None:
    answer = client.get("/v2/stocks/bars?symbols=AA,IBM&timeframe=1Day&feed=iex&start=2010-04-30&end=2010-05-05")
    assert answer.headers["X-Tapeline-Label"] == "real"
    bars = answer.json()["bars"]
    assert [bar["t"] for bar in bars["AA"]] == [f"{day}T04:00:00Z" for day in SESSIONS[:-1]]
    assert [bar["c"] for bar in bars["IBM"]] == MARKET.daily["close"][:-1, 3].tolist()
    assert {(bar["n"], bar["vw"]) for bar in bars["AA"]} == {(None, None)}


def test_a_daily_window_that_reaches_today_shows_the_day_so_far(client: TestClient) -> None:
    answer = client.get("/v2/stocks/bars?symbols=AA&timeframe=1Day&feed=iex&start=2010-05-05&end=2010-05-06")
    assert answer.headers["X-Tapeline-Label"] == "bridged"
    today = answer.json()["bars"]["AA"][-1]
    assert today["t"] == "2010-05-06T04:00:00Z"
    assert today["v"] == np.nansum(MARKET.made[DAY][4, :149, 0])


def test_the_newest_bars_come_one_per_symbol(client: TestClient) -> None:
    bars = fetch(client, "/v2/stocks/bars/latest", symbols="AA,ZZZ,NONE")["bars"]
    assert sorted(bars) == ["AA", "ZZZ"]
    assert bars["AA"]["t"] == "2010-05-06T15:58:00Z"
    assert bars["ZZZ"]["t"].startswith("2010-05-05")


def test_the_newest_trade_is_the_newest_close_and_lies_inside_its_minute(client: TestClient) -> None:
    trade = fetch(client, "/v2/stocks/trades/latest", symbols="AA")["trades"]["AA"]
    assert trade["p"] == MARKET.made[DAY][3, 148, 0]
    assert trade["t"] == "2010-05-06T15:58:59Z"


def test_a_quote_is_a_spread_around_the_newest_trade_and_labelled_simulated(client: TestClient) -> None:
    answer = client.get("/v2/stocks/quotes/latest?symbols=AA")
    assert answer.headers["X-Tapeline-Label"] == "simulated"
    quote = answer.json()["quotes"]["AA"]
    assert quote["bp"] < MARKET.made[DAY][3, 148, 0] < quote["ap"]


def test_a_snapshot_holds_five_parts_and_null_for_what_is_not_there(client: TestClient) -> None:
    found = fetch(client, "/v2/stocks/snapshots", symbols="AA,ZZZ,NONE")
    assert sorted(found) == ["AA", "ZZZ"]
    assert sorted(found["AA"]) == ["dailyBar", "latestQuote", "latestTrade", "minuteBar", "prevDailyBar"]
    assert found["AA"]["dailyBar"]["v"] == np.nansum(MARKET.made[DAY][4, :149, 0])
    assert found["AA"]["prevDailyBar"]["c"] == MARKET.daily["close"][-2, 0]
    assert found["ZZZ"]["dailyBar"] is None
    assert found["ZZZ"]["prevDailyBar"]["c"] == MARKET.daily["close"][-2, 5]


def test_before_the_bell_a_snapshot_is_of_the_two_sessions_before() -> None:
    found = fetch(make_client(MARKET), "/v2/stocks/snapshots", symbols="AA")["AA"]
    assert found["dailyBar"]["t"] == f"{SESSIONS[-2]}T04:00:00Z"
    assert found["prevDailyBar"]["t"] == f"{SESSIONS[-3]}T04:00:00Z"


def test_one_symbols_bars_have_an_address_of_their_own(client: TestClient) -> None:
    one = fetch(client, "/v2/stocks/AA/bars", start=OPEN, end=OPEN)
    assert one["symbol"] == "AA"
    assert one["bars"] == fetch(client, symbols="AA", start=OPEN, end=OPEN)["bars"]["AA"]
    assert fetch(client, "/v2/stocks/NONE/bars")["bars"] is None


def test_the_free_plan_may_not_ask_for_recent_prices_of_the_consolidated_feed(client: TestClient) -> None:
    answer = client.get(f"/v2/stocks/bars?symbols=AA&feed=sip&start={OPEN}&end=2010-05-06T15:50:00Z")
    assert answer.status_code == 403
    assert answer.json() == {"code": 42210000, "message": "subscription does not permit querying recent SIP data"}
    assert client.get("/v2/stocks/snapshots?symbols=AA&feed=sip").status_code == 403


def test_the_free_plan_without_a_feed_silently_lives_15_minutes_in_the_past(client: TestClient) -> None:
    bars = client.get(f"/v2/stocks/bars?symbols=AA&start={OPEN}").json()["bars"]["AA"]
    assert bars[-1]["t"] == "2010-05-06T15:45:00Z"


def test_the_paid_plan_sees_the_consolidated_feed_up_to_now() -> None:
    client = make_client(MARKET, moment="12:00", plan="plus")
    bars = client.get(f"/v2/stocks/bars?symbols=AA&start={OPEN}").json()["bars"]["AA"]
    assert bars[-1]["t"] == "2010-05-06T15:58:00Z"


def test_a_bar_that_ended_a_moment_ago_is_not_there_yet() -> None:
    client = make_client(MARKET, moment="10:00")
    before = fetch(client, symbols="AA", start="2010-05-06T13:59:00Z")["bars"]
    move(client, "10:00:01")
    assert (before, len(fetch(client, symbols="AA", start="2010-05-06T13:59:00Z")["bars"]["AA"])) == ({}, 1)


def test_splits_are_told_once_their_day_has_come() -> None:
    actions = (
        CorporateAction("IBM", SESSIONS[2], "split", 0.5, ""),
        CorporateAction("MSFT", SESSIONS[3], "split", 10.0, ""),
        CorporateAction("AA", dt.date(2010, 6, 1), "split", 0.5, ""),
        CorporateAction("AAPL", SESSIONS[1], "spin_off", 0.9, ""),
    )
    client = make_client(make_market(actions=actions))
    found = client.get("/v1/corporate-actions").json()["corporate_actions"]
    assert [(e["symbol"], e["new_rate"], e["old_rate"]) for e in found["forward_splits"]] == [("IBM", 2.0, 1)]
    assert [(e["symbol"], e["new_rate"], e["old_rate"]) for e in found["reverse_splits"]] == [("MSFT", 1, 10.0)]
    only = client.get("/v1/corporate-actions?symbols=MSFT").json()["corporate_actions"]
    assert list(only) == ["reverse_splits"]


def test_adjusted_bars_are_scaled_and_raw_ones_are_not() -> None:
    client = make_client(make_market(actions=(CorporateAction("IBM", DAY, "split", 0.5, ""),)), moment="10:00")
    window = {"symbols": "IBM", "timeframe": "1Day", "start": "2010-05-05", "end": "2010-05-05"}
    raw, split = fetch(client, **window), fetch(client, adjustment="split", **window)
    assert split["bars"]["IBM"][0]["c"] == raw["bars"]["IBM"][0]["c"] / 2
