"""Two processes at one simulator's clock: each has a clock of its own, and together they keep the limit."""

from __future__ import annotations

from collections import deque
from functools import partial
from pathlib import Path

import anyio
import httpx2
import pytest
from tests.feed.worlds import BACKENDS, OPEN_NS

from tapeline.core.clock import LogicalClock, actor
from tapeline.core.config import FeedConfig
from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import NS_PER_S
from tapeline.feed.file_limit import FileLimiterState
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import SHARED_STEP_NS, Host, Response
from tapeline.feed.limiter import SlidingWindowLimiter

LIMIT, EACH = 4, 14
CONFIG = FeedConfig(retries=0)


class Server:
    """A simulator: its time goes as far as anybody has asked, and it counts by that."""

    def __init__(self) -> None:
        self.now_ns, self.peak = OPEN_NS, 0
        self._served: deque[int] = deque()

    async def grant(self, moment_ns: int) -> int:
        await anyio.lowlevel.checkpoint()
        self.now_ns = max(self.now_ns, -(-moment_ns // SHARED_STEP_NS) * SHARED_STEP_NS)
        return self.now_ns

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        for _ in range(len(request.url.path) % 3):
            await anyio.lowlevel.checkpoint()
        self._served.append(self.now_ns)
        while self._served[0] <= self.now_ns - 60 * NS_PER_S:
            self._served.popleft()
        self.peak = max(self.peak, len(self._served))
        headers = {"X-Replay-Latency-Ms": "80", "X-Replay-Now-Ms": f"{self.now_ns / 1e6:.3f}"}
        return httpx2.Response(200, headers=headers)


async def ask(server: Server, path: Path, name: str, pause_s: float, outcomes: list[Outcome[Response]]) -> None:
    """Be one process: ask ``EACH`` times, with pauses of its own."""
    clock = LogicalClock(OPEN_NS, server.grant)
    limiter = SlidingWindowLimiter(LIMIT, clock=clock, state=FileLimiterState(path, "sim"), key="key")
    hosts = [Host("sim", "http://127.0.0.1:1", limiter)]
    transport = httpx2.MockTransport(server.answer)
    async with Gateway(hosts, config=CONFIG, clock=clock, transport=transport, replay=True) as gateway, actor(clock):
        for n in range(EACH):
            deadline_ns = clock.now_ns() + 3_600 * NS_PER_S
            outcomes.append(
                await gateway.fetch("sim", f"/{name}{n}", parse=lambda response: response, deadline_ns=deadline_ns)
            )
            await clock.sleep_until(clock.now_ns() + round(pause_s * NS_PER_S))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("pauses", [(0.0, 0.0), (1.0, 7.0), (0.0, 31.0)])
def test_two_processes_at_one_simulator_keep_one_limit(
    tmp_path: Path, pauses: tuple[float, float], backend: str
) -> None:
    server, outcomes = Server(), list[Outcome[Response]]()

    async def main() -> None:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for name, pause_s in zip("ab", pauses, strict=True):
                    group.start_soon(partial(ask, server, tmp_path / "limits.json", name, pause_s, outcomes))

    anyio.run(main, backend=backend)
    assert [outcome.kind for outcome in outcomes] == [Kind.VALUE] * 2 * EACH
    assert server.peak == LIMIT
