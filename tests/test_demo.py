"""The whole machine as processes: same bytes twice, nothing from the future, nothing left behind, errors that teach.

The runs here replay the whole day over a part of the universe; the full one is the demo itself.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tapeline.core.home import Home
from tapeline.sim.market import Market
from tapeline.sim.resample import write_universe

pytestmark = pytest.mark.process

TAPELINE = (sys.executable, "-m", "tapeline.cli")
EXPORTS = ("bars.parquet", "signals.jsonl", "ledger.csv", "dossiers.jsonl", "evidence.jsonl", "stages.jsonl")
DAY = "2010-05-06"
SHORT_DAY = "2009-11-27"
"""The day after Thanksgiving: the market closes at one."""
N_SYMBOLS = 48
Runs = dict[str, tuple[Path, dict[str, Any]]]
"""Name of a run -> its export, and the last line it printed."""


def _environ(**settings: str) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("TAPELINE_", "APCA_"))}
    chosen = {"LLM__KIND": "sim", "WEB__PORT": "0", **settings}
    return {**kept, **{f"TAPELINE_{name}": text for name, text in chosen.items()}}


def _start(*arguments: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TAPELINE, *arguments],
        env=_environ(**settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process: subprocess.Popen[str], timeout_s: float = 300.0) -> tuple[str, str]:
    with process:
        try:
            return process.communicate(timeout=timeout_s)
        finally:
            process.kill()


def _run(*arguments: str, **settings: str) -> tuple[int, str, str]:
    process = _start(*arguments, **settings)
    out, err = _finish(process)
    return process.returncode, out, err


def _read_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if word in line:
            return line
    raise AssertionError(f"the process ended without a word of {word!r}")


def _children(pid: int) -> dict[int, str]:
    """Return every process below ``pid``, with its command line."""
    found: dict[int, str] = {}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            found |= {child: command, **_children(child)}
    return found


def _all_end(pids: list[int], timeout_s: float = 15.0) -> bool:
    """Wait for processes to end, each by its pidfd: no polling and no sleep."""
    watches = []
    for pid in pids:
        try:
            watches.append(os.pidfd_open(pid))
        except ProcessLookupError:
            continue
    try:
        return all(select.select([watch], [], [], timeout_s)[0] for watch in watches)
    finally:
        for watch in watches:
            os.close(watch)


def _with_another_future(market: Market) -> Market:
    """Return a market whose sessions after the day are other ones, in every field."""
    after = np.array([session.isoformat() > DAY for session in market.sessions])
    changed = {name: np.where(after[:, None], panel * 1.7, panel) for name, panel in market.daily.items()}
    changed["volume"] = np.rint(changed["volume"])
    return replace(market, daily=changed)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Two runs at once: one undisturbed, one whose future is another and whose worker is killed in the middle.

    Made once, also when several processes share the tests: who comes second waits and reads.
    """
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder = shared / "runs"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        results = folder / "results.json"
        if not results.exists():
            results.write_text(json.dumps(_run_both(folder)))
    return {name: (folder / name, result) for name, result in json.loads(results.read_text()).items()}


def _run_both(folder: Path) -> dict[str, dict[str, Any]]:
    universe = Market.load().most_traded(N_SYMBOLS)
    write_universe(universe, folder / "calm.parquet")
    write_universe(_with_another_future(universe), folder / "disturbed.parquet")
    started = {
        name: _start(
            *("demo", "--exit", "--json", "--export", str(folder / name)),
            REPLAY__UNIVERSE=str(folder / f"{name}.parquet"),
            SCAN__EVERY_MIN="10",
        )
        for name in ("calm", "disturbed")
    }
    _read_until(started["disturbed"], "replaying")
    workers = [pid for pid, command in _children(started["disturbed"].pid).items() if " process " in command]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    outputs = {name: _finish(process) for name, process in started.items()}
    assert workers, outputs["disturbed"]
    assert {process.returncode for process in started.values()} == {0}, outputs
    return {name: json.loads(out.splitlines()[-1]) for name, (out, _) in outputs.items()}


def test_a_run_polls_scans_signals_and_fills_without_error(runs: Runs) -> None:
    _, result = runs["calm"]
    assert (result["symbols"], result["traded"], result["errors"]) == (N_SYMBOLS, N_SYMBOLS - 1, 0)  # BNI is no more
    assert result["polls"] == 390
    assert result["bars"] > result["ticks"] > 380 * (N_SYMBOLS - 1)
    assert min(result[key] for key in ("requests", "candidates", "signals", "orders", "fills", "equity")) > 0
    assert result["dossiers"] >= 8
    assert result["llm_calls"] >= 7 * result["dossiers"]
    assert result["degraded"] == []


@pytest.mark.parametrize("name", EXPORTS)
def test_same_seed_same_bytes_though_a_worker_was_killed_and_the_future_is_another(runs: Runs, name: str) -> None:
    calm, disturbed = (runs[run][0] / name for run in ("calm", "disturbed"))
    assert calm.read_bytes() == disturbed.read_bytes()


