"""Children that cannot outlive us.

In: a command.  Out: a ``Child`` under a guard (``guard.py``) that watches a pipe from this process, so the child is
gone after any end of ours, ``kill -9`` included. Spawned, never forked: no thread or lock of ours travels along.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

from tapeline.core.errors import ProcessDied

_GUARD = Path(__file__).with_name("guard.py")


@dataclass(slots=True)
class Child:
    """A running child and the guard around it.

    Attributes
    ----------
    name
        What it is, for messages.
    stdout
        Its standard output as bytes, when it was asked for.
    """

    name: str
    drain_s: float
    log_path: Path | None
    _guard: subprocess.Popen[bytes]
    stdout: IO[bytes] | None = field(default=None)

    @property
    def pid(self) -> int:
        """The guard's process id; it ends when the child does."""
        return self._guard.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._guard.poll()

    def read_line(self, timeout_s: float) -> bytes:
        """Return the next line of its standard output.

        Raises
        ------
        ProcessDied
            When it ended, or said nothing within ``timeout_s`` seconds.
        """
        if self.stdout is None:
            raise ValueError(f"{self.name} was started without a pipe for its output")
        line, deadline = b"", time.monotonic() + timeout_s
        while not line.endswith(b"\n"):
            left_s = max(0.0, deadline - time.monotonic())
            if not select.select([self.stdout], [], [], left_s)[0]:
                raise ProcessDied(f"{self.name} said nothing within {timeout_s:.0f} s; {self.last_words()}")
            byte = os.read(self.stdout.fileno(), 1)
            if not byte:
                self._guard.wait()
                raise ProcessDied(f"{self.name} ended with code {self._guard.returncode}: {self.last_words()}")
            line += byte
        return line

    def last_words(self) -> str:
        """Return the last sentence of its log, for messages: what it told a person, else its last line."""
        if self.log_path is None or not self.log_path.is_file():
            return "it keeps no log"
        lines = self.log_path.read_text(errors="replace").strip().splitlines()
        told = [line for line in lines if line.startswith("tapeline")]
        return (told or lines or [f"its log {self.log_path} is empty"])[-1]

    def terminate(self) -> int:
        """Ask it to end, wait at most ``drain_s`` and a little, and return its exit code."""
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        try:
            return self._guard.wait(timeout=self.drain_s + 2.0)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            return self._guard.wait()
        finally:
            if self.stdout is not None:
                self.stdout.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.terminate()


def spawn(
    argv: Sequence[str],
    *,
    name: str,
    log_path: Path | None = None,
    pipe_stdout: bool = False,
    env: Mapping[str, str] | None = None,
    drain_s: float = 5.0,
) -> Child:
    """Start a child that ends when this process does.

    Parameters
    ----------
    argv
        The command and its arguments.
    name
        What it is, for messages.
    log_path
        File that its standard error (and output, unless piped) is appended to; None discards them.
    pipe_stdout
        True to read its standard output through ``Child.stdout`` and ``Child.read_line``.
    env
        Its whole environment; None hands ours down.
    drain_s
        Seconds between the request to end and the kill.
    """
    log = log_path.open("ab") if log_path is not None else subprocess.DEVNULL
    try:
        guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD), str(drain_s), "--", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if pipe_stdout else log,
            stderr=log,
            env=dict(env) if env is not None else None,
            start_new_session=True,
        )
    finally:
        if not isinstance(log, int):
            log.close()
    return Child(name, drain_s, log_path, guard, guard.stdout)
