"""Alpaca's WebSocket of bars and trades.

In: a connection that logs in and names symbols.  Out: each minute's bar, and its closing trade, once it is published on
the simulator's clock.
Refuses, with the vendor's codes: a second connection of the account, more symbols than the plan has, the consolidated
feed on the free plan, and words it does not know. Nobody's clock waits for a listener.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tapeline.core.types import NS_PER_S
from tapeline.sim.alpaca_data import LAST_TRADE_NS, Plan
from tapeline.sim.clock import ReplayClock
from tapeline.sim.door import LABEL_HEADER
from tapeline.sim.tape import CLOSE, MINUTE_NS, TRADES, VOLUME, Tape

FREE_SYMBOLS = 30
"""Symbols that the free plan may listen to."""
CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
SERVED = ("trades", "bars")
MAX_BACKLOG_NS = 10 * MINUTE_NS
"""When time jumps, at most this much of it is told: a stream is no history."""

_NUMBERS = ("o", "h", "l", "c", "v", "vw", "n")
"""Of a bar, in the order of ``BAR_FIELDS``."""
_PACKED = "application/msgpack"
Message = dict[str, Any]


class _Refused(Exception):
    """What the vendor answers with an error message; ``is_last`` ends the connection."""

    def __init__(self, code: int, message: str, *, is_last: bool = False) -> None:
        super().__init__(message)
        self.message: Message = {"T": "error", "code": code, "msg": message}
        self.is_last = is_last


@dataclass(slots=True)
class AlpacaStream:
    """The streams of one account; ``plan`` is the account's."""

    tape: Tape
    clock: ReplayClock
    plan: Plan = "basic"
    _taken: bool = False

    def route(self) -> WebSocketRoute:
        """Return the route of all feeds."""
        return WebSocketRoute("/v2/{feed}", self._serve)

    async def _serve(self, socket: WebSocket) -> None:
        label = self.tape.label(bridged=True)
        await socket.accept(headers=[(LABEL_HEADER.lower().encode(), label.encode())])
        line = _Line(socket, is_packed=socket.headers.get("content-type") == _PACKED)
        held = False
        try:
            await line.send([{"T": "success", "msg": "connected"}])
            await self._log_in(line, socket.path_params["feed"])
            held = self._taken = True
            await line.send([{"T": "success", "msg": "authenticated"}])
            await self._talk(line)
        except _Refused as refused:
            await line.send([refused.message])
            await socket.close()
        except WebSocketDisconnect:
            pass  # whoever hangs up has said all
        finally:
            if held:
                self._taken = False

    async def _log_in(self, line: _Line, feed: str) -> None:
        asked = await line.receive()
        if asked.get("action") != "auth":
            raise _Refused(401, "not authenticated", is_last=True)
        if not asked.get("key") or not asked.get("secret"):
            raise _Refused(402, "auth failed", is_last=True)
        if feed not in ("iex", "sip") or (feed == "sip" and self.plan == "basic"):
            raise _Refused(409, "insufficient subscription", is_last=True)
        if self._taken:
            raise _Refused(406, "connection limit exceeded", is_last=True)

    async def _talk(self, line: _Line) -> None:
        """Answer what is asked and tell what happens, until the other side hangs up."""
        wanted: dict[str, set[str]] = {channel: set() for channel in CHANNELS}
        async with anyio.create_task_group() as group:
            group.start_soon(self._tell, line, wanted)
            try:
                while True:
                    try:
                        self._subscribe(await line.receive(), wanted)
                    except _Refused as refused:
                        if refused.is_last:
                            raise
                        await line.send([refused.message])
                        continue
                    await line.send([{"T": "subscription", **{name: sorted(wanted[name]) for name in CHANNELS}}])
            except WebSocketDisconnect:
                group.cancel_scope.cancel()

    def _subscribe(self, asked: Message, wanted: dict[str, set[str]]) -> None:
        action = asked.get("action")
        if action == "auth":
            raise _Refused(403, "already authenticated")
        if action not in ("subscribe", "unsubscribe"):
            raise _Refused(400, "invalid syntax")
        named = {name: set(map(str, asked.get(name) or ())) for name in CHANNELS}
        if action == "unsubscribe":
            for name in CHANNELS:
                wanted[name] -= named[name]
            return
        together = {name: wanted[name] | named[name] for name in CHANNELS}
        if self.plan == "basic" and len(set[str]().union(*together.values())) > FREE_SYMBOLS:
            raise _Refused(405, "symbol limit exceeded")
        wanted.update(together)

    async def _tell(self, line: _Line, wanted: Mapping[str, set[str]]) -> None:
        """Send every minute once it is published."""
        told_ns = self.clock.now_ns()
        while True:
            while (now_ns := self.clock.now_ns()) == told_ns:
                await self.clock.moved()
            messages = self._between(max(told_ns, now_ns - MAX_BACKLOG_NS), now_ns, wanted)
            told_ns = now_ns
            if messages:
                await line.send(messages)

    def _between(self, after_ns: int, now_ns: int, wanted: Mapping[str, set[str]]) -> list[Message]:
        """Return what was published in (after_ns, now_ns], minute by minute."""
        listened = wanted["trades"] | wanted["bars"]
        symbols = tuple(s for s in self.tape.columns if "*" in listened or s in listened)
        if not symbols:
            return []
        columns, first_ns = self.tape.columns_of(symbols), after_ns - 2 * MINUTE_NS
        known = set(self.tape.minutes(columns, first_ns, after_ns, after_ns).event_ns.tolist())
        rows = self.tape.minutes(columns, first_ns, now_ns, now_ns)
        told: list[Message] = []
        for row, event_ns in enumerate(rows.event_ns.tolist()):
            if event_ns in known:
                continue
            for i, symbol in enumerate(symbols):
                numbers = rows.values[:, row, i].tolist()
                if numbers[CLOSE] == numbers[CLOSE]:
                    told += _messages(symbol, event_ns, numbers, wanted)
        return told


