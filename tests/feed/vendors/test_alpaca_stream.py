"""The stream at a simulator of its own process: bars are heard, refusals are sentences, what breaks is made anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anyio
import httpx2
import pytest
from tests.feed.worlds import KEYS, MINUTE_NS, OPEN_NS
from tests.sim.running import running_simulator
from websockets.asyncio.server import ServerConnection, serve

from tapeline.core.clock import LogicalClock
from tapeline.core.config import AlpacaConfig
from tapeline.core.config.secrets import AlpacaKeys
from tapeline.core.errors import BadInput
from tapeline.core.types import BarFrame, Label
from tapeline.feed.vendors.alpaca_stream import MAX_SYMBOLS, listen, stream_url

SYMBOLS = ("AAPL", "XOM")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_simulator(40) as address:
        yield address


async def _move(url: str, moment_ns: int) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        (await client.post(f"{url}/sim/clock", json={"until_ns": moment_ns})).raise_for_status()


def _hear(url: str, start: int, symbols: tuple[str, ...] = SYMBOLS) -> list[BarFrame]:
    """Return the first frames that a listener hears while minutes pass from ``start`` on."""
    heard: list[BarFrame] = []
    config = AlpacaConfig(base_url=url)

    async def main() -> None:
        enough = anyio.Event()

        def hear(frame: BarFrame) -> None:
            heard.append(frame)
            enough.set()

        async with anyio.create_task_group() as group:
            group.start_soon(lambda: listen(config, KEYS, symbols, hear, clock=LogicalClock(OPEN_NS)))
            for minute in range(start, start + 400):
                await _move(url, OPEN_NS + minute * MINUTE_NS + 2 * 10**9)
                with anyio.move_on_after(0.05):  # real seconds, since a connection is physical
                    await enough.wait()
                if heard:
                    break
            group.cancel_scope.cancel()

    anyio.run(main)
    return heard


@pytest.mark.process
def test_bars_are_heard_as_they_close_and_a_second_listener_after_the_first(url: str) -> None:
    for start in (1, 200):
        frame = _hear(url, start)[0]
        assert set(frame.symbols) <= set(SYMBOLS)
        assert (frame.timeframe_s, frame.feed, frame.label) == (60, "iex", Label.BRIDGED)
        assert ((frame.low <= frame.close) & (frame.close <= frame.high)).all()
        assert set(frame.event_ns % MINUTE_NS) == {0}


@pytest.mark.process
def test_keys_that_are_refused_are_a_sentence(url: str) -> None:
    async def main() -> None:
        nothing = AlpacaKeys("", "")
        await listen(AlpacaConfig(base_url=url), nothing, SYMBOLS, lambda _: None, clock=LogicalClock(0))

    with pytest.raises(BadInput, match=r"Alpaca's stream refuses: auth failed \(402\)"):
        anyio.run(main)


def test_what_breaks_is_told_and_made_anew_and_what_it_missed_is_not_made_up() -> None:
    heard: list[float] = []
    told: list[str] = []
    lines = iter((_babble, _refuse, _hang_up, _serve))

    async def main() -> None:
        enough = anyio.Event()

        def hear(frame: BarFrame) -> None:
            heard.extend(frame.close.tolist())
            if len(heard) == 2:
                enough.set()

        async with serve(lambda socket: next(lines)(socket), "127.0.0.1", 0) as server:
            config = AlpacaConfig(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            with anyio.fail_after(10):
                async with anyio.create_task_group() as group:
                    group.start_soon(lambda: listen(config, KEYS, SYMBOLS, hear, told.append, clock=LogicalClock(0)))
                    await enough.wait()
                    group.cancel_scope.cancel()

    anyio.run(main)
    assert heard == [1.0, 2.0]
    down = "Alpaca's stream is down and tried again: "
    assert [words.removeprefix(down)[:39] for words in told] == [
        "",
        "Alpaca's stream said what is no message",
        "connection limit exceeded (406)",
        "",
        "the other side hung up",
        "",
    ]


async def _answer(socket: ServerConnection, *frames: object) -> None:
    """Welcome who logs in and subscribes, and tell it frames."""
    for message in ("connected", "authenticated", "subscribed"):
        await socket.send(json.dumps([{"T": "success", "msg": message}]))
        if message != "subscribed":
            await socket.recv()
    for frame in frames:
        await socket.send(frame if isinstance(frame, str) else json.dumps(frame))


def _bar(close: float) -> list[dict[str, Any]]:
    prices = dict.fromkeys("ohlc", close)
    return [{"T": "b", "S": "AAPL", "t": "2010-05-06T13:30:00Z", **prices, "v": 1, "n": 1, "vw": close}]


async def _babble(socket: ServerConnection) -> None:
    await _answer(socket, _bar(1.0), "no message")
    await socket.wait_closed()


async def _hang_up(socket: ServerConnection) -> None:
    await _answer(socket)


async def _refuse(socket: ServerConnection) -> None:
    await socket.send(json.dumps([{"T": "error", "code": 406, "msg": "connection limit exceeded"}]))


async def _serve(socket: ServerConnection) -> None:
    await _answer(socket, _bar(2.0))
    await socket.wait_closed()


@pytest.mark.parametrize("count", [0, MAX_SYMBOLS + 1])
def test_a_list_that_the_plan_does_not_carry_is_refused_before_anything_is_asked(count: int) -> None:
    async def main(symbols: tuple[Any, ...]) -> None:
        await listen(AlpacaConfig(), KEYS, symbols, lambda _: None, clock=LogicalClock(0))

    with pytest.raises(BadInput, match=f"a stream of {count} symbols"):
        anyio.run(main, tuple(f"S{i}" for i in range(count)))


def test_a_server_in_the_vendors_place_is_listened_to() -> None:
    assert stream_url(AlpacaConfig()) == "wss://stream.data.alpaca.markets/v2/iex"
    assert stream_url(AlpacaConfig(base_url="http://127.0.0.1:9")) == "ws://127.0.0.1:9/v2/iex"