def test_dead_talk_dead_press_and_a_dead_model_are_said_and_the_day_goes_on(tmp_path: Path) -> None:
    dead = [
        f'[[fault]]\nkind = "status"\nprobability = 1.0\nfamily = "{family}"' for family in ("reddit", "news", "chat")
    ]
    (tmp_path / "dead.toml").write_text("\n".join(dead))
    code, out, err = _run(
        *("demo", "--exit", "--json", "--export", str(tmp_path / "out")),
        REPLAY__DAY=SHORT_DAY,
        REPLAY__SYMBOLS="16",
        REPLAY__FAULTS=str(tmp_path / "dead.toml"),
        SCAN__EVERY_MIN="60",
    )
    assert code == 0, err
    result = json.loads(out.splitlines()[-1])
    said = " ".join(result["degraded"])
    assert all(word in said for word in ("reddit", "google.news", "language model")), said
    assert (result["polls"], result["traded"]) == (210, 16)
    assert result["errors"] > 0
    dossiers = [json.loads(line)["dossier"] for line in (tmp_path / "out" / "dossiers.jsonl").read_text().splitlines()]
    assert len(dossiers) == result["dossiers"] >= 5
    assert {dossier["model"] for dossier in dossiers} == {""}
    assert all(any("google.news" in gap for gap in dossier["degraded"]) for dossier in dossiers)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A node in the middle of its day, held to a pace that leaves time to look at it."""
    home = tmp_path / "home"
    node = _start("demo", "--home", str(home), REPLAY__SYMBOLS="8", REPLAY__SPEED="60")
    try:
        _read_until(node, "replaying")
        yield node, home
    finally:
        node.kill()
        _finish(node)


def test_a_second_node_is_refused_and_kill_9_of_the_first_leaves_no_child(
    running: tuple[subprocess.Popen[str], Path],
) -> None:
    node, home = running
    code, _, err = _run("demo", "--exit", "--home", str(home))
    assert (code, err.count("\n")) == (2, 1)
    assert f"another node (process {node.pid}) runs in {home}" in err
    code, out, err = _run("status", "--json", HOME=str(home))
    assert code == 0, err
    assert json.loads(out)["node"]["pid"] == node.pid
    children = _children(node.pid)
    assert {
        word for command in children.values() for word in ("valkey", "tapeline.sim", " process ") if word in command
    }
    assert len(children) >= 6  # three children, a guard for each
    node.send_signal(signal.SIGKILL)
    assert _all_end([node.pid, *children])
    assert Home(home).read_note() is not None  # what a killed node leaves
    code, _, err = _run("status", HOME=str(home))
    assert code != 0


def test_ctrl_c_ends_the_node_and_every_child(running: tuple[subprocess.Popen[str], Path]) -> None:
    node, home = running
    children = _children(node.pid)
    node.send_signal(signal.SIGINT)
    _, err = _finish(node)
    assert (node.returncode, err.splitlines()[-1]) == (130, "tapeline: stopped")
    assert _all_end(list(children))
    assert Home(home).read_note() is None


def _sentence(err: str) -> str:
    """Return the one line that a person is told; nothing else may stand there but what had started before."""
    lines = [line for line in err.splitlines() if line.startswith("tapeline: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err, err
    return lines[0]


def test_an_unknown_key_is_refused_with_the_nearest_name() -> None:
    code, _, err = _run("demo", "--exit", SCAN__TOPP="3")
    assert (code, _sentence(err)) == (
        2,
        "tapeline: unknown key `scan.topp` in the environment (TAPELINE_SCAN__TOPP): did you mean `top`?",
    )


def test_an_unreadable_universe_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "universe.parquet"
    path.write_bytes(b"PAR1 this is no table PAR1")
    code, _, err = _run("demo", "--exit", REPLAY__UNIVERSE=str(path))
    assert code == 2
    assert str(path) in _sentence(err)


def test_a_day_without_a_session_is_refused() -> None:
    code, _, err = _run("demo", "--exit", REPLAY__DAY="2010-05-08")
    assert code == 2
    assert "2010-05-08" in _sentence(err)


def test_a_port_in_use_is_refused_by_demo_and_simulator() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for setting in ("REPLAY__PORT", "WEB__PORT"):
            code, _, err = _run("demo", "--exit", **{setting: port})
            assert (code, "taken" in _sentence(err)) == (2, True), setting
        code, _, err = _run("sim", "--port", port)
        assert (code, port in err, err.count("\n")) == (2, True, 1)


def test_a_corrupt_store_is_kept_aside_and_never_overwritten(tmp_path: Path) -> None:
    damaged = b"not a database" * 1000
    (tmp_path / "journal.duckdb").write_bytes(damaged)
    code, _, err = _run("demo", "--exit", "--home", str(tmp_path))
    assert code == 2
    kept = [path for path in tmp_path.glob("journal.duckdb*") if path.read_bytes() == damaged]
    assert len(kept) == 1
    assert kept[0].name in _sentence(err)


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    """A disk of a few megabytes, in a mount namespace of its own, where the machine allows one."""
    mount = f"mount -t tmpfs -o size=3m none {tmp_path}"
    namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if subprocess.run([*namespace, mount], capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine allows no mount namespace of one's own")
    process = subprocess.Popen(
        [*namespace, f'{mount} && exec "$@"', "sh", *TAPELINE, "demo", "--exit", "--home", str(tmp_path / "home")],
        env=_environ(REPLAY__SYMBOLS="60"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _, err = _finish(process)
    assert process.returncode == 2, err
    assert re.search("disk is full|No space left on device", _sentence(err))


def test_the_live_market_without_a_key_says_which_variables_to_set(tmp_path: Path) -> None:
    code, _, err = _run("run", HOME=str(tmp_path))
    assert code == 2
    assert "APCA_API_KEY_ID" in _sentence(err)
