"""A stream server as the rooms above see it: one Valkey or Redis >= 7, or a cluster of them.

In: keys and commands.  Out: replies; every failure is ``Unavailable`` or says that the disk is full.
A command that was sent is never cancelled before its reply (an orphaned reply would answer the next command) and never
sent twice (a second XADD would double its rows): the client's own retries are off, and the caller loads again instead.
Only what a node of a cluster refused, because the key has moved, goes to the node that has it, once.
A write that somebody goes by waits for the replica of its node, where there is one: whatever takes over then has it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.crc import key_slot
from redis.exceptions import NoScriptError, RedisError, ResponseError

from tapeline.core.errors import Unavailable
from tapeline.streams import keys, scripts
from tapeline.streams.blocks import Block
from tapeline.streams.nodes import Node, Nodes, SlotMoved, told
from tapeline.streams.store import DeadLetter, Entry, id_key
from tapeline.streams.survey import KEPT_WITHIN_MS

_REPLY_TIMEOUT_S = 30.0
"""Longest silence of a server that still counts as alive; well above every blocking read."""

PAUSE_S = 0.5
"""Between two tries at a server that is away."""
T = TypeVar("T")

log = logging.getLogger(__name__)

Command = Callable[[Redis], Any]
"""What is asked of the node that has a key; the client types its methods for every protocol and mode."""


class Server:
    """Connections to a server, or to the nodes of a cluster, and what is done with a stream of any name.

    Parameters
    ----------
    address
        As ``Address.parse`` reads it; of a cluster that of any node, or of several.
    reply_timeout_s
        Longest silence of a server that still counts as alive.
    patience_s
        How long what may be asked twice is asked again while the server is away, in real seconds.
    """

    def __init__(self, address: str, reply_timeout_s: float = _REPLY_TIMEOUT_S, *, patience_s: float = 0.0) -> None:
        self._nodes = Nodes(address, reply_timeout_s)
        self._patience_s = patience_s
        self._lease = self.script(scripts.LEASE)
        self._move = self.script(scripts.MOVE)

    @property
    def is_cluster(self) -> bool:
        """Whether keys of different slots may live on different nodes."""
        return self._nodes.is_cluster

    def waits(self, key: bytes) -> bool:
        """Whether writes to a key wait for a replica, as far as is known."""
        return self._nodes.wanted(self._nodes.known(key)) > 0

    @property
    def changes(self) -> int:
        """How often something failed or changed, so that what was written before may be gone."""
        return self._nodes.changes

    async def learn(self) -> None:
        """Find out which nodes there are; raise ``Unavailable`` when none that takes writes answers."""
        await self._nodes.learn()

    async def enter(self) -> None:
        """Learn as the first thing; raise ``ConfigError`` when a server is there that does not let us in."""
        try:
            await self.learn()
        except Unavailable as error:
            if (why := await self._nodes.refusal(error)) is not None:
                raise why from error
            raise

    @property
    def _client(self) -> Redis:
        """The client of a server that answered."""
        return self._nodes.first.client

    async def aclose(self) -> None:
        """Close every connection."""
        await self._nodes.aclose()

    def script(self, text: str) -> AsyncScript:
        """Return a script that ``run`` runs."""
        return self._client.register_script(text)

    async def ask(self, key: bytes, command: Command) -> Any:
        """Give a command that may be given twice to the node that has a key, and return its reply."""
        return await self.patiently(lambda: self._ask(key, lambda node: command(node.client)))

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call, and make it again while the server is away, for as long as there is patience."""
        limit_s = anyio.current_time() + self._patience_s
        while True:
            try:
                return await call()
            except Unavailable as error:
                if anyio.current_time() + PAUSE_S > limit_s:
                    raise
                log.warning("the stream server is asked again: %s", error)
            await anyio.sleep(PAUSE_S)

    async def _ask(self, key: bytes, command: Callable[[Node], Awaitable[Any]]) -> Any:
        node = await self._nodes.of(key)
        try:
            return await self._reply(command(node), node)
        except SlotMoved:
            node = await self._nodes.of(key)
            return await self._reply(command(node), node)

    async def run(self, script: AsyncScript, names: Sequence[bytes], args: Sequence[Any], *, keep: bool = False) -> Any:
        """Run a script to its end, where its first key is, and return its reply; ``keep`` as for ``write``."""
        if keep:
            return await self.write(names[0], [("EVALSHA", script.sha, len(names), *names, *args)], script)
        return await self.ask(names[0], lambda client: script(names, args, client=client))

    async def write(self, key: bytes, commands: Sequence[tuple[Any, ...]], script: AsyncScript | None = None) -> Any:
        """Give commands in one go to the node that has a key, and return the last reply.

        What they wrote is on a replica, too, when this returns, where there is one that could take over. When none has
        it in time it is ``Unavailable``, which leaves open whether it stays, as a lost reply does.
        """
        asked: list[tuple[Node, int]] = []

        async def command(node: Node) -> Any:
            reply, kept = await _in_one_go(node.client, commands, self._nodes.wanted(node), script)
            asked.append((node, kept))
            return reply

        reply = await self._ask(key, command)
        node, kept = asked[-1]
        if kept < self._nodes.wanted(node):
            await self._judge(node, kept)
        return reply

    async def _judge(self, node: Node, kept: int) -> None:
        """Decide what it means that too few replicas have a write: there are fewer now, or nobody may go by it."""
        node.is_short = True
        await self._nodes.learn()
        if kept < self._nodes.wanted(node):
            limit_s = KEPT_WITHIN_MS / 1000
            raise Unavailable(f"the stream server's replica did not have the last write within {limit_s:g} s")
        log.warning("writes are on one node of the stream servers alone: it has no replica now that could take over")

    async def _reply(self, command: Any, node: Node | None = None) -> Any:
        """Await one command to its end, whatever happens to the caller; between two commands it can be cancelled."""
        try:
            with anyio.CancelScope(shield=True):
                reply = await command
        except (RedisError, OSError) as error:
            await self._nodes.doubt(error, node)
            raise told(error) from error
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
        return Block(await self.patiently(lambda: self._ask(key, lambda node: node.raw(*command))))

    async def letters(self, key: bytes, after: str, *, count: int) -> list[DeadLetter]:
        """Return dead letters of any stream of them, after an id."""
        found = await self.read_entries(key, after, count, 0.0)
        return [DeadLetter(e.id, e.fields[keys.REASON].decode(), e.fields[keys.PAYLOAD]) for e in found]

    async def read_entries(self, key: bytes, after: str, count: int, block_s: float) -> list[Entry]:
        """Return entries of any stream after an id, with all their fields."""
        block_ms = max(1, round(block_s * 1000)) if block_s > 0 else None  # BLOCK 0 would wait for ever
        reply = await self.ask(key, lambda client: client.xread({key: after}, count=count, block=block_ms))
        return [Entry(entry_id.decode(), fields) for _, found in reply or () for entry_id, fields in found]

    async def lease_key(self, key: bytes, token: str, life_s: float) -> bool:
        """Take or renew any lease."""
        return bool(await self.run(self._lease, [key], [token, max(1, round(life_s * 1000))]))

    async def append(self, key: bytes, entries: Sequence[Mapping[bytes, bytes]]) -> list[str]:
        """Append entries to any stream, all at once, as ``write`` does; return their ids."""
        adds = [("XADD", key, "*", *(part for pair in fields.items() for part in pair)) for fields in entries]
        return [as_text(reply) for reply in await self.write(key, [("MULTI",), *adds, ("EXEC",)])]

    async def delete(self, key: bytes, entry_id: str) -> None:
        """Drop one entry of a stream."""
        await self.ask(key, lambda client: client.xdel(key, entry_id))

    async def move(self, key: bytes, entry_id: str, to: bytes, entries: Sequence[Mapping[bytes, bytes]]) -> bool:
        """Drop an entry of one stream and append others to another, in one step; False when it was dropped before.

        Where the two live on different nodes of a cluster it takes two steps: a death between them appends twice.
        """
        if self.is_cluster and key_slot(key) != key_slot(to):
            if not await self.ask(key, lambda client: client.xrange(key, entry_id, entry_id)):
                return False
            await self.append(to, entries)
            await self.delete(key, entry_id)
            return True
        flat = [[part for pair in fields.items() for part in pair] for fields in entries]
        args: list[Any] = [entry_id, *(part for fields in flat for part in (len(fields), *fields))]
        return bool(await self.run(self._move, [key, to], args, keep=True))

    async def field(self, key: bytes, name: bytes) -> bytes | None:
        """Return a field of a hash."""
        found: bytes | None = await self.ask(key, lambda client: client.hget(key, name))
        return found

    async def groups(self, key: bytes) -> list[dict[str, Any]]:
        """Return the consumer groups of a stream; none when there is no stream."""
        if not await self.ask(key, lambda client: client.exists(key)):
            return []
        return list(await self.ask(key, lambda client: client.xinfo_groups(key)))

    async def make_group(self, key: bytes, group: str, entry_id: str) -> None:
        """Make a consumer group that stands at an id, and the stream where there is none."""
        await self.ask(key, lambda client: client.xgroup_create(key, group, entry_id, mkstream=True))

    async def acknowledge_left(self, key: bytes, group: str, consumer: str, idle_s: float, count: int) -> int:
        """Acknowledge entries that other consumers of a group left pending; return how many were still there."""
        idle_ms = round(idle_s * 1000)
        if not await self.ask(key, lambda client: client.xpending_range(key, group, "-", "+", 1, idle=idle_ms)):
            return 0
        how: dict[str, Any] = {"count": count, "justid": False}
        _, found, _ = await self.ask(key, lambda client: client.xautoclaim(key, group, consumer, idle_ms, **how))
        if found:
            await self.ask(key, lambda client: client.xack(key, group, *(entry_id for entry_id, _ in found)))
        return len(found)

    async def trim_ingress(self, key: bytes, upto: str) -> int:
        """Drop entries up to ``upto`` that every group has done with."""
        for group in await self.groups(key):
            name = as_text(group["name"])
            if await self._drop_if_left(key, name):
                continue
            upto = min(upto, as_text(group["last-delivered-id"]), key=id_key)
            if group["pending"]:
                milliseconds, sequence = id_key(await self._first_pending(key, name))
                upto = min(upto, f"{milliseconds}-{sequence - 1}" if sequence else f"{milliseconds - 1}-0", key=id_key)
        return await self.trim_upto(key, upto)

    async def _first_pending(self, key: bytes, group: str) -> str:
        return as_text((await self.ask(key, lambda client: client.xpending(key, group)))["min"])

    async def _drop_if_left(self, key: bytes, group: str) -> bool:
        """Drop the group of a replay that was killed: nobody would ever move it on."""
        if not group.startswith(keys.REPLAY):
            return False
        lease = keys.replay(group.removeprefix(keys.REPLAY), "lease")
        if await self.ask(lease, lambda client: client.exists(lease)):
            return False
        await self.ask(key, lambda client: client.xgroup_destroy(key, group))
        return True

    async def trim_upto(self, key: bytes, entry_id: str) -> int:
        """Drop entries of any stream up to and with an id; return how many went."""
        milliseconds, sequence = id_key(entry_id)
        first_kept = f"{milliseconds}-{sequence + 1}"
        return int(await self.ask(key, lambda client: client.xtrim(key, minid=first_kept, approximate=False)))


