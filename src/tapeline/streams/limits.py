"""Slots of a vendor's key in Valkey, for all processes that use it. A ``LimiterState`` of the feed.

In and out: as the feed's Protocol says.
Refuses to count twice: taking a slot is one script on the server that has the key, of a cluster, too; where that has a
replica, a slot is taken once the replica knows of it. A sorted set holds token -> the microsecond until which it
counts; it is gone by itself when nobody has asked for a while.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from tapeline.core.errors import Unavailable
from tapeline.streams.server import Server

_REPLY_TIMEOUT_S = 5.0

MAX_FLIGHT_US = 60_000_000
"""A request that nobody has reported the end of within this time counts as ended then."""

# KEYS: slots.  ARGV: token, now, window, limit, longest flight; all in microseconds.
RESERVE = """
local now = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then
  return redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
end
local life = tonumber(ARGV[3]) + tonumber(ARGV[5])
redis.call('ZADD', KEYS[1], now + life, ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.floor(2 * life / 1000))
return ''
"""


@asynccontextmanager
async def connect_limits(address: str) -> AsyncIterator[ValkeyLimiterState]:
    """Open the slots at a server, as ``Address`` reads it; nobody is asked before the first slot is taken."""
    server = Server(address, _REPLY_TIMEOUT_S)
    try:
        yield ValkeyLimiterState(server)
    finally:
        with anyio.CancelScope(shield=True):
            await server.aclose()


class ValkeyLimiterState:
    """Slots in Valkey or any Redis >= 7, alone or as a cluster."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._reserve = server.script(RESERVE)

    async def reserve(self, key: str, token: str, *, now_ns: int, window_ns: int, limit: int) -> int | None:
        """Take a slot for ``token``; return None when it is taken, else the first moment at which one may be free."""
        args: list[str | int] = [token, now_ns // 1_000, -(-window_ns // 1_000), limit, MAX_FLIGHT_US]
        try:
            found = await self._server.run(self._reserve, [_key(key)], args, keep=True)
        except Unavailable as error:
            raise _lost(error) from error
        return None if found == b"" else int(float(found)) * 1_000 + 1_000

    async def settle(self, key: str, token: str, *, until_ns: int) -> None:
        """Let the slot of ``token`` count until ``until_ns``."""
        name, until_us = _key(key), -(-until_ns // 1_000)
        try:
            await self._server.ask(name, lambda client: client.zadd(name, {token: until_us}))
        except Unavailable as error:
            raise _lost(error) from error


def _lost(error: Unavailable) -> Unavailable:
    return Unavailable(f"the shared count of requests cannot be reached: {error}")


def _key(key: str) -> bytes:
    """Return the name of a key's slots, all in one place; the key itself may hold a secret and appears nowhere."""
    return b"tapeline:limit:" + hashlib.sha256(key.encode()).hexdigest()[:32].encode()
