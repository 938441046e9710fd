"""A shelf on the stream server: blobs under names, each for a time, all in one round trip.

In: names and bytes.  Out: the same bytes, until their time is over. Whoever reads them judges whether they still fit.
Refuses nothing: what is kept here can be computed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tapeline.streams import keys
from tapeline.streams.valkey import ValkeyLaneStore

_FETCH = "return redis.call('MGET', unpack(KEYS))"
_KEEP = """
for i, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1])
end
return #KEYS
"""


class ValkeyShelf:
    """Blobs in Valkey.

    Parameters
    ----------
    store
        Open connection to the server.
    """

    def __init__(self, store: ValkeyLaneStore) -> None:
        self._store = store
        self._fetch, self._keep = store.script(_FETCH), store.script(_KEEP)

    async def fetch(self, names: Sequence[str]) -> list[bytes | None]:
        """Return the blob of each name, None where there is none; ``Unavailable`` when nobody answers."""
        if not names:
            return []
        found: list[bytes | None] = await self._store.run(self._fetch, [keys.shelf(name) for name in names], [])
        return found

    async def keep(self, blobs: Mapping[str, bytes], ttl_s: float) -> None:
        """Keep blobs for ``ttl_s`` seconds; ``Unavailable`` when nobody answers."""
        if blobs:
            names = [keys.shelf(name) for name in blobs]
            await self._store.run(self._keep, names, [max(1, round(ttl_s * 1000)), *blobs.values()])
