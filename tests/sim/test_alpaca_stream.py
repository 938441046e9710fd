"""Alpaca's stream: its own client listens to the simulator; whoever may not is told so in the vendor's words."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import httpx2
import msgspec
import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from tests.sim.running import running_simulator
from tests.sim.worlds import DAY, at, make_client, make_market, move

AUTH = {"action": "auth", "key": "key", "secret": "secret"}


def _log_in(socket: WebSocketTestSession) -> None:
    assert socket.receive_json() == [{"T": "success", "msg": "connected"}]
    socket.send_json(AUTH)
    assert socket.receive_json() == [{"T": "success", "msg": "authenticated"}]


def _ask(client: TestClient, *asked: dict[str, Any], feed: str = "iex") -> list[Any]:
    """Return the answers to some messages of a new connection."""
    with client.websocket_connect(f"/v2/{feed}") as socket:
        socket.receive_json()
        answers = []
        for message in asked:
            socket.send_json(message)
            answers += socket.receive_json()
        return answers


def test_each_minute_is_told_once_when_it_is_published() -> None:
    with make_client(moment="09:30") as client, client.websocket_connect("/v2/iex") as socket:
        _log_in(socket)
        socket.send_json({"action": "subscribe", "bars": ["AAPL"], "trades": ["AAPL"]})
        assert socket.receive_json()[0]["bars"] == ["AAPL"]
        told: list[dict[str, Any]] = []
        for minute in ("09:31:02", "09:31:30", "09:33:02"):
            move(client, minute)
            told += socket.receive_json() if minute != "09:31:30" else []
    market = make_market()
    closes = market.minutes(DAY).close[:3, market.symbols.index("AAPL")].tolist()
    bars = [message for message in told if message["T"] == "b"]
    assert [(bar["S"], bar["t"], bar["c"]) for bar in bars] == [
        ("AAPL", f"2010-05-06T13:3{m}:00Z", close) for m, close in enumerate(closes)
    ]
    assert [trade["p"] for trade in told if trade["T"] == "t"] == closes


def test_the_free_plan_has_thirty_symbols_and_no_consolidated_feed() -> None:
    with make_client() as client:
        names = [f"S{i}" for i in range(31)]
        answers = _ask(
            client, AUTH, {"action": "subscribe", "bars": names}, {"action": "subscribe", "bars": names[:30]}
        )
        assert answers[1] == {"T": "error", "code": 405, "msg": "symbol limit exceeded"}
        assert len(answers[2]["bars"]) == 30
        assert _ask(client, AUTH, feed="sip") == [{"T": "error", "code": 409, "msg": "insufficient subscription"}]


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"action": "subscribe", "bars": ["AAPL"]}, 401), ({"action": "auth", "key": "", "secret": "s"}, 402)],
)
def test_nobody_listens_without_keys(asked: dict[str, Any], code: int) -> None:
    with make_client() as client:
        assert _ask(client, asked)[0]["code"] == code


def test_a_second_connection_is_refused_and_the_next_one_after_the_first_has_ended_is_not() -> None:
    with make_client() as client:
        with client.websocket_connect("/v2/iex") as socket:
            _log_in(socket)
            assert _ask(client, AUTH) == [{"T": "error", "code": 406, "msg": "connection limit exceeded"}]
        assert _ask(client, AUTH)[0]["msg"] == "authenticated"


def test_words_that_are_not_known_are_refused_and_the_connection_goes_on() -> None:
    with make_client() as client:
        answers = _ask(client, AUTH, {"action": "dance"}, AUTH, {"action": "unsubscribe", "bars": ["AAPL"]})
    assert [answer.get("code") for answer in answers] == [None, 400, 403, None]


@pytest.mark.process
def test_the_vendors_own_client_hears_the_bars() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.data.live import StockDataStream

    async def main(url: str) -> list[Any]:
        heard: list[Any] = []
        stream = StockDataStream("key", "secret", url_override=f"{url.replace('http', 'ws', 1)}/v2/iex")
        subscribed = asyncio.Event()
        send = stream._send_subscribe_msg

        async def send_and_tell() -> None:
            await send()
            subscribed.set()

        async def hear(bar: Any) -> None:
            heard.append(bar)
            if len(heard) == 2:
                await stream.stop_ws()
                await stream.close()

        stream._send_subscribe_msg = send_and_tell  # type: ignore[method-assign]
        stream.subscribe_bars(hear, "AAPL", "XOM")
        running = asyncio.create_task(stream._run_forever())
        async with httpx2.AsyncClient(trust_env=False) as client:
            await asyncio.wait_for(subscribed.wait(), 20)
            for step in range(20):
                if running.done() or heard:
                    break
                await client.post(f"{url}/sim/clock", json={"until_ns": at("09:31") + (60 * step + 2) * 10**9})
        await asyncio.wait_for(running, 20)
        return heard

    with running_simulator(40) as url, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        heard = asyncio.run(main(url))
    assert {bar.symbol for bar in heard} <= {"AAPL", "XOM"}
    assert len(heard) >= 2
    assert all(bar.low <= bar.close <= bar.high and bar.timestamp.second == 0 for bar in heard)


def test_whoever_speaks_messagepack_is_answered_in_it() -> None:
    with (
        make_client() as client,
        client.websocket_connect("/v2/iex", headers={"content-type": "application/msgpack"}) as socket,
    ):
        socket.receive_bytes()
        socket.send_bytes(msgspec.msgpack.encode(AUTH))
        assert msgspec.msgpack.decode(socket.receive_bytes()) == [{"T": "success", "msg": "authenticated"}]
