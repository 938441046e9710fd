"""Reddit: listings and trees of comments, bounded, in the words of their authors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields
from tests.feed.vendors.desk import CONFIG, NOW_S, Vendor, response, with_gateway
from tests.feed.worlds import OPEN_NS

from tapeline.core.clock import LogicalClock
from tapeline.core.config.secrets import RedditKeys, reddit_keys
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.vendors.reddit import (
    MAX_BODY,
    MAX_COMMENTS,
    Reddit,
    RedditComment,
    RedditPost,
    parse_comments,
    parse_posts,
    reddit_hosts,
)

KEYS = RedditKeys("client-id-1", "client-secret-2")
TOKEN = {"access_token": "token-3", "token_type": "bearer", "expires_in": 86_400, "scope": "*"}


def _post(**other: Any) -> dict[str, Any]:
    plain = {
        "id": "abc1",
        "title": "$AAPL earnings",
        "selftext": "Long AAPL",
        "author": "someone",
        "score": 12,
        "num_comments": 3,
        "created_utc": float(NOW_S - 60),
        "stickied": False,
        "permalink": "/r/stocks/comments/abc1/aapl/",
        "subreddit": "stocks",
        "ups": 12,
    }
    return {"kind": "t3", "data": plain | other}


def _comment(name: str, body: str, replies: object = "", **other: Any) -> dict[str, Any]:
    plain = {"id": name, "body": body, "author": "x", "score": 1, "created_utc": float(NOW_S), "replies": replies}
    return {"kind": "t1", "data": plain | other}


def _listing(*children: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "Listing", "data": {"after": None, "children": list(children)}}


def _ask(vendor: Vendor, use: Callable[[Reddit], Any]) -> Any:
    async def main(gateway: Gateway, clock: LogicalClock) -> Any:
        return await use(Reddit(gateway, CONFIG.reddit, clock=clock))

    return with_gateway(vendor, lambda clock: reddit_hosts(CONFIG, KEYS, clock), main)


def test_a_listing_is_asked_for_with_a_token_and_a_name() -> None:
    vendor = Vendor({"/api/v1/access_token": TOKEN, "/r/stocks/hot": _listing(_post(), {"kind": "t5", "data": {}})})
    outcome: Outcome[tuple[RedditPost, ...]] = _ask(vendor, lambda reddit: reddit.fetch_posts("stocks"))
    assert outcome.unwrap() == (
        RedditPost(
            post_id="abc1",
            subreddit="stocks",
            event_ns=OPEN_NS - 60 * 10**9,
            title="$AAPL earnings",
            body="Long AAPL",
            author="someone",
            score=12,
            n_comments=3,
            is_routine=False,
            url="https://www.reddit.com/r/stocks/comments/abc1/aapl/",
            label=Label.SIMULATED,
        ),
    )
    token, listing = vendor.asked
    assert (token.method, token.content) == ("POST", b"grant_type=client_credentials")
    assert token.headers["authorization"].startswith("Basic ")
    assert listing.headers["authorization"] == "bearer token-3"
    assert listing.headers["user-agent"] == CONFIG.reddit.user_agent
    assert listing.url.params["limit"] == str(CONFIG.reddit.posts)


def test_one_token_serves_many_questions() -> None:
    async def use(reddit: Reddit) -> None:
        await reddit.fetch_posts("stocks")
        await reddit.fetch_posts("wallstreetbets", "rising")

    vendor = Vendor({"/api/v1/access_token": TOKEN, "/r/stocks/hot": _listing(_post())})
    _ask(vendor, use)
    assert vendor.paths == ["/api/v1/access_token", "/r/stocks/hot", "/r/wallstreetbets/rising"]


def test_a_token_that_was_taken_back_is_renewed() -> None:
    def token(_request: httpx2.Request) -> object:
        return TOKEN | {"access_token": f"token-{len(vendor.asked)}"}

    def listing(request: httpx2.Request) -> object:
        return httpx2.Response(401) if request.headers["authorization"] == "bearer token-1" else _listing(_post())

    vendor = Vendor({"/api/v1/access_token": token, "/r/stocks/hot": listing})
    assert _ask(vendor, lambda reddit: reddit.fetch_posts("stocks")).is_value
    assert vendor.paths == ["/api/v1/access_token", "/r/stocks/hot"] * 2


@pytest.mark.parametrize("status", [401, 500])
def test_refused_keys_are_an_error_that_shows_none(status: int) -> None:
    refusal = {"message": f"bad client-id-1 {KEYS.client_secret}"}
    vendor = Vendor({"/api/v1/access_token": httpx2.Response(status, json=refusal)})
    outcome = _ask(vendor, lambda reddit: reddit.fetch_posts("stocks"))
    assert outcome.kind is Kind.ERROR
    assert str(status) in outcome.reason


def test_an_empty_listing_is_no_data() -> None:
    vendor = Vendor({"/api/v1/access_token": TOKEN, "/r/stocks/new": _listing()})
    outcome = _ask(vendor, lambda reddit: reddit.fetch_posts("stocks", "new"))
    assert (outcome.kind, outcome.reason) == (Kind.NO_DATA, "r/stocks has no new posts")


@pytest.mark.parametrize(
    ("changes", "is_routine"),
    [
        ({}, False),
        ({"stickied": True}, True),
        ({"title": "Daily Discussion Thread for May 06, 2010"}, True),
        ({"title": "What Are Your Moves Tomorrow, May 7"}, True),
    ],
)
def test_daily_threads_are_known(changes: dict[str, Any], is_routine: bool) -> None:
    assert parse_posts(response(_listing(_post(**changes))))[0].is_routine is is_routine


def test_words_are_cleaned_cut_and_keep_their_case() -> None:
    (post,) = parse_posts(
        response(
            _listing(_post(title="BUY\u200b $AAPL\nnow", selftext="x" * 9_000, author="[deleted]", permalink="//x"))
        )
    )
    assert (post.title, len(post.body), post.author) == ("BUY $AAPL now", MAX_BODY, "")
    assert parse_posts(response(_listing(_post(selftext="[removed]", permalink="javascript:x"))))[0].body == ""


def test_a_tree_of_comments_is_read_level_by_level() -> None:
    deep = _listing(_comment("c3", "third"))
    first = _comment("c1", "first", _listing(_comment("c2", "second", deep), {"kind": "more", "data": {"count": 9}}))
    thread = [_listing(_post()), _listing(first, _comment("c4", "fourth"), _comment("c5", "[deleted]"))]
    found = parse_comments(response(thread))
    assert [comment.body for comment in found] == ["first", "fourth", "second", "third"]
    assert found[0] == RedditComment("c1", "abc1", OPEN_NS, "first", "x", 1, Label.REAL)


def test_comments_are_bounded() -> None:
    many = [_listing(_post()), _listing(*(_comment(f"c{n}", f"{n}") for n in range(MAX_COMMENTS + 9)))]
    assert len(parse_comments(response(many))) == MAX_COMMENTS
    vendor = Vendor({"/api/v1/access_token": TOKEN, "/comments/abc1": many})
    few = with_fields(CONFIG.reddit, comments=7)

    async def main(gateway: Gateway, clock: LogicalClock) -> int:
        return len((await Reddit(gateway, few, clock=clock).fetch_comments("abc1")).unwrap())

    assert with_gateway(vendor, lambda clock: reddit_hosts(CONFIG, KEYS, clock), main) == 7


def test_a_thread_without_comments_is_no_data() -> None:
    vendor = Vendor({"/api/v1/access_token": TOKEN, "/comments/abc1": [_listing(_post()), _listing()]})
    outcome = _ask(vendor, lambda reddit: reddit.fetch_comments("abc1"))
    assert (outcome.kind, outcome.reason) == (Kind.NO_DATA, "post abc1 has no comments")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        {"kind": "Listing"},
        _listing(_post(created_utc="soon")),
        _listing(_post(created_utc=-1.0)),
        _listing(_post(created_utc=1e300)),
        _listing(_post(id="../../etc")),
        _listing(_post(title=None)),
        b'{"data":{"children":[' + b'{"kind":"t3","data":' + b"[" * 5_000,
    ],
)
def test_another_shape_is_refused(body: object) -> None:
    with pytest.raises(BadMessage):
        parse_posts(response(body))


def test_endless_nesting_is_refused() -> None:
    tree = b'{"kind":"Listing","data":{"children":[{"kind":"t1","data":{"id":"c","created_utc":1,"body":"x","replies":'
    body = b'[{"data":{"children":[]}},' + tree * 3_000 + b'""' + b"}}]}}" * 3_000 + b"]"
    with pytest.raises(BadMessage, match="nested without end"):
        parse_comments(response(body))


@given(body=st.binary(max_size=200))
def test_bytes_that_are_no_listing_are_refused(body: bytes) -> None:
    for parse in (parse_posts, parse_comments):
        with pytest.raises(BadMessage):
            parse(response(body))


@given(at=st.integers(0, 1_000), byte=st.integers(0, 255))
def test_a_damaged_byte_is_refused_or_stays_in_its_field(at: int, byte: int) -> None:
    thread = [_listing(_post()), _listing(_comment("c1", "Agreed", _listing(_comment("c2", "Not I"))))]
    body = bytearray(json.dumps(thread).encode())
    body[at % len(body)] = byte
    with contextlib.suppress(BadMessage):  # any other error is one
        assert len(parse_comments(response(bytes(body)))) <= 2


def test_keys_come_from_the_environment_and_show_nothing() -> None:
    keys = reddit_keys({"REDDIT_CLIENT_ID": "a-b-c", "REDDIT_CLIENT_SECRET": "d-e-f"})
    assert keys == RedditKeys("a-b-c", "d-e-f")
    assert "a-b-c" not in repr(keys)
    assert "d-e-f" not in repr(keys)
    assert reddit_keys({"REDDIT_CLIENT_ID": "a"}) is None
    assert replace(KEYS, client_id="x").client_id == "x"
