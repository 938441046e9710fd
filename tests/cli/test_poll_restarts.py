"""``poll`` that is killed with ``kill -9``: the next one goes on from there, and each minute is printed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from tests.chaos import kills
from tests.sim.running import running_simulator

KILLS = kills(1, 10)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Yield the address of a simulator."""
    with running_simulator(60) as address:
        yield address


def _pass_time(url: str, minutes: int) -> None:
    """Let market time pass with nobody asking."""
    asked = {"until_ns": httpx2.get(f"{url}/sim/clock", trust_env=False).json()["now_ns"] + minutes * 60 * 10**9}
    httpx2.post(f"{url}/sim/clock", json=asked, trust_env=False, timeout=20)


def _argv(*words: str) -> list[str]:
    return [sys.executable, "-m", "tapeline.cli", *words]


def _environ(url: str, home: Path, **more: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TAPELINE_", "APCA_"))}
    keys = {"APCA_API_KEY_ID": "key", "APCA_API_SECRET_KEY": "secret"}
    return {**inherited, **keys, "TAPELINE_HOME": str(home), "TAPELINE_FEED__ALPACA__BASE_URL": url, **more}


@contextmanager
def _polling(environ: dict[str, str], *words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(_argv("poll", "--json", *words), env=environ, stdout=subprocess.PIPE, text=True) as process:
        yield process


@pytest.mark.process
def test_killed_after_any_minute_the_next_poll_goes_on_and_each_minute_is_printed(url: str, tmp_path: Path) -> None:
    rng = random.Random(11)
    lives: list[list[str]] = []
    environ = _environ(url, tmp_path, TAPELINE_FEED__REREAD_S="0")
    for _ in range(KILLS):
        with _polling(environ, "--symbols", "AAPL,MSFT") as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(rng.randint(3, 30))]
            process.send_signal(signal.SIGKILL)
            lives.append([*lines, *process.stdout.read().splitlines()])
        _pass_time(url, 5)
    with _polling(environ, "--symbols", "AAPL,MSFT", "--cycles", "2") as process:
        lives.append(process.communicate()[0].splitlines())
    printed = set().union(*map(_keys, lives))
    minutes = sorted({event_ns for _, event_ns in printed})
    assert minutes == list(range(minutes[0], minutes[-1] + 1, 60 * 10**9))
    assert len(minutes) > 5 * KILLS
    assert len(printed) == 2 * len(minutes)
    _assert_only_the_last_cycle_is_said_again(lives)


def _assert_only_the_last_cycle_is_said_again(lives: list[list[str]]) -> None:
    """A cycle is noted after it was printed and before the next one is; killed in between, it is printed once more."""
    noted: set[tuple[str, int]] = set()
    for lines in lives:
        told = _keys(lines)
        assert len(told) == len(set(told))
        assert not noted.intersection(told)
        ends = [number for number, line in enumerate(lines) if '"cycle"' in line]
        sure = [end for end in ends if end < len(lines) - 1]
        noted.update(_keys(lines[: sure[-1]]) if sure else [])


def _keys(lines: list[str]) -> list[tuple[str, int]]:
    rows = [json.loads(line) for line in lines if line.endswith(("}", "}\n"))]
    return [(row["symbol"], row["event_ns"]) for row in rows if "event_ns" in row]
