"""Alpaca's WebSocket: the minute bars of a few symbols as they happen.

In: keys and symbols.  Out: frames of closed bars, provisional until the poller has asked for the same minutes.
Refuses more symbols than a free key may listen to, and frames beyond a megabyte. A connection that breaks, or falls
silent to pings, is made anew with pauses that grow; what it missed is not made up, since the poller asks for every
minute anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import anyio
import msgspec
from msgspec import Meta, Struct

from tapeline.core.clock import Clock, actor, sleep_s
from tapeline.core.config import AlpacaConfig
from tapeline.core.config.secrets import AlpacaKeys
from tapeline.core.errors import BadInput, BadMessage
from tapeline.core.types import MINUTE_S, BarFrame, Label
from tapeline.feed.http import LABEL_HEADER
from tapeline.feed.intake import Hear, Tell
from tapeline.feed.retry import backoff_s
from tapeline.feed.vendors.alpaca_wire import Stamp, WireBar, frame_of

MAX_SYMBOLS = 30
"""Of a free key."""
MAX_FRAME_BYTES = 1_000_000
FINAL = frozenset({400, 402, 405, 409, 410})
"""Codes of refusals that another try would meet again: wrong words or keys, too many symbols, no subscription."""
MAX_DOUBLINGS = 6
"""After as many failures in a row the pauses grow no longer: about half a minute."""

CLOSE_S = 1.0
"""Real seconds that the other side may take to say goodbye."""

_HOME = AlpacaConfig()
_Price = Annotated[float, Meta(gt=0)]
_Amount = Annotated[float, Meta(ge=0)]


def _keep_quiet(_trouble: str) -> None:
    """Tell nobody."""


class _Message(Struct, frozen=True):
    """[{"T":"b","S":"AAPL","t":"...","o":1.0,...}] or [{"T":"success","msg":"connected"}]"""

    T: str
    msg: str = ""
    code: int = 0
    S: str = ""
    t: Stamp | None = None
    o: _Price = 1.0
    h: _Price = 1.0
    l: _Price = 1.0  # noqa: E741  the vendor's name
    c: _Price = 1.0
    v: _Amount = 0.0
    n: _Amount | None = None
    vw: _Amount | None = None


class _Again(Exception):
    """The vendor has closed the door for now."""


def stream_url(config: AlpacaConfig) -> str:
    """Return the address of the stream of the configured feed."""
    base = config.stream_url
    if base == _HOME.stream_url and config.base_url != _HOME.base_url:
        base = config.base_url.replace("http", "ws", 1)
    return f"{base.rstrip('/')}/v2/{config.feed}"


async def listen(
    config: AlpacaConfig,
    keys: AlpacaKeys,
    symbols: Sequence[str],
    hear: Hear,
    tell: Tell = _keep_quiet,
    *,
    clock: Clock,
    seed: int = 0,
) -> None:
    """Listen until cancelled.

    In: the stream.   Out: ``hear`` is called with each frame.
    Concurrency: one connection, as a free key has no more. Runs on asyncio. The caller need not be an actor.
    Failure: a broken connection is made anew, and ``tell`` hears what broke it, and "" when it stands again; a refusal
        that another try would meet again raises.

    Raises
    ------
    BadInput
        For more than ``MAX_SYMBOLS`` symbols, none, or what the vendor refuses for good.
    """
    if not 1 <= len(symbols) <= MAX_SYMBOLS:
        raise BadInput(f"a stream of {len(symbols)} symbols: a free key may listen to 1 to {MAX_SYMBOLS}; name fewer")
    try:
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException
    except ImportError:
        raise BadInput("streaming needs the package websockets: install it, or poll without a stream") from None
    failures = 0
    while True:
        try:
            socket = await connect(stream_url(config), max_size=MAX_FRAME_BYTES, close_timeout=CLOSE_S, proxy=None)
            try:
                label = _label(socket.response)
                await _open(socket, keys, symbols)
                tell("")
                async for content in socket:
                    failures = 0  # not before: who lets us in and hangs up is not asked faster for it
                    bars = [message for message in _parse(content) if message.T == "b"]
                    if bars:
                        hear(_frame(bars, symbols, config.feed, label, clock.now_ns()))
            finally:
                # A connection that is dropped unclosed stays the account's only one.
                with anyio.CancelScope(shield=True):
                    await socket.close()
            trouble = "the other side hung up"
        except (WebSocketException, OSError, BadMessage, _Again) as error:
            trouble = " ".join(str(error).split()) or type(error).__name__
        tell(f"Alpaca's stream is down and tried again: {trouble}")
        failures += 1
        async with actor(clock):
            tries = min(failures, MAX_DOUBLINGS)
            await sleep_s(clock, backoff_s(0.5, tries, seed=seed, identity="alpaca.stream"))


def _label(response: Any) -> Label:
    name = None if response is None else response.headers.get(LABEL_HEADER)
    if name is not None and name not in set(Label):
        raise BadMessage(f"{LABEL_HEADER} is {name[:40]!r}, which is no label")
    return Label.REAL if name is None else Label(name)


async def _open(socket: Any, keys: AlpacaKeys, symbols: Sequence[str]) -> None:
    """Log in and subscribe. Raises ``BadInput`` or ``_Again`` for a refusal."""
    _check(await socket.recv())
    login = {"action": "auth", "key": keys.key_id, "secret": keys.secret_key}
    for asked in (login, {"action": "subscribe", "bars": sorted(symbols)}):
        await socket.send(msgspec.json.encode(asked).decode())
        _check(await socket.recv())


def _check(content: str | bytes) -> None:
    for message in _parse(content):
        if message.T == "error" and message.code in FINAL:
            raise BadInput(f"Alpaca's stream refuses: {message.msg} ({message.code})")
        if message.T == "error":
            raise _Again(f"{message.msg} ({message.code})")


def _parse(content: str | bytes) -> list[_Message]:
    try:
        return msgspec.json.decode(content, type=list[_Message])
    except msgspec.MsgspecError as error:
        raise BadMessage(f"Alpaca's stream said what is no message: {error}") from None


def _frame(messages: Sequence[_Message], asked: Sequence[str], feed: str, label: Label, as_of_ns: int) -> BarFrame:
    known = [m for m in messages if m.S in asked and m.t is not None]
    bars = [WireBar(m.t, m.o, m.h, m.l, m.c, m.v, m.n, m.vw) for m in known if m.t is not None]
    names = [message.S for message in known]
    return frame_of(names, bars, timeframe_s=MINUTE_S, feed=feed, label=label, as_of_ns=as_of_ns)
