"""``kill -9`` to a polling process: what it left in the lanes is whole, and the next one goes on from there."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import anyio
import httpx2
import pytest
from tests.chaos import kills
from tests.feed.poll_node import CONFIG, END_NS, LANES
from tests.feed.worlds import KEYS, OPEN_NS
from tests.sim.running import running_simulator
from tests.streams.toys import entries_of

from tapeline.streams import frames
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.keys import FRAME
from tapeline.streams.valkey import connect

KILLS = kills(2, 10)


def _run_and_kill(url: str, valkey: str, rng: random.Random) -> bool:
    """Start the process and kill it soon after some cycle; return whether it had finished before."""
    argv = [sys.executable, "-m", "tests.feed.poll_node", url, valkey]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(rng.randint(1, 4)):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.stdout.read()
        return process.wait() == 0


@pytest.mark.process
def test_killed_at_any_time_no_bar_is_lost_or_doubled_and_the_limit_holds(tmp_path: Path) -> None:
    rng = random.Random(7)

    async def main(url: str) -> Counter[tuple[str, int]]:
        found: Counter[tuple[str, int]] = Counter()
        async with embedded_valkey(tmp_path) as server:
            valkey = str(server.socket_path)
            for _ in range(KILLS):
                await anyio.to_thread.run_sync(_run_and_kill, url, valkey, rng)
            argv = [sys.executable, "-m", "tests.feed.poll_node", url, valkey]
            await anyio.run_process(argv)
            async with connect(valkey) as store:
                for lane in range(LANES):
                    block = await store.read(lane, "0-0", count=10_000, block_s=0.0)
                    for _, fields in entries_of(block):
                        frame = frames.decode(fields[FRAME])
                        found.update(zip(frame.symbols, frame.event_ns.tolist(), strict=True))
        return found

    with running_simulator(60) as url:
        found = anyio.run(main, url)
        seen = httpx2.get(f"{url}/sim/stats", trust_env=False).json()
        asked = {"timeframe": "1Min", "start": "2010-05-06T13:30:00Z", "end": "2010-05-06T13:37:59Z", "limit": "10000"}
        headers = {"APCA-API-KEY-ID": KEYS.key_id, "APCA-API-SECRET-KEY": KEYS.secret_key}
        symbols = ",".join(sorted({symbol for symbol, _ in found}))
        told = httpx2.get(
            f"{url}/v2/stocks/bars",
            params={**asked, "feed": "iex", "symbols": symbols},
            headers=headers,
            trust_env=False,
        ).json()
    assert told["next_page_token"] is None
    within = {key: times for key, times in found.items() if OPEN_NS <= key[1] < END_NS}
    assert set(within.values()) == {1}
    assert len(within) == sum(len(bars) for bars in told["bars"].values())
    assert seen["refused_429"] == 0
    assert seen["peak_requests_per_60_s"]["data"] <= CONFIG.requests_per_minute
