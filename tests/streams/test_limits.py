"""Slots of a key in a real Valkey: one script, one limit for everybody."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tapeline.core.errors import Unavailable
from tapeline.core.types import NS_PER_S
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.limits import ValkeyLimiterState, connect_limits

WINDOW_NS = 60 * NS_PER_S
T0_NS = 1_800_000_000 * NS_PER_S


async def _take(state: ValkeyLimiterState, token: str, at_s: float, key: str = "k") -> int | None:
    now_ns = T0_NS + round(at_s * NS_PER_S)
    free_ns = await state.reserve(key, token, now_ns=now_ns, window_ns=WINDOW_NS, limit=2)
    return None if free_ns is None else round((free_ns - T0_NS) / NS_PER_S)


@pytest.mark.process
def test_two_connections_share_one_limit_that_outlives_them(tmp_path: Path) -> None:
    async def main() -> None:
        async with embedded_valkey(tmp_path) as server:
            path = str(server.socket_path)
            async with connect_limits(path) as one, connect_limits(path) as other:
                assert await _take(one, "a", 0) is None
                assert await _take(other, "b", 1) is None
                assert await _take(other, "c", 2) == 120  # "a" may be in flight for a minute, and counts for another
                await one.settle("k", "a", until_ns=T0_NS + 63 * NS_PER_S)
                assert await _take(other, "c", 4) == 63
                assert await _take(other, "c", 4, key="another") is None
            async with connect_limits(path) as reborn:
                assert await _take(reborn, "d", 62.9) == 63
                assert await _take(reborn, "d", 63.1) is None

    anyio.run(main)


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async def main() -> None:
        async with connect_limits(str(tmp_path / "nobody.sock")) as state:
            with pytest.raises(Unavailable, match="cannot be reached"):
                await _take(state, "a", 0)

    anyio.run(main)
