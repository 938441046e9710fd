"""The nodes of a stream server: one Valkey or Redis >= 7, or a cluster of them; which of them has a key now.

In: an address.  Out: for a key, the connections to the node that has it, and how many replicas that has.
The client library is opened here and in ``link`` alone; here it runs on asyncio alone.
After a failure the nodes are asked anew, those that failed last: whoever took over is found as soon as the cluster
knows. Refuses a node that takes no writes, and a cluster that is down, with ``Unavailable``.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import MovedError, ReadOnlyError, RedisError

from tapeline.core.errors import ConfigError, StoreError, Unavailable
from tapeline.streams.access import absence, pool_for, refusal
from tapeline.streams.address import Address
from tapeline.streams.replies import RawArrays
from tapeline.streams.requests import packed
from tapeline.streams.survey import KEEPALIVE, Survey, online_replicas, survey_of, syncing_replicas

LEARN_EVERY_S = 5.0
"""A cluster is asked this often who is who, so that replicas that came or went are known."""
_CONNECT_S = 5.0
_DISK_FULL = "No space left on device"
"""What the server says, in any of its error replies, when its log cannot grow."""


class SlotMoved(Unavailable):
    """Another node has the key now. The command was refused, so nothing was done."""


def told(error: Exception) -> Exception:
    """Return what a person has to know of a failed command."""
    if isinstance(error, MovedError):
        return SlotMoved(f"slots of the cluster have moved: {error}")
    if _DISK_FULL in str(error):
        return StoreError(
            "the disk is full: the stream server cannot write its log; free space and start again, "
            "nothing that was acknowledged is lost"
        )
    return Unavailable(absence(error) or f"the stream server does not answer as it should: {error}")


class Node:
    """Connections to one server: for commands, and for reading streams raw.

    Attributes
    ----------
    replicas
        Copies of it that may take its place, as far as its cluster, or it itself, knows.
    failed_s
        When it failed last.
    is_short
        Whether its replicas were too slow for a write: it is asked then whether they are only being filled.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        pool.connection_class = packed(pool.connection_class)
        options = {**pool.connection_kwargs, "connection_class": pool.connection_class}
        self.client = Redis(connection_pool=pool)
        self.reader = Redis(connection_pool=ConnectionPool(**options, parser_class=RawArrays))
        for command in ("XREAD", "XREADGROUP", "XRANGE"):
            self.reader.set_response_callback(command, _as_it_is)
        self.replicas = 0
        self.failed_s = -math.inf
        self.is_short = False

    @property
    def host(self) -> str:
        """Name or number of its machine."""
        return str(self.client.connection_pool.connection_kwargs.get("host", "localhost"))

    def beside(self, host: str, port: int) -> Node:
        """Return another server that is reached in the same way."""
        options = {**self.client.connection_pool.connection_kwargs, "host": host, "port": port}
        return Node(ConnectionPool(connection_class=self.client.connection_pool.connection_class, **options))

    async def raw(self, *command: Any) -> bytes:
        """Return the reply to a read of streams as the server wrote it."""
        ask: Callable[..., Awaitable[bytes]] = self.reader.execute_command
        return await ask(*command)

    async def survey(self) -> Survey:
        """Return what this node knows of its cluster."""
        ask: Callable[..., Awaitable[Any]] = self.client.execute_command
        return survey_of(await ask("CLUSTER", "INFO"), await ask("CLUSTER", "SLOTS"), self.host)

    async def info(self) -> dict[str, Any]:
        """Return what this node says of its replicas and its cluster."""
        said: dict[str, Any] = await self.client.info("replication", "cluster")
        return said

    async def reconnect(self) -> None:
        """Let every connection be made anew: its name may lead to another machine now."""
        for client in (self.client, self.reader):
            pool: Any = client.connection_pool
            await pool.update_active_connections_for_reconnect()
            await pool.disconnect(inuse_connections=False)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.reader.aclose(close_connection_pool=True)
        await self.client.aclose(close_connection_pool=True)


def _as_it_is(response: Any, **_: Any) -> Any:
    return response or b""


