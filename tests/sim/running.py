"""A real simulator of the flash crash, as a process of its own, for the tests of whoever asks one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tapeline.core.process import spawn

ARGV = (sys.executable, "-m", "tapeline.sim", "--port", "0", "--day", "2010-05-06", "--seed", "7")


@contextmanager
def running_simulator(symbols: int, *more: str) -> Iterator[str]:
    """Run a fresh simulator of that many stocks; yield its address."""
    with spawn([*ARGV, "--symbols", str(symbols), *more], name="the simulator", pipe_stdout=True) as child:
        yield json.loads(child.read_line(60.0))["url"]