async def _in_one_go(
    client: Redis, commands: Sequence[tuple[Any, ...]], replicas: int, script: AsyncScript | None
) -> tuple[Any, int]:
    """Send commands and wait for so many replicas; return the last reply, and how many have it."""
    try:
        if len(commands) == 1 and not replicas:  # a pipeline would only cost time
            ask: Callable[..., Awaitable[Any]] = client.execute_command
            return await ask(*commands[0]), 0
        pipe = client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        if replicas:
            pipe.execute_command("WAIT", replicas, KEPT_WITHIN_MS)
        replies = await pipe.execute(raise_on_error=False)
        if failed := next((reply for reply in replies if isinstance(reply, Exception)), None):
            raise failed
    except NoScriptError:
        if script is None:
            raise
        await client.script_load(script.script)
        return await _in_one_go(client, commands, replicas, None)
    return replies[len(commands) - 1], int(replies[-1]) if replicas else 0


def is_missing(reply: Any) -> bool:
    """Tell whether a reply says that there is no such stream or group; raise any other failure that it is."""
    if not isinstance(reply, Exception):
        return False
    if isinstance(reply, ResponseError) and "no such key" in str(reply).lower():
        return True
    raise reply


def as_text(raw: bytes | str | None) -> str:
    """Return a reply as text, "" for none."""
    return raw.decode() if isinstance(raw, bytes) else raw or ""
