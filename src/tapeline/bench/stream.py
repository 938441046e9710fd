"""The stream processor, measured end to end: a real Valkey and a real worker on the cores that everything shares.

In: nothing but a size.  Out: ``results`` as JSON holds them: ticks a second when draining single ticks and frames, with
the producer beside it, the time from XADD to hot state, the growth of memory, and the same work done the document's way
and by FastStream.
Refuses to invent: a peer that is not installed is None.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import numpy as np
from redis import Redis

from tapeline.bench.stream_load import (
    CHUNK,
    START_NS,
    Market,
    Pipe,
    command,
    commands,
    lanes_of,
    market,
    real_market,
    real_ticks,
    ticks,
    with_poison,
)
from tapeline.core.config import StreamsConfig
from tapeline.core.process import Child, spawn
from tapeline.core.types import NS_PER_S
from tapeline.streams import frames, keys
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.ticks import TickRows
from tapeline.streams.worker import fresh_lanes

Tape = Callable[[Market, int], Iterator[TickRows]]

LANES = fresh_lanes(StreamsConfig())
"""As many as a fresh server gets on this machine."""
FRAME_ROWS = 500
SUSTAINED_A_SECOND, LATENCY_A_SECOND = 30_000, 5_000
PROBES_A_SECOND = 50
PROBE = "PROBE"
POISON_EVERY = 100
"""One entry that cannot be applied beside so many that can."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    backlog: int
    real: int
    framed: int
    sustained_s: float
    latency_s: float
    peer_s: float


FULL = Sizes(3_000_000, 500_000, 10_000_000, 20.0, 20.0, 8.0)
QUICK = Sizes(250_000, 150_000, 2_500_000, 2.5, 3.0, 1.2)


def run(*, quick: bool) -> dict[str, Any]:
    """Measure and return ``results``, ``peers`` and ``setting``; ``quick`` takes under 50 seconds."""
    sizes, here = QUICK if quick else FULL, market()
    drain, _ = _drained(here, sizes.backlog)
    poisoned, _ = _drained(here, sizes.backlog, poison_every=POISON_EVERY)
    real, _ = _drained(real_market(), sizes.real, tape=real_ticks)
    frames_rate, growth_mb = _drained(here, sizes.framed, framed=True)
    waits, sustained = _live(here, sizes)
    baseline, faststream = _peers(here, sizes)
    p50, p99 = np.percentile(waits, [50, 99]) if waits else (np.nan, np.nan)
    return {
        "results": {
            "drain_ticks_s": round(drain),
            "poison_ratio": round(poisoned / drain, 3),
            "real_ticks_s": round(real),
            "sustained_ticks_s": round(sustained),
            "frames_ticks_s": round(frames_rate),
            "p50_ms": round(float(p50), 2),
            "p99_ms": round(float(p99), 2),
            "baseline_ticks_s": round(baseline or 0),
            "ratio_baseline": round(drain / baseline, 1) if baseline else None,
            "peer": "faststream",
            "peer_ticks_s": None if faststream is None else round(faststream),
            "rss_growth_mb": round(growth_mb, 1),
        },
        "peers": {"baseline_ticks_s": baseline, "faststream_ticks_s": faststream},
        "setting": {
            "symbols": len(here.symbols),
            "lanes": LANES,
            "backlog": sizes.backlog,
            "framed": sizes.framed,
            "probes": len(waits),
        },
    }


@dataclass(slots=True)
class Server:
    """A server of our own, and a worker on it when there is one."""

    folder: Path
    socket_path: Path
    client: Redis

    def lag(self) -> int:
        """Return the entries that wait in the lanes."""
        waiting = 0
        for lane in range(LANES):
            applied = self.client.hget(keys.state(lane), keys.ENTRIES_APPLIED)
            added: Any = self.client.xinfo_stream(keys.rows(lane)) if self.client.exists(keys.rows(lane)) else {}
            waiting += added.get("entries-added", 0) - int(applied or 0)
        return waiting


@contextmanager
def _server() -> Iterator[Server]:
    """Run a server in a thread's event loop for the duration."""
    with tempfile.TemporaryDirectory(prefix="tl-") as folder, anyio.from_thread.start_blocking_portal() as portal:
        path = Path(folder)
        with portal.wrap_async_context_manager(embedded_valkey(path)) as running:
            client = Redis(unix_socket_path=str(running.socket_path), protocol=2)
            yield Server(path, running.socket_path, client)
            client.close()


