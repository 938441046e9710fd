"""Where a replay of kept ticks puts what it makes: a consumer group and keys of its own, never those of the lanes.

In: a name, a place in the ingress, results.  Out: a group on the ingress that stands where the replay reads, so that
nobody trims what it has not read yet, and its results under ``tapeline:replay:{name}:...`` for a time.
Refuses a second replay of the same name while one runs. One that was killed leaves its group until its lease is out:
whoever trims or replays next drops it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from tapeline.core.errors import BadInput
from tapeline.streams import keys
from tapeline.streams.store import LeaseLost
from tapeline.streams.valkey import ValkeyLaneStore

LEASE_S = 30.0
"""A replay that was killed is forgotten after this."""
_RESULTS = ("closed", "alerts", "hot", "summary")

# KEYS: what is dropped.
_FORGET = "return redis.call('DEL', unpack(KEYS))"

# KEYS: the ingress.  ARGV: group, id.
_PLACE = "return redis.pcall('XGROUP', 'SETID', KEYS[1], ARGV[1], ARGV[2])"
_DROP_GROUP = "return redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[1])"

# KEYS: lease, closed, alerts, hot, summary.
# ARGV: token, life of lease and results in ms, number of the next closed and of the next alert, how many closed, alerts
# and hot, summary, then payloads of the closed, (id, JSON) of the alerts, (symbol, JSON) of hot state.
_WRITE = f"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local n = 10
for i = 0, ARGV[6] - 1 do
  redis.call('XADD', KEYS[2], '0-' .. (ARGV[4] + i), '{keys.FRAME.decode()}', ARGV[n])
  n = n + 1
end
for i = 0, ARGV[7] - 1 do
  redis.call('XADD', KEYS[3], '0-' .. (ARGV[5] + i), '{keys.ALERT_ID.decode()}', ARGV[n],
             '{keys.ALERT.decode()}', ARGV[n + 1])
  n = n + 2
end
for _ = 1, ARGV[8] do
  redis.call('HSET', KEYS[4], ARGV[n], ARGV[n + 1])
  n = n + 2
end
redis.call('SET', KEYS[5], ARGV[9])
for i = 2, 5 do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
return 1
"""


@dataclass(slots=True)
class ReplayGroup:
    """One replay's place on the server. Made by ``replay_group``.

    Attributes
    ----------
    name, token
        Whose results they are, and under which token they are made.
    ttl_s
        Life of the results in seconds.
    """

    store: ValkeyLaneStore
    name: str
    token: str
    ttl_s: float
    _next_closed: int = 1
    _next_alert: int = 1
    _scripts: dict[str, Any] = field(default_factory=dict)

    async def _run(self, text: str, names: Sequence[bytes], args: Sequence[Any] = ()) -> Any:
        if text not in self._scripts:
            self._scripts[text] = self.store.script(text)
        return await self.store.run(self._scripts[text], list(names), list(args))

    async def open(self, after: str) -> None:
        """Take the name, drop what an earlier replay of it left, and hold the ingress from an id on."""
        if not await self.store.lease_key(keys.replay(self.name, "lease"), self.token, LEASE_S):
            raise BadInput(f"a replay into the group {self.name} runs: wait for it, or name another with --group")
        await self._run(_FORGET, [keys.replay(self.name, what) for what in _RESULTS])
        await self._drop()
        await self.store.make_group(keys.INGRESS, keys.REPLAY + self.name, after)

    async def write(
        self,
        read_upto: str,
        summary: bytes,
        closed: Sequence[bytes] = (),
        alerts: Sequence[tuple[str, bytes]] = (),
        hot: Mapping[str, bytes] | None = None,
    ) -> None:
        """Put results there and move the group on; raise ``LeaseLost`` when somebody else has the name."""
        hot = hot or {}
        names = [keys.replay(self.name, what) for what in ("lease", *_RESULTS)]
        args = [self.token, round(LEASE_S * 1000), round(self.ttl_s * 1000), self._next_closed, self._next_alert]
        args += [len(closed), len(alerts), len(hot), summary, *closed]
        args += [part for pair in (*alerts, *hot.items()) for part in pair]
        if not await self._run(_WRITE, names, args):
            raise LeaseLost(f"somebody else replays into the group {self.name}: this replay was silent for too long")
        self._next_closed += len(closed)
        self._next_alert += len(alerts)
        await self._run(_PLACE, [keys.INGRESS], [keys.REPLAY + self.name, read_upto])

    async def _drop(self) -> None:
        await self._run(_DROP_GROUP, [keys.INGRESS], [keys.REPLAY + self.name])

    async def close(self) -> None:
        """Let go of the ingress and of the name; the results stay for their time."""
        await self._drop()
        await self._run(_FORGET, [keys.replay(self.name, "lease")])


@asynccontextmanager
async def replay_group(
    store: ValkeyLaneStore, name: str, token: str, *, after: str, ttl_s: float
) -> AsyncIterator[ReplayGroup]:
    """Hold the ingress after an id, and a place for results, as long as the body runs."""
    group = ReplayGroup(store, name, token, ttl_s)
    await group.open(after)
    try:
        yield group
    finally:
        with anyio.CancelScope(shield=True):
            await group.close()
