"""The simulator as the authority over time: its word counts, its silence is an error."""

from __future__ import annotations

import anyio
import httpx2
import pytest
from tests.feed.worlds import Handler, answer

from tapeline.core.errors import Unavailable
from tapeline.feed.replay import ReplayAuthority


def _ask(handler: Handler, moment_ns: int) -> int:
    async def main() -> int:
        async with ReplayAuthority("http://sim.test", transport=httpx2.MockTransport(handler)) as authority:
            return await authority(moment_ns)

    return anyio.run(main)


def test_time_is_what_the_simulator_grants() -> None:
    asked: list[tuple[str, str, bytes]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append((request.method, request.url.path, request.content))
        return answer({"now_ns": 40_000_001, "more": 1})

    assert _ask(handler, 20_000_001) == 40_000_001
    assert asked == [("POST", "/sim/clock", b'{"until_ns":40000000}')]


@pytest.mark.parametrize("reply", [answer({}, 500), answer({"now": 1}), httpx2.Response(200, content=b"<html>")])
def test_an_answer_without_a_time_is_unavailable(reply: httpx2.Response) -> None:
    with pytest.raises(Unavailable, match="does not move its clock"):
        _ask(lambda _: reply, 10)


def test_a_simulator_that_is_gone_is_unavailable() -> None:
    def gone(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    with pytest.raises(Unavailable, match="ConnectError refused"):
        _ask(gone, 10)