@contextmanager
def _worker(server: Server) -> Iterator[Child]:
    """Run one worker process, as ``tapeline process`` does."""
    environ = {**os.environ, "TAPELINE_STREAMS__LANES": str(LANES), "TAPELINE_STREAMS__BATCH_MS": "5"}
    argv = [
        sys.executable,
        "-m",
        "tapeline.cli",
        "process",
        "--workers",
        "1",
        "--address",
        f"unix://{server.socket_path}",
    ]
    argv += ["--marks", str(server.folder / "marks")]
    child = spawn(argv, name="worker", log_path=server.folder / "worker.log", env=environ)
    with child:
        yield child


def _drained(
    here: Market, n: int, *, tape: Tape = ticks, framed: bool = False, poison_every: int = 0
) -> tuple[float, float]:
    """Return ticks a second over the last three quarters of a backlog, and the worker's growth over its second half.

    ``tape`` gives the ticks. With ``poison_every`` each so many-th entry has a bad one beside it, which does not count.
    """
    with _server() as server:
        _fill(server, here, tape(here, n), framed=framed, poison_every=poison_every)
        entries = server.lag()
        with _worker(server) as child:
            _wait_below(server, 3 * entries // 4)  # by then it has met every symbol
            first, started = server.lag(), time.perf_counter()
            _wait_below(server, entries // 2)
            half_mb = _rss_mb(child)
            ended = _wait_below(server, 0)
            growth_mb = _rss_mb(child) - half_mb
        return n * first / entries / (ended - started), growth_mb


def _fill(server: Server, here: Market, tape: Iterable[TickRows], *, framed: bool, poison_every: int) -> None:
    lanes = lanes_of(here, LANES)
    streams = [keys.rows(int(lane)) for lane in lanes]
    pipe = Pipe(server.socket_path)
    for rows in tape:
        if not framed:
            wires = list(commands(rows, streams))
            if poison_every:
                wires = list(with_poison(wires, poison_every, [keys.rows(lane) for lane in range(LANES)]))
            pipe.send(b"".join(wires), len(wires))
            continue
        out = []
        for lane in range(LANES):
            mine = np.flatnonzero(lanes[rows.symbol] == lane)
            for cut in range(0, mine.size, FRAME_ROWS):
                payload = frames.encode_ticks(rows.take(mine[cut : cut + FRAME_ROWS]))
                out.append(command(b"XADD", keys.rows(lane), b"*", keys.FRAME, payload))
        pipe.send(b"".join(out), len(out))
    pipe.close()


def _wait_below(server: Server, lag: int, *, limit_s: float = 200.0) -> float:
    ends = time.perf_counter() + limit_s
    while server.lag() > lag:
        if time.perf_counter() > ends:
            raise TimeoutError(f"the lanes still hold {server.lag()} entries after {limit_s:.0f} s")
        time.sleep(0.005)
    return time.perf_counter()


def _rss_mb(child: Child) -> float:
    """Return the memory of the process under a child's guard."""
    found = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    pids = found.read_text().split() if found.exists() else []
    if not pids:
        return 0.0
    pages = int(Path(f"/proc/{pids[0]}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _warm(server: Server, here: Market) -> None:
    """Let the worker meet every symbol a minute early, so that closed bars are there, and wait until it has."""
    pipe = Pipe(server.socket_path)
    streams = [keys.INGRESS] * len(here.symbols)
    for rows in ticks(here, 4 * CHUNK, seed=1, start_ns=START_NS - 60 * NS_PER_S):
        pipe.send(b"".join(commands(rows, streams)), len(rows))
    pipe.close()
    ends = time.perf_counter() + 60.0
    last: Any = server.client.xinfo_stream(keys.INGRESS)["last-generated-id"]
    while server.client.hget(keys.ROUTER, keys.APPLIED_ID) != last and time.perf_counter() < ends:
        time.sleep(0.02)
    _wait_below(server, 0)
    time.sleep(0.5)


def _live(here: Market, sizes: Sizes) -> tuple[list[float], float]:
    """Return what ``_latencies`` and then ``_sustained`` find with one worker that has closed bars of every symbol."""
    with _server() as server, _worker(server):
        _warm(server, here)
        waits = _latencies(server, here, sizes.latency_s)
        begin_ns = START_NS + math.ceil(sizes.latency_s) * NS_PER_S
        return waits, _sustained(server, here, sizes.sustained_s, begin_ns)


def _sustained(server: Server, here: Market, seconds: float, begin_ns: int) -> float:
    """Return ticks a second through ingress and lanes while a producer on the same cores offers them."""
    n = int(SUSTAINED_A_SECOND * seconds)
    wires = _to_ingress(here, n, 500, seed=2, begin_ns=begin_ns)
    pipe, started = Pipe(server.socket_path), time.perf_counter()
    for k, wire in enumerate(wires):
        due = started + k * 500 / SUSTAINED_A_SECOND
        time.sleep(max(due - time.perf_counter(), 0.0))
        pipe.send(wire, 500)
    pipe.close()
    last: Any = server.client.xinfo_stream(keys.INGRESS)["last-generated-id"]
    while server.client.hget(keys.ROUTER, keys.APPLIED_ID) != last:
        time.sleep(0.002)
    return n / (_wait_below(server, 0) - started)


def _latencies(server: Server, here: Market, seconds: float) -> list[float]:
    """Return the milliseconds from XADD of a probe to its price in hot state, at an offered 5,000 ticks a second."""
    per = LATENCY_A_SECOND // PROBES_A_SECOND // 10
    wires = _to_ingress(here, int(LATENCY_A_SECOND * seconds), per, seed=3, begin_ns=START_NS)
    return _probe(server, wires, per, 1.0 / PROBES_A_SECOND)


def _to_ingress(here: Market, n: int, each: int, *, seed: int, begin_ns: int) -> list[bytes]:
    """Return ``n`` ticks as commands to the ingress, so many at a time."""
    streams = [keys.INGRESS] * len(here.symbols)
    rows = itertools.chain.from_iterable(commands(some, streams) for some in ticks(here, n, seed, begin_ns))
    return [b"".join(some) for some in iter(lambda: list(itertools.islice(rows, each)), [])]


def _probe(server: Server, wires: list[bytes], per: int, each_s: float) -> list[float]:
    """Send background ticks evenly, a probe with every tenth part, and watch for it."""
    hot = [keys.hot(lane, PROBE) for lane in range(LANES)]
    pipe, started, waits = Pipe(server.socket_path), time.perf_counter(), []
    sent_s, price = 0.0, 0
    for k, wire in enumerate(wires):
        due = started + k * each_s / 10
        while True:
            if sent_s and any(b'"last":%d.0,' % price in (value or b"") for value in server.client.mget(hot)):
                waits.append((time.perf_counter() - sent_s) * 1000)
                sent_s = 0.0
            if (left_s := due - time.perf_counter()) <= 0:
                break
            time.sleep(min(left_s, 0.0005))
        pipe.send(wire, per)
        if k % 10 == 0 and not sent_s:
            price += 1
            sent_s = time.perf_counter()
            pipe.send(_probe_command(price), 1)
    pipe.close()
    return waits


def _probe_command(price: int) -> bytes:
    fields = (b"symbol", PROBE.encode(), b"last_price", b"%d" % price, b"volume", b"1")
    moment = START_NS // 1_000_000 + price * 1000 // PROBES_A_SECOND
    return command(b"XADD", keys.INGRESS, b"*", *fields, b"exchange_timestamp", b"%d" % moment)


def _peers(here: Market, sizes: Sizes) -> tuple[float | None, float | None]:
    """Return ticks a second of the document's design and of FastStream on the same entries."""
    found: list[float | None] = []
    for name in ("baseline", "faststream"):
        with _server() as server:
            pipe, streams = Pipe(server.socket_path), [keys.INGRESS] * len(here.symbols)
            for rows in ticks(here, int(20_000 * sizes.peer_s)):
                pipe.send(b"".join(commands(rows, streams)), len(rows))
            pipe.close()
            argv = [sys.executable, "-m", "tapeline.bench.stream_peers", name, str(server.socket_path)]
            done = subprocess.run([*argv, str(sizes.peer_s)], capture_output=True, text=True, check=True, timeout=120)
            found.append(json.loads(done.stdout.strip().splitlines()[-1]))
    return found[0], found[1]
