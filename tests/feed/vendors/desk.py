"""A gateway to a vendor in memory, for the tests of adapters."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2
from tests.feed.worlds import OPEN_NS, run

from tapeline.core.clock import LogicalClock
from tapeline.core.config import FeedConfig
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host, Response

T = TypeVar("T")

CONFIG = FeedConfig(retries=0)
NOW_S = OPEN_NS // 1_000_000_000


@dataclass
class Vendor:
    """Answers by path; what was asked is kept.

    ``answers`` maps a path to a body (bytes, or anything for JSON), a response, or a function of the request.
    """

    answers: dict[str, Any]
    asked: list[httpx2.Request] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self.answers.get(request.url.path)
        if callable(answer):
            answer = answer(request)
        if answer is None:
            return httpx2.Response(404)
        if isinstance(answer, httpx2.Response):
            return answer
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return httpx2.Response(200, headers={"x-tapeline-label": "simulated"}, content=body)

    @property
    def paths(self) -> list[str]:
        return [request.url.path for request in self.asked]


def with_gateway(
    vendor: Vendor,
    hosts: Callable[[LogicalClock], Sequence[Host]],
    use: Callable[[Gateway, LogicalClock], Awaitable[T]],
) -> T:
    """Run ``use`` with a gateway to the vendor, as an actor of a logical clock that shows the open."""

    async def main(clock: LogicalClock) -> T:
        transport = httpx2.MockTransport(vendor)
        async with Gateway(hosts(clock), config=CONFIG, clock=clock, transport=transport) as gateway:
            return await use(gateway, clock)

    return run(main)


def response(body: object, status: int = 200) -> Response:
    """Return an answer for a parser."""
    return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode(), OPEN_NS)
