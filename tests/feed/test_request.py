"""Requests: told apart by everything an answer depends on, and silent about what is secret."""

from __future__ import annotations

import json as json_text
from typing import Any

import httpx2
import pytest
from tests.feed.worlds import answer, gateway_to, run

from tapeline.core.clock import LogicalClock
from tapeline.core.config import FeedConfig
from tapeline.core.outcome import Kind, Outcome
from tapeline.feed.gateway import Gateway
from tapeline.feed.handover import share_out
from tapeline.feed.http import Response
from tapeline.feed.request import Request, build_request
from tapeline.feed.vendors.alpaca import DATA_HOST

CONFIG = FeedConfig()


def _whole(response: Response) -> Response:
    return response


def _request(**given: Any) -> Request:
    told: dict[str, Any] = {"method": "GET", "json": None, "form": None, "headers": None, "is_safe": False}
    return build_request("/x", {"a": 1}, **{**told, **given}, circuit="", accept=frozenset(), deadline_ns=0)


def _post(
    asked: list[dict[str, Any]], status: int = 200
) -> tuple[list[Outcome[Response]], Gateway, list[httpx2.Request]]:
    """Post one after the other; return the outcomes, the gateway and what reached the vendor."""
    sent: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return answer({"message": f"no: {request.headers.get('authorization')}"}, status)

    async def main(clock: LogicalClock) -> tuple[list[Outcome[Response]], Gateway, list[httpx2.Request]]:
        async with gateway_to(handler, clock, CONFIG) as gateway:
            outcomes = [await gateway.fetch(DATA_HOST, "/x", method="POST", parse=_whole, **given) for given in asked]
            return outcomes, gateway, sent

    return run(main)


def test_a_body_of_json_or_a_form_reaches_the_vendor_with_its_headers() -> None:
    _, _, sent = _post([{"json": {"b": 1, "a": [2]}}, {"form": {"grant": "a b"}, "headers": {"X-Mode": "slow"}}])
    assert (sent[0].method, sent[0].headers["content-type"]) == ("POST", "application/json")
    assert json_text.loads(sent[0].content) == {"b": 1, "a": [2]}
    assert sent[1].headers["content-type"] == "application/x-www-form-urlencoded"
    assert (sent[1].content, sent[1].headers["x-mode"]) == (b"grant=a+b", "slow")
    assert sent[1].headers["apca-api-key-id"]


@pytest.mark.parametrize(("safe", "requests"), [(False, 1), (True, 4)])
def test_only_a_post_that_is_said_to_be_safe_is_tried_again(safe: bool, requests: int) -> None:
    outcomes, gateway, _ = _post([{"json": {}, "safe": safe}], status=500)
    assert outcomes[0].kind is Kind.ERROR
    assert gateway.stats[DATA_HOST].requests == requests


@pytest.mark.parametrize(("safe", "requests"), [(False, 2), (True, 1)])
def test_only_a_safe_post_is_kept_and_shared(safe: bool, requests: int) -> None:
    _, gateway, _ = _post([{"json": {"n": 1}, "safe": safe, "ttl_s": 60.0}] * 2)
    assert gateway.stats[DATA_HOST].requests == requests


def test_another_body_or_header_is_another_question() -> None:
    asked: list[dict[str, Any]] = [
        {"json": {"n": 1}},
        {"json": {"n": 2}},
        {"form": {"n": "1"}},
        {"json": {"n": 1}, "headers": {"x": "y"}},
    ]
    _, gateway, _ = _post([{**given, "safe": True, "ttl_s": 60.0} for given in asked])
    assert gateway.stats[DATA_HOST].requests == 4


def test_two_unsafe_posts_at_once_are_both_sent() -> None:
    async def main(clock: LogicalClock) -> int:
        slow = {"X-Replay-Latency-Ms": "100"}
        async with gateway_to(lambda _: answer({}, headers=slow), clock, CONFIG) as gateway:
            ask = lambda _: gateway.fetch(DATA_HOST, "/x", method="POST", json={}, parse=_whole)  # noqa: E731
            await share_out(clock, range(3), 3, ask)
            return gateway.stats[DATA_HOST].requests

    assert run(main) == 3


def test_a_secret_header_is_shown_nowhere_even_when_the_vendor_repeats_it() -> None:
    outcomes, gateway, sent = _post([{"json": {}, "headers": {"Authorization": "Bearer tok-789"}}], status=403)
    assert sent[0].headers["authorization"] == "Bearer tok-789"
    assert outcomes[0].reason.endswith("answered 403: no: ***")
    assert "tok-789" not in repr(gateway._lanes) + repr(_request(headers={"authorization": "tok-789"}))


def test_the_token_of_a_bearer_header_is_a_secret_by_itself() -> None:
    request = _request(headers={"authorization": "Bearer tok-789", "x-mode": "slow"})
    assert request.redact("slow tok-789 was refused") == "slow *** was refused"


@pytest.mark.parametrize(
    "given",
    [{"method": "PUT"}, {"json": {}}, {"form": {}}, {"method": "POST", "json": {}, "form": {}}],
)
def test_a_question_that_cannot_be_asked_like_this_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"method is|may hold"):
        _request(**given)


def test_what_is_too_short_to_be_a_secret_does_not_garble_the_text() -> None:
    assert _request(headers={"x-api-key": "s"}).redact("symbols are refused") == "symbols are refused"
