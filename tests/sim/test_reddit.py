"""Reddit's paths and shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.sim.worlds import SYMBOLS, make_client

from tapeline.sim.faults import Fault, FaultPlan
from tapeline.sim.reddit import to_base36
from tapeline.sim.voices import VoiceLimits


@pytest.fixture(scope="module")
def client() -> TestClient:
    return make_client(moment="14:00")


def listing(client: TestClient, order: str = "hot", board: str = "wallstreetbets", query: str = "") -> Any:
    answer = client.get(f"/r/{board}/{order}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def walk(things: list[Any]) -> Iterator[Any]:
    for thing in things:
        yield thing
        if thing["kind"] == "t1" and thing["data"]["replies"]:
            yield from walk(thing["data"]["replies"]["data"]["children"])


def test_a_client_gets_a_token_for_its_credentials(client: TestClient) -> None:
    form = {"grant_type": "client_credentials"}
    token = client.post("/api/v1/access_token", data=form, auth=("id", "secret")).json()
    assert (token["token_type"], token["expires_in"]) == ("bearer", 86_400)
    assert len(token["access_token"]) == 40
    assert client.post("/api/v1/access_token", data=form).status_code == 401
    wrong = client.post("/api/v1/access_token", data={"grant_type": "password"}, auth=("id", "secret"))
    assert wrong.json() == {"error": "unsupported_grant_type"}


def test_without_a_token_nothing_is_shown(client: TestClient) -> None:
    refused = client.get("/r/stocks/hot", headers={"Authorization": ""})
    assert (refused.status_code, refused.json()) == (401, {"message": "Unauthorized", "error": 401})


def test_a_listing_is_read_page_by_page_and_each_post_once(client: TestClient) -> None:
    whole = [thing["data"]["name"] for thing in listing(client, query="?limit=100")["children"]]
    names: list[str] = []
    after: str | None = ""
    while after is not None:
        page = listing(client, query=f"?limit=3&after={after}")
        names += [thing["data"]["name"] for thing in page["children"]]
        after = page["after"]
    assert names == whole
    assert len(set(names)) == len(names) > 6


def test_hot_begins_with_the_stickied_thread_and_new_with_the_newest(client: TestClient) -> None:
    assert listing(client)["children"][0]["data"]["stickied"] is True
    times = [thing["data"]["created_utc"] for thing in listing(client, "new")["children"]]
    assert times == sorted(times, reverse=True)
    scores = [thing["data"]["score"] for thing in listing(client, "top")["children"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("path", ["/r/nowhere/hot", "/r/stocks/best", "/comments/zzz", "/comments/!!", "/r/x/about"])
def test_what_is_not_there_is_not_found_in_reddits_words(client: TestClient, path: str) -> None:
    missing = client.get(path)
    assert (missing.status_code, missing.json()) == (404, {"message": "Not Found", "error": 404})


@pytest.mark.parametrize("limit", [1, 5, 40, 500])
def test_a_tree_and_its_more_hold_every_comment_once(client: TestClient, limit: int) -> None:
    post = listing(client)["children"][0]["data"]
    head, tree = client.get(f"/comments/{post['id']}?limit={limit}").json()
    assert head["data"]["children"][0]["data"] == post
    things = list(walk(tree["data"]["children"]))
    shown = [thing["data"]["id"] for thing in things if thing["kind"] == "t1"]
    assert len(shown) == min(limit, post["num_comments"])
    hidden: list[str] = []
    for thing in things:
        if thing["kind"] == "more":
            wanted = {"link_id": post["name"], "children": ",".join(thing["data"]["children"]), "api_type": "json"}
            found = client.post("/api/morechildren/", data=wanted).json()["json"]["data"]["things"]
            assert len(found) == thing["data"]["count"]
            hidden += [comment["data"]["id"] for comment in found]
    assert len({*shown, *hidden}) == len(shown) + len(hidden) == post["num_comments"]


def test_a_shallow_tree_hides_what_is_deeper(client: TestClient) -> None:
    post = listing(client)["children"][0]["data"]
    tree = client.get(f"/r/wallstreetbets/comments/{post['id']}/slug/?depth=1").json()[1]
    assert {thing["data"]["depth"] for thing in walk(tree["data"]["children"]) if thing["kind"] == "t1"} == {0}
    assert client.get(f"/r/stocks/comments/{post['id']}").status_code == 404


def test_the_limit_is_told_in_reddits_headers() -> None:
    client = make_client(voices=VoiceLimits(reddit=2))
    first, _, third = (client.get("/r/stocks/hot") for _ in range(3))
    assert [first.headers[f"x-ratelimit-{name}"] for name in ("used", "remaining", "reset")] == ["1", "1.0", "60"]
    assert (third.status_code, third.json()["error"], third.headers["Retry-After"]) == (429, 429, "60")


def test_a_dead_reddit_refuses_even_tokens_and_the_rest_lives() -> None:
    client = make_client(faults=FaultPlan(fault=(Fault("status", 1.0, family="reddit"),)))
    assert client.get("/r/stocks/hot").status_code == 500
    assert client.post("/api/v1/access_token", auth=("id", "secret")).status_code == 500
    assert client.get("/v1/models").status_code == 200


def test_a_symbol_that_the_plan_loses_is_not_talked_about() -> None:
    client = make_client(moment="14:00", faults=FaultPlan(fault=(Fault("missing", 1.0, family="reddit"),)))
    assert {thing["data"]["name"] for thing in listing(client, query="?limit=100")["children"]}
    titles = " ".join(thing["data"]["title"] for thing in listing(client, query="?limit=100")["children"])
    assert not any(f"${symbol}" in titles for symbol in SYMBOLS)


def test_a_board_describes_itself(client: TestClient) -> None:
    about = client.get("/r/Stocks/about/").json()
    assert (about["kind"], about["data"]["display_name"]) == ("t5", "stocks")


@pytest.mark.parametrize("number", [0, 1, 35, 36, 10**15])
def test_ids_are_base_36(number: int) -> None:
    assert int(to_base36(number), 36) == number
