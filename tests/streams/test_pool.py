"""A pool of real workers at a real server: ticks go through, who is killed comes back, and all of it ends in peace."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis import Redis
from tests.streams.served import running_valkey

from tapeline.core.errors import BadInput, ProcessDied
from tapeline.core.process import Child, spawn
from tapeline.core.types import NS_PER_S
from tapeline.streams import keys
from tapeline.streams.pool import StreamProcessor, start_stream_processor
from tapeline.streams.writer import TickWriter

START_NS = 1_767_623_400 * NS_PER_S


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TAPELINE_HOME", str(tmp_path))
    monkeypatch.setenv("TAPELINE_STREAMS__LANES", "1")
    monkeypatch.setenv("TAPELINE_STREAMS__LEASE_S", "0.6")
    monkeypatch.setenv("TAPELINE_STREAMS__STATS_S", "0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("TAPELINE_STREAMS__METRICS_PORT", str(free.getsockname()[1]))
    with running_valkey() as (_, path):
        yield f"unix://{path}"


def until(holds: Callable[[], object], limit_s: float = 120.0) -> None:
    """Return when something holds. Long: a worker whose loops nobody has compiled yet does it first."""
    ends_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < ends_s, "it never came"
        time.sleep(0.01)


def goes_through(address: str, client: Redis, price: float) -> None:
    """Write a tick and return when it is shown."""
    with TickWriter(address) as writer:
        writer.add("A", START_NS + int(price) * NS_PER_S, price=price, volume=1)
    until(lambda: b'"last":%.1f' % price in (client.get(keys.hot(0, "A")) or b""))


def is_measured() -> None:
    """Return when Prometheus is told that the worker has applied ticks: more than one, where another had not saved."""
    page = f"http://127.0.0.1:{os.environ['TAPELINE_STREAMS__METRICS_PORT']}/metrics"
    until(lambda: re.search(r"^tapeline_stream_rows [1-9]", httpx2.get(page, trust_env=False).text, re.MULTILINE))


def worker_pid(pool: StreamProcessor) -> int:
    """Return the process under the guard of the only worker."""
    (guard,) = (child.pid for child in pool.workers)
    return int(Path(f"/proc/{guard}/task/{guard}/children").read_text().split()[0])


@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the worker by /proc")
def test_a_pool_works_replaces_who_is_killed_with_or_by_its_guard_and_gives_its_lanes_back(address: str) -> None:
    client = Redis.from_url(address, protocol=2)
    with start_stream_processor(address, 1, 10) as pool:
        goes_through(address, client, 5.0)
        is_measured()
        first = pool.workers[0]
        os.kill(worker_pid(pool), signal.SIGKILL)
        until(lambda: first.poll() is not None)
        pool.check()
        assert pool.workers[0] is not first
        goes_through(address, client, 6.0)
        second, orphan = pool.workers[0], worker_pid(pool)
        os.kill(second.pid, signal.SIGKILL)  # its guard: nobody is left to end it
        until(lambda: not Path(f"/proc/{orphan}").exists())
        until(lambda: second.poll() is not None)
        pool.check()
        goes_through(address, client, 7.0)
        is_measured()
    assert [child.poll() for child in pool.workers] == [0]
    assert client.get(keys.lease(0)) is None
    client.close()


def dies_with(monkeypatch: pytest.MonkeyPatch, code: int, words: str) -> None:
    """Make workers of a script that says something and ends."""

    def start(argv: list[str], **how: Any) -> Child:
        assert argv[1:7] == ["-m", "tapeline.cli", "process", "--workers", "1", "--name"]
        script = f"import sys; sys.stderr.write({words!r}); sys.exit({code})"
        return spawn([sys.executable, "-S", "-c", script], **how)

    monkeypatch.setattr("tapeline.streams.pool.spawn", start)


@pytest.mark.process
def test_what_the_person_has_to_mend_is_said_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dies_with(monkeypatch, 2, "tapeline: streams.lanes: expected `int` >= 1\n")
    with (
        start_stream_processor("unix:///nowhere", 1, logs=tmp_path) as pool,
        pytest.raises(BadInput, match=r"^streams\.lanes: expected"),
    ):
        pool.wait()


@pytest.mark.process
def test_workers_that_keep_ending_end_the_pool_and_their_logs_stay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dies_with(monkeypatch, 1, "something is wrong\n")
    monkeypatch.setattr("tapeline.streams.pool._LOOK_EVERY_S", 0.01)
    monkeypatch.setenv("TAPELINE_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "pool-night-0.log").write_text("of yesterday\n")
    said: list[str] = []
    with (
        start_stream_processor("unix:///nowhere", 2, name="night") as pool,
        pytest.raises(ProcessDied, match="keeps ending, code 1: something is wrong"),
    ):
        pool.wait(said.append)
    assert set(said) == {"night-0: something is wrong", "night-1: something is wrong"}
    kept = [(tmp_path / "logs" / f"pool-night-{k}.log").read_text() for k in range(2)]
    assert kept[0].startswith("of yesterday\nsomething")
    assert len(said) > 2


@pytest.mark.process
def test_a_pool_is_as_large_as_its_settings_say_and_hands_names_marks_and_ports_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[tuple[list[str], str]] = []

    def start(argv: list[str], *, env: dict[str, str], **how: Any) -> Child:
        started.append((argv[argv.index("--name") :], env["TAPELINE_STREAMS__METRICS_PORT"]))
        return spawn([sys.executable, "-S", "-c", ""], env=env, **how)

    monkeypatch.setattr("tapeline.streams.pool.spawn", start)
    (tmp_path / "doc.json").write_text('{"optimized_processor_workers": 2, "streams": {"metrics_port": 9100}}')
    how: dict[str, Any] = {"config": tmp_path / "doc.json", "name": "b", "marks": tmp_path / "m", "logs": tmp_path}
    with start_stream_processor("unix:///nowhere", **how):
        pass
    files = ["--config", str(tmp_path / "doc.json"), "--marks", str(tmp_path / "m")]
    assert started == [(["--name", "b-0", *files], "9100"), (["--name", "b-1", *files], "9101")]


def test_logs_that_cannot_be_kept_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="logs of the workers cannot be kept in"):
        start_stream_processor("unix:///nowhere", 1, logs=tmp_path / "file" / "logs")


@pytest.mark.parametrize(
    "how",
    [{"num_workers": 0}, {"num_workers": -1}, {"num_workers": 1.5}, {"num_workers": "two"}, {"batch_size": 0}],
)
def test_a_number_of_workers_or_entries_that_is_none_is_one_sentence(how: dict[str, Any]) -> None:
    ((what, value),) = how.items()
    with pytest.raises(BadInput, match=f"^{what} is {re.escape(repr(value))}: give a whole number of at least 1"):
        start_stream_processor("redis://localhost:1", **how)
