"""Slots of a vendor's key in Valkey, for all processes that use it. A ``LimiterState`` of the feed.

In and out: as the feed's Protocol says.
Refuses to count twice: taking a slot is one script on the server. A sorted set holds token -> the microsecond until
which it counts; it is gone by itself when nobody has asked for a while.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tapeline.core.errors import ConfigError, Unavailable

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
    """Open the slots at a server: ``redis://``, ``rediss://``, ``unix://``, or the path of a unix socket."""
    url = f"unix://{address}" if address.startswith("/") else address
    try:
        client = Redis.from_url(url, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=_REPLY_TIMEOUT_S)
    except ValueError as error:
        raise ConfigError(f"streams.redis_url cannot be read: {error}") from error
    try:
        yield ValkeyLimiterState(client)
    finally:
        with anyio.CancelScope(shield=True):
            await client.aclose()


class ValkeyLimiterState:
    """Slots in Valkey or any Redis >= 7."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._reserve = client.register_script(RESERVE)

    async def reserve(self, key: str, token: str, *, now_ns: int, window_ns: int, limit: int) -> int | None:
        """Take a slot for ``token``; return None when it is taken, else the first moment at which one may be free."""
        argv: list[str | int] = [token, now_ns // 1_000, -(-window_ns // 1_000), limit, MAX_FLIGHT_US]
        found = await self._reply(self._reserve(keys=[_key(key)], args=argv))
        return None if found == b"" else int(float(found)) * 1_000 + 1_000

    async def settle(self, key: str, token: str, *, until_ns: int) -> None:
        """Let the slot of ``token`` count until ``until_ns``."""
        await self._reply(self._client.zadd(_key(key), {token: -(-until_ns // 1_000)}))

    async def _reply(self, command: Any) -> Any:
        try:
            with anyio.CancelScope(shield=True):  # an orphaned reply would answer the next command
                return await command
        except (RedisError, OSError) as error:
            raise Unavailable(f"the shared count of requests cannot be reached: {error}") from error


def _key(key: str) -> bytes:
    """Return the name of a key's slots; the key itself may hold a secret and appears nowhere."""
    return b"tapeline:limit:" + hashlib.sha256(key.encode()).hexdigest()[:32].encode()
