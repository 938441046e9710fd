"""Lanes in Valkey, or any Redis >= 7, alone or as a cluster.

In and out: as ``LaneStore`` says. All that one step touches lies in one lane, and so in one slot of a cluster.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
from redis.asyncio import Redis

from tapeline.streams import keys, scripts
from tapeline.streams.blocks import Block
from tapeline.streams.layout import Layout, lane_count_error
from tapeline.streams.server import Server, as_text, is_missing
from tapeline.streams.store import (
    BEGINNING,
    Commit,
    DeadLetter,
    Entry,
    LaneProgress,
    LeaseLost,
    Saved,
    gone_error,
    id_before,
    id_key,
    layout_error,
    lease_error,
    moved_error,
)
from tapeline.streams.trim import Step, next_cut

ALERTS_STAY_MS = 60_000
"""How long a lane of a cluster keeps its alerts after they are where all are."""


@asynccontextmanager
async def connect(address: str, *, patience_s: float = 0.0) -> AsyncIterator[ValkeyLaneStore]:
    """Open the lanes of a server and close the connections afterwards.

    Parameters
    ----------
    address
        ``redis://``, ``rediss://`` or ``unix://``, or the path of a unix socket; several as in ``Address``.
    patience_s
        How long what may be asked twice is asked again while the server is away, in real seconds; a worker has none, as
        it loads again.

    Raises
    ------
    Unavailable
        When the server is not there.
    ConfigError
        When it does not let us in.
    """
    store = ValkeyLaneStore(address, patience_s=patience_s)
    try:
        await store.enter()
        yield store
    finally:
        with anyio.CancelScope(shield=True):
            await store.aclose()


class ValkeyLaneStore(Server):
    """A ``LaneStore`` in Valkey. Made by ``connect``."""

    def __init__(self, address: str, *, patience_s: float = 0.0) -> None:
        super().__init__(address, patience_s=patience_s)
        self._heartbeat = self.script(scripts.HEARTBEAT)
        self._release = self.script(scripts.RELEASE)
        self._count_failure = self.script(scripts.COUNT_FAILURE)
        self._commit = self.script(scripts.COMMIT)
        self._most_alerts = Commit(BEGINNING, BEGINNING).max_alerts
        self._take_alerts = self.script(scripts.TAKE_ALERTS)
        self._change = self.script(scripts.CHANGE_LAYOUT)
        self._publish = self.script(scripts.PUBLISH)
        self._forwarded: dict[int, tuple[int, str]] = {}

    async def claim_lanes(self, n_lanes: int) -> None:
        """See ``LaneStore``."""
        claim = [("SET", keys.LANE_COUNT, n_lanes, "NX")]
        await self.patiently(lambda: self.write(keys.LANE_COUNT, claim))
        layout = await self.layout()
        if layout.lanes != n_lanes:
            raise lane_count_error(layout, n_lanes)

    async def layout(self) -> Layout:
        """See ``LaneStore``."""
        return Layout.parse(as_text(await self.ask(keys.LANE_COUNT, lambda client: client.get(keys.LANE_COUNT))))

    async def change_layout(self, before: Layout, after: Layout) -> bool:
        """See ``LaneStore``."""
        return bool(await self.run(self._change, [keys.LANE_COUNT], [before.text, after.text], keep=True))

    async def publish(
        self,
        lane: int,
        entries: Sequence[Mapping[bytes, bytes]],
        watermark_ns: int | None,
        *,
        note: bytes | None = None,
        epoch: int | None = None,
    ) -> list[str]:
        """See ``LaneStore``."""
        names = [keys.state(lane), keys.rows(lane), keys.watermark(lane), keys.note(lane)]
        args: list[Any] = ["" if epoch is None else epoch]
        args += [b"" if watermark_ns is None else b"%d" % watermark_ns, int(note is not None), note or b""]
        for fields in entries:
            args += [2 * len(fields), *(part for pair in fields.items() for part in pair)]
        # It may be published twice: a bar that says the same again changes nothing.
        verdict, *ids = await self.patiently(lambda: self.run(self._publish, names, args, keep=True))
        if verdict != b"ok":
            raise layout_error(lane)
        return [entry_id.decode() for entry_id in ids]

    async def note(self, lane: int) -> bytes | None:
        """See ``LaneStore``."""
        found: bytes | None = await self.ask(keys.note(lane), lambda client: client.get(keys.note(lane)))
        return found

    async def watermark(self, lane: int) -> int | None:
        """See ``LaneStore``."""
        found = await self.ask(keys.watermark(lane), lambda client: client.get(keys.watermark(lane)))
        return None if found is None else int(found)

    async def read(self, lane: int, after: str, *, count: int, block_s: float) -> Block:
        """See ``LaneStore``."""
        return await self.read_block(keys.rows(lane), after, count=count, block_s=block_s)

    async def read_closed(self, lane: int, after: str, *, count: int, block_s: float) -> list[Entry]:
        """See ``LaneStore``."""
        return await self.read_entries(keys.closed(lane), after, count, block_s)

    async def read_alerts(self, *, count: int) -> list[tuple[str, bytes]]:
        """See ``LaneStore``."""
        return await self._newest(keys.ALERTS, count)

    async def tell_loss(self, loss_id: str, payload: bytes, *, most: int) -> None:
        """See ``LaneStore``."""
        if loss_id in dict(await self.read_losses(count=most)):
            return
        entry = "*", keys.ALERT_ID, loss_id, keys.ALERT, payload
        await self.write(keys.ALERTS, [("XADD", keys.ALERTS, *entry)])
        await self.write(keys.LOSSES, [("XADD", keys.LOSSES, "MAXLEN", most, *entry)])

    async def read_losses(self, *, count: int) -> list[tuple[str, bytes]]:
        """See ``LaneStore``."""
        return await self._newest(keys.LOSSES, count)

    async def _newest(self, key: bytes, count: int) -> list[tuple[str, bytes]]:
        """Return the newest of a stream of (id, JSON object), oldest first."""
        found = await self.ask(key, lambda client: client.xrevrange(key, count=count))
        return [(fields[keys.ALERT_ID].decode(), fields[keys.ALERT]) for _, fields in reversed(found)]

    async def read_dead(self, lane: int, after: str, *, count: int) -> list[DeadLetter]:
        """See ``LaneStore``."""
        return await self.letters(keys.dead(lane), after, count=count)

    async def read_hot(self, lane: int, symbols: Sequence[str]) -> list[bytes | None]:
        """See ``LaneStore``."""
        if not symbols:
            return []
        names = [keys.hot(lane, symbol) for symbol in symbols]
        return list(await self.ask(names[0], lambda client: client.mget(names)))

    async def heartbeat(self, worker_id: str, life_s: float) -> int:
        """See ``LaneStore``."""
        return int(await self.run(self._heartbeat, [keys.WORKERS], [worker_id, round(life_s * 1000)]))

    async def lease(self, lane: int, token: str, life_s: float) -> bool:
        """See ``LaneStore``."""
        return await self.lease_key(keys.lease(lane), token, life_s)

    async def release(self, lane: int, token: str) -> None:
        """See ``LaneStore``."""
        await self.run(self._release, [keys.lease(lane)], [token])

    async def load(self, lane: int) -> Saved:
        """See ``LaneStore``."""
        self._forwarded.pop(lane, None)
        await self.forward_alerts(lane)  # what an owner that died left there

        def both(client: Redis) -> Any:
            pipe = client.pipeline(transaction=True)
            pipe.hmget(keys.state(lane), [keys.SNAPSHOT_ID, keys.APPLIED_ID, keys.FAILING_ID, keys.FAILURES])
            pipe.hgetall(keys.snapshot(lane))
            return pipe.execute()

        (snapshot_id, applied_id, failing_id, failures), parts = await self.ask(keys.state(lane), both)
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
            keys.alerts(lane) if self.is_cluster else keys.ALERTS,
            keys.rows(lane),
        ]
        names.extend(keys.hot(lane, symbol) for symbol in commit.hot)
        _check(lane, await self.run(self._commit, names, args, keep=True))
        self._most_alerts = commit.max_alerts
        if commit.alerts or self._forwarded.get(lane, (0, ""))[0] != self.changes:
            await self.forward_alerts(lane)

    async def forward_alerts(self, lane: int) -> None:
        """Bring a lane's alerts, which on a cluster wait in the lane, to where all are; each once, whoever dies.

        They stay in the lane for a while: a server that comes back, or takes over, without the last of them gets those
        again, since what it has taken is kept beside them.
        """
        if not self.is_cluster:
            return
        outbox, changes = keys.alerts(lane), self.changes
        before, after = self._forwarded.get(lane, (changes, BEGINNING))
        if before != changes:
            after = BEGINNING
        while found := await self.read_entries(outbox, after, 1_000, 0.0):
            args: list[Any] = [lane, self._most_alerts]
            for entry in found:
                args += [*entry.id.split("-"), entry.fields[keys.ALERT_ID], entry.fields[keys.ALERT]]
            await self.run(self._take_alerts, [keys.ALERTS, keys.ALERTS_TAKEN], args, keep=True)
            after = found[-1].id
            await self.trim_upto(outbox, id_before(id_key(after)[0] - ALERTS_STAY_MS))
        self._forwarded[lane] = changes, after

    async def count_failure(self, lane: int, token: str, entry_id: str) -> int:
        """See ``LaneStore``."""
        reply = await self.run(self._count_failure, [keys.lease(lane), keys.state(lane)], [token, entry_id])
        return int(_check(lane, reply))

    async def trim(self, lane: int, max_entries: int, since_ms: int = 0) -> int:
        """See ``LaneStore``."""
        upto, cut = await self.find_cut(keys.state(lane), keys.SNAPSHOT_ID, max_entries)
        cut = max(cut, min(upto, id_before(since_ms), key=id_key), key=id_key)
        return await self.trim_upto(keys.rows(lane), cut) if cut != BEGINNING else 0

    async def find_cut(self, state: bytes, id_field: bytes, most: int) -> tuple[str, str]:
        """Return up to which id a stream was applied, by the hash of its state, and up to which it may be cut."""
        fields = (id_field, keys.ENTRIES_APPLIED, keys.STEPS)
        upto, applied, kept = await self.ask(state, lambda client: client.hmget(state, fields))
        steps = msgspec.json.decode(kept or b"[]", type=list[Step])
        fresh, cut = next_cut(steps, int(applied or 0), as_text(upto) or BEGINNING, most)
        if fresh != steps:
            text = msgspec.json.encode(fresh)
            await self.ask(state, lambda client: client.hset(state, mapping={keys.STEPS: text}))
        return as_text(upto) or BEGINNING, cut

    async def trim_closed(self, lane: int, upto: str) -> int:
        """See ``LaneStore``."""
        return await self.trim_upto(keys.closed(lane), upto)

    async def progress(self, lane: int) -> LaneProgress:
        """See ``LaneStore``."""

        async def look(client: Redis) -> Any:
            pipe = client.pipeline(transaction=False)
            pipe.mget([keys.lease(lane), keys.watermark(lane)])
            for key in (keys.rows(lane), keys.closed(lane), keys.dead(lane)):
                pipe.xlen(key)
            pipe.hmget(keys.state(lane), [keys.APPLIED_ID, keys.SNAPSHOT_ID, keys.ENTRIES_APPLIED])
            pipe.xinfo_stream(keys.rows(lane))  # an error for a stream that nobody has written yet
            return [None if is_missing(reply) else reply for reply in await pipe.execute(raise_on_error=False)]

        replies = await self.ask(keys.rows(lane), look)
        (owner, watermark), length, closed, dead, (applied_id, snapshot_id, applied), info = replies
        fresh = info is None
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

    async def ingress_progress(self, group: str) -> tuple[str | None, int, int, int, int, str, str]:
        """Return owner, length, lag, pending, dead, last and applied id of the ingress."""

        async def look(client: Redis) -> Any:
            pipe = client.pipeline(transaction=False)
            pipe.get(keys.ROUTER_LEASE)
            pipe.xlen(keys.INGRESS)
            pipe.xlen(keys.ROUTER_DEAD)
            pipe.hmget(keys.ROUTER, [keys.APPLIED_ID, keys.ENTRIES_APPLIED])
            pipe.xinfo_stream(keys.INGRESS)
            pipe.xpending(keys.INGRESS, group)
            return [None if is_missing(reply) else reply for reply in await pipe.execute(raise_on_error=False)]

        owner, length, dead, (applied_id, applied), info, waiting = await self.ask(keys.INGRESS, look)
        fresh = info is None
        lag = 0 if fresh else info["entries-added"] - int(applied or 0)
        pending = 0 if waiting is None else waiting["pending"]
        last_id = BEGINNING if fresh else as_text(info["last-generated-id"])
        return as_text(owner) or None, length, lag, pending, dead, last_id, as_text(applied_id) or BEGINNING


def _check(lane: int, reply: Sequence[bytes]) -> str:
    """Return what a fenced script answered, or raise why it did nothing."""
    verdict, detail = (as_text(part) for part in reply)
    if verdict == "owner":
        raise lease_error(lane, detail or None)
    if verdict == "moved":
        raise moved_error(lane, detail)
    if verdict == "gone":
        raise gone_error(lane, detail)
    return detail


__all__ = ["LeaseLost", "ValkeyLaneStore", "connect"]
