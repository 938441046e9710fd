"""Lanes in Valkey, or any Redis >= 7; the only module that knows the client library, which runs on asyncio alone.

In and out: as ``LaneStore`` says.
A command that was sent is never cancelled before its reply (an orphaned reply would answer the next command) and never
sent twice (a second XADD would double its rows): the client's own retries are off, and the caller loads again instead.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from tapeline.core.errors import ConfigError, StoreError, Unavailable
from tapeline.streams import keys, scripts
from tapeline.streams.blocks import Block
from tapeline.streams.replies import RawArrays
from tapeline.streams.store import (
    BEGINNING,
    Commit,
    DeadLetter,
    Entry,
    LaneProgress,
    LeaseLost,
    Saved,
    id_key,
    lane_count_error,
    lease_error,
    moved_error,
)

_REPLY_TIMEOUT_S = 30.0
"""Longest silence of a server that still counts as alive; well above every blocking read."""


log = logging.getLogger(__name__)


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[ValkeyLaneStore]:
    """Open the lanes of a server and close the connections afterwards.

    Parameters
    ----------
    address
        ``redis://``, ``rediss://`` or ``unix://``, or the path of a unix socket.
    """
    url = f"unix://{address}" if address.startswith("/") else address
    options: dict[str, Any] = {
        "protocol": 2,  # the shape of stream replies differs in 3
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": _REPLY_TIMEOUT_S,
        "socket_connect_timeout": 5.0,
    }
    try:
        client, reader = Redis.from_url(url, **options), Redis.from_url(url, **options, parser_class=RawArrays)
    except ValueError as error:
        raise ConfigError(f"streams.redis_url cannot be read: {error}") from error
    for command in ("XREAD", "XREADGROUP", "XRANGE"):
        reader.set_response_callback(command, _as_it_is)
    try:
        yield ValkeyLaneStore(client, reader)
    finally:
        with anyio.CancelScope(shield=True):
            await reader.aclose()
            await client.aclose()


def _as_it_is(response: Any, **_: Any) -> Any:
    return response or b""


_DISK_FULL = "No space left on device"
"""What the server says, in any of its error replies, when its log cannot grow."""


class ValkeyLaneStore:
    """A ``LaneStore`` in Valkey. Made by ``connect``."""

    def __init__(self, client: Redis, reader: Redis) -> None:
        self._client, self._reader = client, reader
        self._heartbeat = client.register_script(scripts.HEARTBEAT)
        self._lease = client.register_script(scripts.LEASE)
        self._release = client.register_script(scripts.RELEASE)
        self._count_failure = client.register_script(scripts.COUNT_FAILURE)
        self._commit = client.register_script(scripts.COMMIT)
        self._move = client.register_script(scripts.MOVE)

    def script(self, text: str) -> AsyncScript:
        """Return a script that ``run`` runs."""
        return self._client.register_script(text)

    async def run(self, script: AsyncScript, names: list[bytes], args: list[Any]) -> Any:
        """Run a script to its end and return its reply."""
        return await self._reply(script(names, args))

    async def _reply(self, command: Any) -> Any:
        """Await one command to its end, whatever happens to the caller; between two commands it can be cancelled.

        The client types its replies as unions over every protocol and mode; each caller here knows its own.
        """
        try:
            with anyio.CancelScope(shield=True):
                reply = await command
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

    async def claim_lanes(self, n_lanes: int) -> None:
        """See ``LaneStore``."""
        await self._reply(self._client.set(keys.LANE_COUNT, n_lanes, nx=True))
        laid_out = int(await self._reply(self._client.get(keys.LANE_COUNT)))
        if laid_out != n_lanes:
            raise lane_count_error(laid_out, n_lanes)

    async def publish(
        self,
        lane: int,
        entries: Sequence[Mapping[bytes, bytes]],
        watermark_ns: int | None,
        *,
        note: bytes | None = None,
    ) -> list[str]:
        """See ``LaneStore``."""
        pipe = self._client.pipeline(transaction=True)
        for fields in entries:
            wire: dict[Any, Any] = dict(fields)
            pipe.xadd(keys.rows(lane), wire)
        if watermark_ns is not None:
            pipe.set(keys.watermark(lane), watermark_ns)
        if note is not None:
            pipe.set(keys.note(lane), note)
        replies = await self._reply(pipe.execute())
        return [reply.decode() for reply in replies[: len(entries)]]

    async def note(self, lane: int) -> bytes | None:
        """See ``LaneStore``."""
        found: bytes | None = await self._reply(self._client.get(keys.note(lane)))
        return found

    async def watermark(self, lane: int) -> int | None:
        """See ``LaneStore``."""
        found = await self._reply(self._client.get(keys.watermark(lane)))
        return None if found is None else int(found)

    async def read(self, lane: int, after: str, *, count: int, block_s: float) -> Block:
        """See ``LaneStore``."""
        return await self.read_block(keys.rows(lane), after, count=count, block_s=block_s)

    async def read_block(self, key: bytes, after: str, *, count: int, block_s: float) -> Block:
        """Return entries of any stream after an id, as ``read`` does."""
        block = ("BLOCK", max(1, round(block_s * 1000))) if block_s > 0 else ()  # BLOCK 0 would wait for ever
        command = ("XREAD", "COUNT", count, *block, "STREAMS", key, after)
        execute: Callable[..., Awaitable[bytes]] = self._reader.execute_command
        return Block(await self._reply(execute(*command)))

    async def read_closed(self, lane: int, after: str, *, count: int, block_s: float) -> list[Entry]:
        """See ``LaneStore``."""
        return await self._read(keys.closed(lane), after, count, block_s)

    async def read_alerts(self, *, count: int) -> list[tuple[str, bytes]]:
        """See ``LaneStore``."""
        found = await self._reply(self._client.xrevrange(keys.ALERTS, count=count))
        return [(fields[keys.ALERT_ID].decode(), fields[keys.ALERT]) for _, fields in reversed(found)]

    async def tell_loss(self, loss_id: str, payload: bytes, *, most: int) -> None:
        """See ``LaneStore``."""
        if loss_id in dict(await self.read_losses(count=most)):
            return
        entry: dict[Any, Any] = {keys.ALERT_ID: loss_id, keys.ALERT: payload}
        await self._reply(self._client.xadd(keys.ALERTS, entry))
        await self._reply(self._client.xadd(keys.LOSSES, entry, maxlen=most, approximate=False))

    async def read_losses(self, *, count: int) -> list[tuple[str, bytes]]:
        """See ``LaneStore``."""
        found = await self._reply(self._client.xrevrange(keys.LOSSES, count=count))
        return [(fields[keys.ALERT_ID].decode(), fields[keys.ALERT]) for _, fields in reversed(found)]

    async def read_dead(self, lane: int, after: str, *, count: int) -> list[DeadLetter]:
        """See ``LaneStore``."""
        return await self.letters(keys.dead(lane), after, count=count)

    async def letters(self, key: bytes, after: str, *, count: int) -> list[DeadLetter]:
        """Return dead letters of any stream of them, after an id."""
        found = await self._read(key, after, count, 0.0)
        return [DeadLetter(e.id, e.fields[keys.REASON].decode(), e.fields[keys.PAYLOAD]) for e in found]

    async def _read(self, key: bytes, after: str, count: int, block_s: float) -> list[Entry]:
        block_ms = max(1, round(block_s * 1000)) if block_s > 0 else None  # BLOCK 0 would wait for ever
        reply = await self._reply(self._client.xread({key: after}, count=count, block=block_ms))
        return [Entry(entry_id.decode(), fields) for _, found in reply or () for entry_id, fields in found]

    async def read_hot(self, lane: int, symbols: Sequence[str]) -> list[bytes | None]:
        """See ``LaneStore``."""
        if not symbols:
            return []
        return list(await self._reply(self._client.mget([keys.hot(lane, symbol) for symbol in symbols])))

    async def heartbeat(self, worker_id: str, life_s: float) -> int:
        """See ``LaneStore``."""
        return int(await self._reply(self._heartbeat([keys.WORKERS], [worker_id, round(life_s * 1000)])))

    async def lease(self, lane: int, token: str, life_s: float) -> bool:
        """See ``LaneStore``."""
        return await self.lease_key(keys.lease(lane), token, life_s)

    async def lease_key(self, key: bytes, token: str, life_s: float) -> bool:
        """Take or renew any lease."""
        return bool(await self._reply(self._lease([key], [token, max(1, round(life_s * 1000))])))

    async def release(self, lane: int, token: str) -> None:
        """See ``LaneStore``."""
        await self._reply(self._release([keys.lease(lane)], [token]))

    async def load(self, lane: int) -> Saved:
        """See ``LaneStore``."""
        pipe = self._client.pipeline(transaction=True)
        pipe.hmget(keys.state(lane), [keys.SNAPSHOT_ID, keys.APPLIED_ID, keys.FAILING_ID, keys.FAILURES])
        pipe.hgetall(keys.snapshot(lane))
        (snapshot_id, applied_id, failing_id, failures), parts = await self._reply(pipe.execute())
        return Saved(
            {name.decode(): part for name, part in parts.items()},
            as_text(snapshot_id) or BEGINNING,
            as_text(applied_id) or BEGINNING,
            as_text(failing_id),
            int(failures or 0),
        )

    async def commit(self, lane: int, token: str, commit: Commit) -> None:
        """See ``LaneStore``."""
        parts = commit.parts or {}
        args: list[Any] = [
            *(token, commit.before_id, commit.applied_id, commit.entries, "0" if commit.parts is None else "1"),
            *(len(parts), len(commit.closed), len(commit.dead), len(commit.alerts)),
            *(commit.max_dead, commit.max_alerts, round(commit.hot_ttl_s * 1000)),
            *(part for pair in parts.items() for part in pair),
            *(part for pair in commit.closed for part in pair),
            *(part for letter in commit.dead for part in (letter.id, letter.reason, letter.payload)),
            *(part for pair in commit.alerts for part in pair),
            *commit.hot.values(),
        ]
        names = [
            keys.lease(lane),
            keys.state(lane),
            keys.snapshot(lane),
            keys.closed(lane),
            keys.dead(lane),
            keys.ALERTS,
        ]
        names.extend(keys.hot(lane, symbol) for symbol in commit.hot)
        _check(lane, await self._reply(self._commit(names, args)))

    async def count_failure(self, lane: int, token: str, entry_id: str) -> int:
        """See ``LaneStore``."""
        reply = await self._reply(self._count_failure([keys.lease(lane), keys.state(lane)], [token, entry_id]))
        return int(_check(lane, reply))

    async def trim(self, lane: int, max_entries: int) -> int:
        """See ``LaneStore``."""
        if await self._reply(self._client.xlen(keys.rows(lane))) <= max_entries:
            return 0
        snapshot_id = as_text(await self._reply(self._client.hget(keys.state(lane), keys.SNAPSHOT_ID)))
        return await self._trim_upto(keys.rows(lane), snapshot_id or BEGINNING)

    async def trim_closed(self, lane: int, upto: str) -> int:
        """See ``LaneStore``."""
        return await self._trim_upto(keys.closed(lane), upto)

    async def _trim_upto(self, key: bytes, entry_id: str) -> int:
        milliseconds, sequence = id_key(entry_id)
        first_kept = f"{milliseconds}-{sequence + 1}"
        return int(await self._reply(self._client.xtrim(key, minid=first_kept, approximate=False)))

    async def progress(self, lane: int) -> LaneProgress:
        """See ``LaneStore``."""
        pipe = self._client.pipeline(transaction=False)
        pipe.mget([keys.lease(lane), keys.watermark(lane)])
        for key in (keys.rows(lane), keys.closed(lane), keys.dead(lane)):
            pipe.xlen(key)
        pipe.hmget(keys.state(lane), [keys.APPLIED_ID, keys.SNAPSHOT_ID, keys.ENTRIES_APPLIED])
        pipe.xinfo_stream(keys.rows(lane))  # an error for a stream that nobody has written yet
        replies = await self._reply(pipe.execute(raise_on_error=False))
        (owner, watermark), length, closed, dead, (applied_id, snapshot_id, applied), info = replies
        fresh = isinstance(info, Exception)
        return LaneProgress(
            lane=lane,
            owner=as_text(owner) or None,
            length=length,
            lag=0 if fresh else info["entries-added"] - int(applied or 0),
            closed=closed,
            dead=dead,
            last_id=BEGINNING if fresh else as_text(info["last-generated-id"]),
            applied_id=as_text(applied_id) or BEGINNING,
            snapshot_id=as_text(snapshot_id) or BEGINNING,
            watermark_ns=None if watermark is None else int(watermark),
        )

    async def append(self, key: bytes, entries: Sequence[Mapping[bytes, bytes]]) -> list[str]:
        """Append entries to any stream, all at once; return their ids."""
        pipe = self._client.pipeline(transaction=True)
        for fields in entries:
            wire: dict[Any, Any] = dict(fields)
            pipe.xadd(key, wire)
        return [as_text(reply) for reply in await self._reply(pipe.execute())]

    async def lane_count(self) -> int:
        """Return how many lanes the server is laid out for; 0 when nobody has claimed them."""
        return int(await self._reply(self._client.get(keys.LANE_COUNT)) or 0)

    async def delete(self, key: bytes, entry_id: str) -> None:
        """Drop one entry of a stream."""
        await self._reply(self._client.xdel(key, entry_id))

    async def move(self, key: bytes, entry_id: str, to: bytes, entries: Sequence[Mapping[bytes, bytes]]) -> bool:
        """Drop an entry of one stream and append others to another, in one step; False when it was dropped before."""
        flat = [[part for pair in fields.items() for part in pair] for fields in entries]
        args: list[Any] = [entry_id, *(part for fields in flat for part in (len(fields), *fields))]
        return bool(await self._reply(self._move([key, to], args)))

    async def field(self, key: bytes, name: bytes) -> bytes | None:
        """Return a field of a hash."""
        found: bytes | None = await self._reply(self._client.hget(key, name))
        return found

    async def groups(self, key: bytes) -> list[dict[str, Any]]:
        """Return the consumer groups of a stream; none when there is no stream."""
        if not await self._reply(self._client.exists(key)):
            return []
        return list(await self._reply(self._client.xinfo_groups(key)))

    async def make_group(self, key: bytes, group: str, entry_id: str) -> None:
        """Make a consumer group that stands at an id, and the stream where there is none."""
        await self._reply(self._client.xgroup_create(key, group, entry_id, mkstream=True))

    async def claim(
        self, key: bytes, group: str, consumer: str, idle_s: float, count: int
    ) -> list[tuple[str, dict[bytes, bytes], int]]:
        """Return (id, fields, deliveries) of entries that other consumers left pending; no fields when deleted."""
        waiting = await self._reply(self._client.xpending_range(key, group, "-", "+", count, idle=round(idle_s * 1000)))
        if not waiting:
            return []
        deliveries = {as_text(entry["message_id"]): entry["times_delivered"] for entry in waiting}
        idle_ms = round(idle_s * 1000)
        _, found, gone = await self._reply(self._client.xautoclaim(key, group, consumer, idle_ms, count=count))
        claimed = [(as_text(i), dict(fields), deliveries.get(as_text(i), 1)) for i, fields in found if fields]
        return [*claimed, *((as_text(i), {}, deliveries.get(as_text(i), 1)) for i in gone)]

    async def trim_ingress(self, key: bytes, upto: str, max_entries: int) -> int:
        """Drop entries up to ``upto`` that every group has done with, when there are more than ``max_entries``."""
        if await self._reply(self._client.xlen(key)) <= max_entries:
            return 0
        for group in await self.groups(key):
            if await self._drop_if_left(key, as_text(group["name"])):
                continue
            upto = min(upto, as_text(group["last-delivered-id"]), key=id_key)
            if group["pending"]:
                first = as_text((await self._reply(self._client.xpending(key, as_text(group["name"]))))["min"])
                milliseconds, sequence = id_key(first)
                upto = min(upto, f"{milliseconds}-{sequence - 1}" if sequence else f"{milliseconds - 1}-0", key=id_key)
        return await self._trim_upto(key, upto)

    async def _drop_if_left(self, key: bytes, group: str) -> bool:
        """Drop the group of a replay that was killed: nobody would ever move it on."""
        if not group.startswith(keys.REPLAY):
            return False
        lease = keys.replay(group.removeprefix(keys.REPLAY), "lease")
        if await self._reply(self._client.exists(lease)):
            return False
        await self._reply(self._client.xgroup_destroy(key, group))
        return True

    async def ingress_progress(self, group: str) -> tuple[str | None, int, int, int, int, str, str]:
        """Return owner, length, lag, pending, dead, last and applied id of the ingress."""
        pipe = self._client.pipeline(transaction=False)
        pipe.get(keys.ROUTER_LEASE)
        pipe.xlen(keys.INGRESS)
        pipe.xlen(keys.ROUTER_DEAD)
        pipe.hmget(keys.ROUTER, [keys.APPLIED_ID, keys.ENTRIES_APPLIED])
        pipe.xinfo_stream(keys.INGRESS)
        pipe.xpending(keys.INGRESS, group)
        replies = await self._reply(pipe.execute(raise_on_error=False))
        owner, length, dead, (applied_id, applied), info, waiting = replies
        fresh = isinstance(info, Exception)
        lag = 0 if fresh else info["entries-added"] - int(applied or 0)
        pending = 0 if isinstance(waiting, Exception) else waiting["pending"]
        last_id = BEGINNING if fresh else as_text(info["last-generated-id"])
        return as_text(owner) or None, length, lag, pending, dead, last_id, as_text(applied_id) or BEGINNING


def as_text(raw: bytes | str | None) -> str:
    """Return a reply as text, "" for none."""
    return raw.decode() if isinstance(raw, bytes) else raw or ""


def _check(lane: int, reply: Sequence[bytes]) -> str:
    """Return what a fenced script answered, or raise why it did nothing."""
    verdict, detail = (as_text(part) for part in reply)
    if verdict == "owner":
        raise lease_error(lane, detail or None)
    if verdict == "moved":
        raise moved_error(lane, detail)
    return detail


__all__ = ["LeaseLost", "ValkeyLaneStore", "connect"]