class Nodes:
    """The nodes behind an address.

    Parameters
    ----------
    address
        As ``Address.parse`` reads it.
    reply_timeout_s
        Longest silence of a server that still counts as alive.
    """

    def __init__(self, address: str, reply_timeout_s: float) -> None:
        found = Address.parse(address)
        self.most_replicas = found.replicas
        self._named = [Node(_pool(url, reply_timeout_s)) for url in found.urls]
        self.first = self._named[0]
        self._by_place: dict[tuple[str, int], Node] = {}
        self._by_slot: list[Node] = []
        self._lock = anyio.Lock()
        self._is_doubtful = True
        self._learned_s = -math.inf
        self.changes = 0
        """How often a command failed, or another node had taken over: what was written before may be gone."""

    @property
    def is_cluster(self) -> bool:
        """Whether keys of different slots may live on different nodes."""
        return bool(self._by_slot)

    def wanted(self, node: Node) -> int:
        """Return how many replicas of a node a write waits for."""
        return min(self.most_replicas, node.replicas)

    def known(self, key: bytes) -> Node:
        """Return the node that had a key when the nodes were asked last."""
        return self._by_slot[key_slot(key)] if self._by_slot else self.first

    async def of(self, key: bytes) -> Node:
        """Return the node that has a key; ask the nodes first when there is a doubt, or it is long ago."""
        if self._is_doubtful or anyio.current_time() - self._learned_s > LEARN_EVERY_S:
            async with self._lock:
                if self._is_doubtful or anyio.current_time() - self._learned_s > LEARN_EVERY_S:
                    await self.learn()
        return self.known(key)

    async def doubt(self, error: Exception, node: Node | None) -> None:
        """Take note that a command failed: before the next one the nodes are asked."""
        self._is_doubtful = True
        self.changes += 1
        if isinstance(error, ReadOnlyError) or "UNBLOCKED" in str(error):  # a primary that is none any more
            for each in self._named:
                await each.reconnect()
        if node is not None and not isinstance(error, MovedError):
            node.failed_s = anyio.current_time()

    async def learn(self) -> None:
        """Find out whether this is a cluster, and which node has which slots, from the first that knows.

        Raises
        ------
        Unavailable
            When none does: none answers, the cluster is down, or whoever answers is a replica.
        """
        failed: list[Exception] = []
        for node in self._to_ask():
            try:
                with anyio.CancelScope(shield=True):
                    await self._learn_from(node)
            except (RedisError, OSError, Unavailable) as error:
                node.failed_s = anyio.current_time()
                failed.append(error)
            else:
                self._is_doubtful, self._learned_s = False, anyio.current_time()
                return
            await anyio.lowlevel.checkpoint_if_cancelled()
        first = failed[0]
        raise first if isinstance(first, Unavailable) else told(first) from first

    async def refusal(self, error: Exception) -> ConfigError | None:
        """Return what a person has to mend when the first question failed; None when nobody is there."""
        return await anyio.to_thread.run_sync(refusal, error, self._named[0].client.connection_pool)

    def _to_ask(self) -> Sequence[Node]:
        """Return every node that is known, those that failed last at the end."""
        every = dict.fromkeys((self.first, *self._by_place.values(), *self._named))
        return sorted(every, key=lambda node: node.failed_s)

    async def _learn_from(self, node: Node) -> None:
        said = await node.info()
        if not said.get("cluster_enabled"):
            if said.get("role", "master") != "master":
                await node.reconnect()  # its name may lead to the primary by now
                raise Unavailable("the stream server is a replica now and takes no writes; its primary is looked for")
            node.replicas = online_replicas(said)
            self.first = node
            return
        survey = await node.survey()
        for shard in survey.shards:
            if shard.place not in self._by_place:
                self._by_place[shard.place] = node.beside(*shard.place)
        by_slot = [self._by_place[survey.shards[i].place] for i in survey.shard_of_slot]
        for shard in survey.shards:
            primary = self._by_place[shard.place]
            primary.replicas = shard.replicas - (await _being_filled(primary) if primary.is_short else 0)
        if self._by_slot and by_slot != self._by_slot:
            self.changes += 1
        self.first, self._by_slot = node, by_slot

    async def aclose(self) -> None:
        """Close every connection."""
        for node in (*self._named, *self._by_place.values()):
            await node.aclose()


async def _being_filled(node: Node) -> int:
    """Return how many replicas a primary is sending all its data to: such a one takes over from nobody."""
    try:
        filled = syncing_replicas(await node.info())
    except (RedisError, OSError):
        return 0
    node.is_short = filled > 0
    return filled


def _pool(url: str, reply_timeout_s: float) -> ConnectionPool:
    options: dict[str, Any] = {
        "protocol": 2,  # the shape of stream replies differs in 3
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": reply_timeout_s,
        "socket_connect_timeout": _CONNECT_S,
    }
    if url.startswith("redis"):
        options |= {"socket_keepalive": True, "socket_keepalive_options": KEEPALIVE}
    return pool_for(ConnectionPool, url, **options)
