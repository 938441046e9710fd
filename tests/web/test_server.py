"""The server: one port, streams that follow and end, a slow reader that holds up nobody."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing

import anyio
import httpx2
import pytest
from anyio.abc import SocketAttribute
from tests.web.scripted import TOKEN, ScriptedView

from tapeline.core.errors import PortInUse
from tapeline.web import events
from tapeline.web.server import build_app, listen, serve

pytestmark = pytest.mark.anyio
PATIENCE_S = 10.0


@pytest.fixture
async def base_url(view: ScriptedView) -> AsyncIterator[str]:
    """The address of the view, served."""
    async with anyio.create_task_group() as group:
        yield await group.start(serve, build_app(view, TOKEN), 0)
        group.cancel_scope.cancel()


async def messages(base_url: str) -> AsyncIterator[dict[str, object]]:
    """Yield the data of each ``changed`` message."""
    async with (
        httpx2.AsyncClient(base_url=base_url, timeout=PATIENCE_S) as client,
        client.stream("GET", "/api/events") as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


async def test_a_reader_hears_everything_first_and_then_what_changed(base_url: str, view: ScriptedView) -> None:
    with anyio.fail_after(PATIENCE_S):
        async with aclosing(messages(base_url)) as heard:  # type: ignore[type-var]
            first = await anext(heard)
            assert first["parts"].keys() == {"status", "market", "scan", "scan_news", "portfolio", "loop"}  # type: ignore[attr-defined]
            view.enter("AAPL", "queued")
            second = await anext(heard)
            assert second["parts"].keys() == {"loop"}  # type: ignore[attr-defined]
            assert second["version"] == view.version


async def test_a_reader_that_comes_back_is_up_to_date_with_its_first_message(base_url: str, view: ScriptedView) -> None:
    with anyio.fail_after(PATIENCE_S):
        async with aclosing(messages(base_url)) as heard:  # type: ignore[type-var]
            before = (await anext(heard))["parts"]
        view.fill("AAPL", "buy", 5.0, "while nobody looked")
        async with aclosing(messages(base_url)) as heard:  # type: ignore[type-var]
            after = (await anext(heard))["parts"]
    differs = {name for name in after if after[name] != before[name]}  # type: ignore[attr-defined, index]
    assert differs == {"status", "portfolio"}


async def test_many_changes_become_few_messages(base_url: str, view: ScriptedView) -> None:
    heard = 0

    async def count() -> None:
        nonlocal heard
        async for _ in messages(base_url):
            heard += 1

    async with anyio.create_task_group() as group:
        group.start_soon(count)
        for _ in range(200):
            view.enter("AAPL", "queued")
            await anyio.sleep(0.002)
        group.cancel_scope.cancel()
    assert 1 <= heard <= 2 + 0.4 / events.PACE_S + 3


async def test_a_reader_that_never_reads_holds_up_nobody(base_url: str, view: ScriptedView) -> None:
    port = int(base_url.rpartition(":")[2])
    async with await anyio.connect_tcp("127.0.0.1", port) as deaf:
        deaf.extra(SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        await deaf.send(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with anyio.fail_after(PATIENCE_S):
            async with aclosing(messages(base_url)) as heard:  # type: ignore[type-var]
                await anext(heard)
                for minute in range(61, 64):
                    view.go_to(minute)
                    assert "market" in (await anext(heard))["parts"]  # type: ignore[operator]


async def test_one_reader_too_many_is_told(monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
    monkeypatch.setattr(events, "MAX_STREAMS", 1)
    with anyio.fail_after(PATIENCE_S):
        async with aclosing(messages(base_url)) as heard:  # type: ignore[type-var]
            await anext(heard)
            async with httpx2.AsyncClient(base_url=base_url) as client:
                answer = await client.get("/api/events")
                assert answer.status_code == 503
                assert "close a tab" in answer.json()["detail"]


async def test_quiet_hours_still_show_that_the_node_is_there(monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.01)
    with anyio.fail_after(PATIENCE_S):
        async with httpx2.AsyncClient() as client, client.stream("GET", f"{base_url}/api/events") as answer:
            lines = answer.aiter_lines()
            assert "event: here" in [await anext(lines) for _ in range(10)]


async def test_the_end_is_quick_with_streams_open_and_frees_the_port(view: ScriptedView) -> None:
    before = signal.getsignal(signal.SIGINT)
    async with anyio.create_task_group() as group:
        base_url = await group.start(serve, build_app(view, TOKEN), 0)
        heard = messages(base_url)
        await anext(heard)
        assert signal.getsignal(signal.SIGINT) is before
        with anyio.fail_after(PATIENCE_S):
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                assert [message async for message in heard] == []
    listen(int(base_url.rpartition(":")[2])).close()


async def test_a_taken_port_is_one_sentence(view: ScriptedView) -> None:
    with listen(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"port {port} .* taken: set web\.port"):
            await serve(build_app(view, TOKEN), port)


async def test_only_this_machine_can_connect(base_url: str) -> None:
    assert base_url.startswith("http://127.0.0.1:")
    with listen(0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
