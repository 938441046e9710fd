"""Stands between a parent and its child, and outlives neither.

Run as ``python -I -S guard.py DRAIN_S -- ARGV...`` with a pipe from the parent as standard input. When the pipe closes
(the parent ended, also by ``kill -9``) or a SIGTERM comes, the child gets a SIGTERM, and a SIGKILL ``DRAIN_S`` seconds
later. When the child ends first, the guard ends with its exit code. When the guard itself is killed, the kernel (of
Linux; nobody elsewhere) sends the child the SIGTERM. Imports the standard library only, so that it starts in
milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
"""From the kernel's <linux/prctl.h>: the signal that a process gets when its parent ends."""


def main(argv: list[str]) -> int:
    """Run the child until it, its parent or its time ends; return its exit code."""
    drain_s, command = float(argv[0]), argv[2:]
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_tie_to_us(),  # noqa: PLW1509  # no thread runs here, so the child inherits no taken lock
        )
    except OSError as error:
        print(f"cannot start {command[0]}: {error.strerror}", file=sys.stderr)
        return 127
    stopping = False
    while child.poll() is None:
        watched = [wake_read] if stopping else [wake_read, 0]
        ready, _, _ = select.select(watched, [], [], drain_s if stopping else None)
        if stopping and not ready:
            _signal_group(child.pid, signal.SIGKILL)
        woken = os.read(wake_read, 4096) if wake_read in ready else b""
        asked_to_stop = any(number in woken for number in (signal.SIGTERM, signal.SIGINT))
        parent_gone = 0 in ready and not os.read(0, 4096)
        if not stopping and (asked_to_stop or parent_gone):
            stopping = True
            _signal_group(child.pid, signal.SIGTERM)
    _signal_group(child.pid, signal.SIGKILL)  # whatever the child itself has left behind
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _tie_to_us() -> Callable[[], None] | None:
    """Return what a child calls before it begins, so that it gets a SIGTERM when this process is killed."""
    if sys.platform != "linux":
        return None
    prctl, us = ctypes.CDLL(None).prctl, os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != us:  # killed in between
            os._exit(1)

    return tie


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
