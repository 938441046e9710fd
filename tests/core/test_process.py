"""Children end with us, whatever ends us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tapeline.core.errors import ProcessDied
from tapeline.core.process import spawn

pytestmark = pytest.mark.process


def _ended(pid: int, timeout_s: float = 10.0) -> bool:
    """Wait for a process that is not our child to end, by its pidfd: no polling, no sleep."""
    import select

    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watch], [], [], timeout_s)[0])
    finally:
        os.close(watch)


def test_a_child_is_stopped_at_the_end_of_the_block() -> None:
    with spawn(["sh", "-c", "echo $$; exec sleep 1000"], name="sleeper", pipe_stdout=True) as child:
        pid = int(child.read_line(10))
        assert child.poll() is None
    assert _ended(pid)


def test_a_child_that_ignores_the_request_is_killed_after_the_drain() -> None:
    script = "trap '' TERM; echo $$; while :; do sleep 1; done"
    with spawn(["sh", "-c", script], name="stubborn", pipe_stdout=True, drain_s=0.2) as child:
        pid = int(child.read_line(10))
    assert _ended(pid)


def test_kill_9_of_the_parent_takes_child_and_grandchild_along(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom tapeline.core.process import spawn\n"
        "child = spawn(['sh', '-c', 'sleep 1000 & echo $$ $!; wait'], name='tree', pipe_stdout=True)\n"
        "print(child.read_line(10).decode(), flush=True)\nsys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdin is not None
    with parent.stdout, parent.stdin:
        pids = [int(text) for text in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert all(_ended(pid) for pid in pids)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells the child")
def test_kill_9_of_the_guard_ends_the_child_too() -> None:
    with spawn(["sh", "-c", "echo $$; exec sleep 1000"], name="sleeper", pipe_stdout=True) as child:
        pid = int(child.read_line(10))
        os.kill(child.pid, signal.SIGKILL)
        assert _ended(pid)


def test_a_child_that_ends_early_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    argv = ["sh", "-c", "echo no such market >&2; exit 3"]
    with (
        spawn(argv, name="the simulator", log_path=log, pipe_stdout=True) as child,
        pytest.raises(ProcessDied, match="the simulator ended with code 3: no such market"),
    ):
        child.read_line(10)
    assert child.poll() == 3


def test_a_command_that_does_not_exist_is_an_error() -> None:
    with (
        spawn(["/no/such/program"], name="nothing", pipe_stdout=True) as child,
        pytest.raises(ProcessDied, match="ended with code 127"),
    ):
        child.read_line(10)


def test_a_silent_child_is_an_error_after_the_time_out() -> None:
    with (
        spawn(["sleep", "1000"], name="mute", pipe_stdout=True) as child,
        pytest.raises(ProcessDied, match="said nothing"),
    ):
        child.read_line(0.05)
