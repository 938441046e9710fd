"""A stream server as the rooms above see it: one Valkey or Redis >= 7, or a cluster of them.

In: keys and commands.  Out: replies; every failure is ``Unavailable`` or says that the disk is full. Only this module
opens the client library, which runs on asyncio alone.
A command that was sent is never cancelled before its reply (an orphaned reply would answer the next command) and never
sent twice (a second XADD would double its rows): the client's own retries are off, and the caller loads again instead.
On a cluster a key's commands go to the node that has its slot; when slots have moved the caller is told to ask again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, RedisError

from tapeline.core.errors import StoreError, Unavailable
from tapeline.streams import keys, scripts
from tapeline.streams.access import pool_for, refusal
from tapeline.streams.blocks import Block
from tapeline.streams.replies import RawArrays
from tapeline.streams.store import DeadLetter, Entry, id_key

_REPLY_TIMEOUT_S = 30.0
"""Longest silence of a server that still counts as alive; well above every blocking read."""
_DISK_FULL = "No space left on device"
"""What the server says, in any of its error replies, when its log cannot grow."""

log = logging.getLogger(__name__)


class _Node:
    """Connections to one server: for commands, and for reading streams raw."""

    def __init__(self, pool: ConnectionPool) -> None:
        options = {**pool.connection_kwargs, "connection_class": pool.connection_class}
        self.client = Redis(connection_pool=pool)
        self.reader = Redis(connection_pool=ConnectionPool(**options, parser_class=RawArrays))
        for command in ("XREAD", "XREADGROUP", "XRANGE"):
            self.reader.set_response_callback(command, _as_it_is)

    def beside(self, host: str, port: int) -> _Node:
        """Return another server that is reached in the same way."""
        options = {**self.client.connection_pool.connection_kwargs, "host": host, "port": port}
        return _Node(ConnectionPool(connection_class=self.client.connection_pool.connection_class, **options))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.reader.aclose(close_connection_pool=True)
        await self.client.aclose(close_connection_pool=True)


def _as_it_is(response: Any, **_: Any) -> Any:
    return response or b""


class Server:
    """Connections to a server, or to the nodes of a cluster, and what is done with a stream of any name.

    Parameters
    ----------
    address
        ``redis://``, ``rediss://`` or ``unix://``, or the path of a unix socket; of a cluster that of any node.
    """

    def __init__(self, address: str) -> None:
        options: dict[str, Any] = {
            "protocol": 2,  # the shape of stream replies differs in 3
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": _REPLY_TIMEOUT_S,
            "socket_connect_timeout": 5.0,
        }
        self._first = _Node(pool_for(ConnectionPool, address, **options))
        self._nodes: dict[tuple[str, int], _Node] = {}
        self._slots: dict[range, _Node] = {}
        self._lease = self.script(scripts.LEASE)
        self._move = self.script(scripts.MOVE)

    @property
    def is_cluster(self) -> bool:
        """Whether keys of different slots may live on different nodes."""
        return bool(self._slots)

    async def enter(self) -> None:
        """Make the first connection; raise ``ConfigError`` when the server does not let us in, as ``refusal`` says."""
        try:
            await self.learn()
        except Unavailable as error:
            why = await anyio.to_thread.run_sync(refusal, error, self._first.client.connection_pool)
            if why is None:
                raise
            raise why from error

    async def learn(self) -> None:
        """Find out whether the server is a node of a cluster, and which node has which slots."""
        told = await self._reply(self._first.client.info("cluster"))
        if not told.get("cluster_enabled"):
            return
        known = self._first.client.connection_pool.connection_kwargs
        slots: dict[range, _Node] = {}
        ask: Callable[..., Awaitable[Any]] = self._first.client.execute_command
        for begin, end, (host, port, *_), *_replicas in await self._reply(ask("CLUSTER", "SLOTS")):
            where = (as_text(host) or known["host"], int(port))
            if where not in self._nodes:
                self._nodes[where] = self._first.beside(*where)
            slots[range(begin, end + 1)] = self._nodes[where]
        if sum(map(len, slots)) < _SLOTS:
            raise Unavailable("the cluster of stream servers does not cover all slots; look at `CLUSTER INFO`")
        self._slots = slots

    def _node(self, key: bytes) -> _Node:
        slot = key_slot(key) if self._slots else 0
        return next((node for slots, node in self._slots.items() if slot in slots), self._first)

    def _at(self, key: bytes) -> Redis:
        """Return the client of the server that has a key."""
        return self._node(key).client

    @property
    def _client(self) -> Redis:
        """The client of the server that was named."""
        return self._first.client

    async def aclose(self) -> None:
        """Close every connection."""
        for node in (self._first, *self._nodes.values()):
            await node.aclose()

    def script(self, text: str) -> AsyncScript:
        """Return a script that ``run`` runs."""
        return self._first.client.register_script(text)

    async def run(self, script: AsyncScript, names: Sequence[bytes], args: Sequence[Any]) -> Any:
        """Run a script to its end, where its first key is, and return its reply."""
        return await self._reply(script(names, args, client=self._at(names[0])))

    async def _reply(self, command: Any) -> Any:
        """Await one command to its end, whatever happens to the caller; between two commands it can be cancelled.

        The client types its replies as unions over every protocol and mode; each caller here knows its own.
        """
        try:
            with anyio.CancelScope(shield=True):
                reply = await command
        except (MovedError, AskError) as error:  # refused, so nothing was done
            await self.learn()
            raise Unavailable(f"slots of the cluster have moved: {error}") from error
        except (RedisError, OSError) as error:
            if _DISK_FULL in str(error):
                raise StoreError(
                    "the disk is full: the stream server cannot write its log; free space and start again, "
                    "nothing that was acknowledged is lost"
                ) from error
            raise Unavailable(f"the stream server does not answer as it should: {error}") from error
        # A loop of nothing but shielded commands could never be cancelled: the end of each is a place for it.
        await anyio.lowlevel.checkpoint_if_cancelled()
        return reply

    async def ping(self) -> None:
        """Return once the server answers; raise ``Unavailable`` when it does not."""
        await self._reply(self._client.ping())

    async def check_durability(self) -> list[str]:
        """Return a sentence for each setting of the server under which it may lose or evict what we keep there."""
        try:
            found = await self._reply(self._client.config_get("appendonly", "appendfsync", "maxmemory-policy"))
        except Unavailable as error:
            return [f"the stream server does not say how it keeps its data ({error})"]
        settings = {as_text(name): as_text(value) for name, value in found.items()}
        warnings = []
        if settings.get("appendonly") == "no":
            warnings.append("the stream server keeps no log (appendonly no): a restart loses everything")
        elif settings.get("appendfsync") == "no":
            warnings.append("the stream server never syncs its log (appendfsync no): a loss of power loses minutes")
        elif settings.get("appendfsync") == "everysec":
            log.info("the stream server syncs its log every second: a loss of power loses up to that")
        if settings.get("maxmemory-policy") not in ("noeviction", None):
            policy = settings["maxmemory-policy"]
            warnings.append(f"the stream server evicts keys when memory is short ({policy}): set noeviction")
        return warnings

    async def read_block(self, key: bytes, after: str, *, count: int, block_s: float) -> Block:
        """Return entries of any stream after an id, as ``read`` does."""
        block = ("BLOCK", max(1, round(block_s * 1000))) if block_s > 0 else ()  # BLOCK 0 would wait for ever
        command = ("XREAD", "COUNT", count, *block, "STREAMS", key, after)
        execute: Callable[..., Awaitable[bytes]] = self._node(key).reader.execute_command
        return Block(await self._reply(execute(*command)))

    async def letters(self, key: bytes, after: str, *, count: int) -> list[DeadLetter]:
        """Return dead letters of any stream of them, after an id."""
        found = await self.read_entries(key, after, count, 0.0)
        return [DeadLetter(e.id, e.fields[keys.REASON].decode(), e.fields[keys.PAYLOAD]) for e in found]

    async def read_entries(self, key: bytes, after: str, count: int, block_s: float) -> list[Entry]:
        """Return entries of any stream after an id, with all their fields."""
        block_ms = max(1, round(block_s * 1000)) if block_s > 0 else None  # BLOCK 0 would wait for ever
        reply = await self._reply(self._at(key).xread({key: after}, count=count, block=block_ms))
        return [Entry(entry_id.decode(), fields) for _, found in reply or () for entry_id, fields in found]

    async def lease_key(self, key: bytes, token: str, life_s: float) -> bool:
        """Take or renew any lease."""
        return bool(await self.run(self._lease, [key], [token, max(1, round(life_s * 1000))]))

    async def append(self, key: bytes, entries: Sequence[Mapping[bytes, bytes]]) -> list[str]:
        """Append entries to any stream, all at once; return their ids."""
        pipe = self._at(key).pipeline(transaction=True)
        for fields in entries:
            wire: dict[Any, Any] = dict(fields)
            pipe.xadd(key, wire)
        return [as_text(reply) for reply in await self._reply(pipe.execute())]

    async def delete(self, key: bytes, entry_id: str) -> None:
        """Drop one entry of a stream."""
        await self._reply(self._at(key).xdel(key, entry_id))

    async def move(self, key: bytes, entry_id: str, to: bytes, entries: Sequence[Mapping[bytes, bytes]]) -> bool:
        """Drop an entry of one stream and append others to another, in one step; False when it was dropped before.

        Where the two live on different nodes of a cluster it takes two steps: a death between them appends twice.
        """
        if self.is_cluster and key_slot(key) != key_slot(to):
            if not await self._reply(self._at(key).xrange(key, entry_id, entry_id)):
                return False
            await self.append(to, entries)
            await self.delete(key, entry_id)
            return True
        flat = [[part for pair in fields.items() for part in pair] for fields in entries]
        args: list[Any] = [entry_id, *(part for fields in flat for part in (len(fields), *fields))]
        return bool(await self.run(self._move, [key, to], args))

    async def field(self, key: bytes, name: bytes) -> bytes | None:
        """Return a field of a hash."""
        found: bytes | None = await self._reply(self._at(key).hget(key, name))
        return found

    async def groups(self, key: bytes) -> list[dict[str, Any]]:
        """Return the consumer groups of a stream; none when there is no stream."""
        if not await self._reply(self._at(key).exists(key)):
            return []
        return list(await self._reply(self._at(key).xinfo_groups(key)))

    async def make_group(self, key: bytes, group: str, entry_id: str) -> None:
        """Make a consumer group that stands at an id, and the stream where there is none."""
        await self._reply(self._at(key).xgroup_create(key, group, entry_id, mkstream=True))

    async def acknowledge_left(self, key: bytes, group: str, consumer: str, idle_s: float, count: int) -> int:
        """Acknowledge entries that other consumers of a group left pending; return how many were still there."""
        idle_ms, client = round(idle_s * 1000), self._at(key)
        if not await self._reply(client.xpending_range(key, group, "-", "+", 1, idle=idle_ms)):
            return 0
        _, found, _ = await self._reply(client.xautoclaim(key, group, consumer, idle_ms, count=count, justid=False))
        if found:
            await self._reply(client.xack(key, group, *(entry_id for entry_id, _ in found)))
        return len(found)

    async def trim_ingress(self, key: bytes, upto: str, max_entries: int) -> int:
        """Drop entries up to ``upto`` that every group has done with, when there are more than ``max_entries``."""
        if await self._reply(self._at(key).xlen(key)) <= max_entries:
            return 0
        for group in await self.groups(key):
            if await self._drop_if_left(key, as_text(group["name"])):
                continue
            upto = min(upto, as_text(group["last-delivered-id"]), key=id_key)
            if group["pending"]:
                first = as_text((await self._reply(self._at(key).xpending(key, as_text(group["name"]))))["min"])
                milliseconds, sequence = id_key(first)
                upto = min(upto, f"{milliseconds}-{sequence - 1}" if sequence else f"{milliseconds - 1}-0", key=id_key)
        return await self.trim_upto(key, upto)

    async def _drop_if_left(self, key: bytes, group: str) -> bool:
        """Drop the group of a replay that was killed: nobody would ever move it on."""
        if not group.startswith(keys.REPLAY):
            return False
        lease = keys.replay(group.removeprefix(keys.REPLAY), "lease")
        if await self._reply(self._at(lease).exists(lease)):
            return False
        await self._reply(self._at(key).xgroup_destroy(key, group))
        return True

    async def trim_upto(self, key: bytes, entry_id: str) -> int:
        """Drop entries of any stream up to and with an id; return how many went."""
        milliseconds, sequence = id_key(entry_id)
        first_kept = f"{milliseconds}-{sequence + 1}"
        return int(await self._reply(self._at(key).xtrim(key, minid=first_kept, approximate=False)))


_SLOTS = 16_384


def as_text(raw: bytes | str | None) -> str:
    """Return a reply as text, "" for none."""
    return raw.decode() if isinstance(raw, bytes) else raw or ""
