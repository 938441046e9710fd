"""The door: keys, limits, faults, latency and statistics of every vendor route."""

from __future__ import annotations

import msgspec
import pytest
from tests.sim.worlds import at, make_client, move

from tapeline.core.types import NS_PER_S
from tapeline.sim.faults import Fault, FaultPlan

BARS = "/v2/stocks/bars?symbols=AA,IBM&feed=iex&start=2010-05-06T13:30:00Z"


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        (BARS, 403, {"message": "forbidden."}),
        (
            "/v2/clock",
            401,
            {"code": 40110000, "message": "access key verification failed : access key not found"},
        ),
    ],
)
def test_alpaca_without_keys_is_refused_in_its_own_words(path: str, status: int, body: object) -> None:
    client = make_client()
    answer = client.get(path, headers={"APCA-API-SECRET-KEY": ""})
    assert (answer.status_code, answer.json()) == (status, body)


def test_every_answer_tells_the_state_of_the_limit() -> None:
    client = make_client(data_limit=3)
    answers = [client.get(BARS) for _ in range(5)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 429]
    assert [a.headers["X-RateLimit-Remaining"] for a in answers] == ["2", "1", "0", "0", "0"]
    assert {a.headers["X-RateLimit-Limit"] for a in answers} == {"3"}
    assert {int(a.headers["X-RateLimit-Reset"]) for a in answers} == {at("09:01") // NS_PER_S}
    assert answers[-1].json() == {"message": "too many requests."}


def test_the_limit_opens_again_after_60_seconds_of_logical_time_only() -> None:
    client = make_client(data_limit=1)
    assert client.get(BARS).status_code == 200
    move(client, "09:00:59")
    assert client.get(BARS).status_code == 429
    move(client, "09:01:00")
    assert client.get(BARS).status_code == 200


def test_data_trading_and_news_have_limits_of_their_own() -> None:
    client = make_client(data_limit=1, trading_limit=1, news_limit=1)
    paths = [BARS, "/v2/clock", "/rss/search?q=IBM+stock"]
    assert [client.get(path).status_code for path in paths * 2] == [200, 200, 200, 429, 429, 429]


def test_a_refused_search_for_news_says_when_to_come_back() -> None:
    client = make_client(news_limit=1)
    client.get("/rss/search?q=IBM")
    move(client, "09:00:20")
    refused = client.get("/rss/search?q=IBM")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "40")


def test_what_the_vendor_refuses_still_counts_and_still_takes_its_time() -> None:
    client = make_client(data_limit=5)
    answer = client.get("/v2/stocks/bars?symbols=aapl&feed=iex")
    assert (answer.status_code, answer.json()) == (400, {"message": "invalid symbol: aapl"})
    assert answer.headers["X-RateLimit-Remaining"] == "4"
    assert float(answer.headers["X-Replay-Latency-Ms"]) > 0


def test_two_simulators_of_one_seed_give_the_same_answers_and_latencies() -> None:
    paths = [BARS, "/v2/clock", BARS, "/rss/search?q=IBM+stock", "/v2/stocks/snapshots?symbols=AA&feed=iex"]
    ours, theirs = make_client(seed=3), make_client(seed=3)
    first = [ours.get(path) for path in paths]
    second = {i: theirs.get(paths[i]) for i in (4, 0, 3, 2, 1)}
    for i, answer in enumerate(first):
        assert answer.content == second[i].content
        assert answer.headers["X-Replay-Latency-Ms"] == second[i].headers["X-Replay-Latency-Ms"]


def test_a_planned_failure_answers_its_status_and_uses_up_the_limit() -> None:
    client = make_client(data_limit=2, faults=FaultPlan(fault=(Fault("status", 1.0, status=502),)))
    answer = client.get(BARS)
    assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (502, "1")


def test_a_planned_refusal_says_to_come_back_in_a_second() -> None:
    client = make_client(faults=FaultPlan(fault=(Fault("status", 1.0, status=429),)))
    answer = client.get(BARS)
    assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (429, "0")
    assert int(answer.headers["X-RateLimit-Reset"]) == at("09:00") // NS_PER_S + 1


def test_a_planned_cut_leaves_a_body_that_does_not_parse() -> None:
    client = make_client(moment="10:00", faults=FaultPlan(fault=(Fault("truncate", 1.0),)))
    answer = client.get(BARS)
    assert answer.status_code == 200
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(answer.content)


def test_a_planned_stall_is_told_in_the_header_alone() -> None:
    client = make_client(faults=FaultPlan(fault=(Fault("stall", 1.0, latency_ms=30_000),)))
    assert client.get(BARS).headers["X-Replay-Latency-Ms"] == "30000.000"


def test_planned_gaps_leave_symbols_out_of_bars_newest_and_news() -> None:
    plan = FaultPlan(fault=(Fault("missing", 1.0),))
    client = make_client(moment="12:00", faults=plan)
    assert client.get(BARS).json() == {"bars": {}, "next_page_token": None}
    assert client.get("/v2/stocks/bars/latest?symbols=AA").json() == {"bars": {}}
    assert b"<item>" not in client.get("/rss/search?q=AA+stock").content


def test_statistics_tell_routes_statuses_and_peaks() -> None:
    client = make_client(data_limit=2)
    sizes = [len(client.get(BARS).content) for _ in range(3)]
    stats = client.get("/sim/stats").json()
    assert stats["requests"] == {"/v2/stocks/bars": 3}
    assert (stats["statuses"], stats["refused_429"]) == ({"200": 2, "429": 1}, 1)
    assert stats["peak_requests_per_60_s"] == {"data": 3}
    assert stats["bytes"] == sum(sizes)