@dataclass(frozen=True, slots=True)
class _Line:
    """A connection that speaks MessagePack to those who do, and JSON to the others."""

    socket: WebSocket
    is_packed: bool
    _sending: anyio.Lock = field(default_factory=anyio.Lock)

    async def receive(self) -> Message:
        """Return what the other side says. Raises ``_Refused`` for what is no message."""
        told = await self.socket.receive()
        if told["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(told.get("code", 1000))
        text, packed = told.get("text"), told.get("bytes")
        try:
            found = msgspec.msgpack.decode(packed) if packed else msgspec.json.decode(text or "")
        except msgspec.MsgspecError:
            raise _Refused(400, "invalid syntax") from None
        if not isinstance(found, dict):
            raise _Refused(400, "invalid syntax")
        return found

    async def send(self, messages: list[Message]) -> None:
        """Send messages in one frame."""
        async with self._sending:
            if self.is_packed:
                await self.socket.send_bytes(msgspec.msgpack.encode(messages))
            else:
                await self.socket.send_text(msgspec.json.encode(messages).decode())


def _messages(symbol: str, event_ns: int, numbers: list[float], wanted: Mapping[str, set[str]]) -> list[Message]:
    """Return the closing trade and the bar of a minute, for those who asked for them."""
    told: list[Message] = []
    if _wants(wanted["trades"], symbol):
        trade_ns = event_ns + LAST_TRADE_NS
        size = max(1, int(numbers[VOLUME] // max(1.0, numbers[TRADES])))
        trade = {"i": trade_ns // NS_PER_S, "x": "V", "p": numbers[CLOSE], "s": size, "c": ["@"], "z": "C"}
        told.append({"T": "t", "S": symbol, "t": _moment(trade_ns), **trade})
    if _wants(wanted["bars"], symbol):
        bar: Message = dict(zip(_NUMBERS, numbers, strict=True))
        whole = {"v": int(bar["v"]), "n": int(bar["n"])}
        told.append({"T": "b", "S": symbol, "t": _moment(event_ns), **bar, **whole})
    return told


def _wants(names: set[str], symbol: str) -> bool:
    return symbol in names or "*" in names


def _moment(moment_ns: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(moment_ns // NS_PER_S, dt.UTC)
