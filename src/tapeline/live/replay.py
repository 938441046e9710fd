"""Kept ticks of the ingress once more, through a lane that nobody else sees.

In: a stream server and a span of time.  Out: what the ticks that came in it make; nothing on the server changes.
"""

from __future__ import annotations

from tapeline.core.config import LiveConfig
from tapeline.live.tape import Replay
from tapeline.streams.ingress import ValkeyIngress
from tapeline.streams.ticks import TickRows
from tapeline.streams.valkey import connect

_AT_ONCE = 5_000


async def replay_ingress(address: str, config: LiveConfig, begin_ms: int, end_ms: int) -> Replay:
    """Apply the ticks whose entries came from ``begin_ms`` on and before ``end_ms`` (epoch, the server's clock)."""
    found = Replay(config)
    async with connect(address) as store:
        await store.ping()
        ingress, after = ValkeyIngress(store), f"{begin_ms - 1}-{2**63}" if begin_ms else "0-0"
        while True:
            block = await ingress.read(after, count=_AT_ONCE, block_s=0.0)
            if not len(block):
                return found
            after = block.id(len(block) - 1)
            inside = block.columns.ids[:, 0] < end_ms
            runs, bad = block.decode()
            found.refused += len(bad)
            for run in runs:
                if isinstance(run.rows, TickRows):
                    rows = run.rows if inside.all() else run.rows.take(inside[run.entries].nonzero()[0])
                    found.apply(rows)
            if not inside.all():
                return found
