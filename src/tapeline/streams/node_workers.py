"""The worker processes of a node: as many as its settings say, watched, started again.

In: settings, a home, the server's address.  Out: running children, each with a port of its own for Prometheus.
Refuses to go on when a worker that it starts again keeps ending, or says what the person has to mend.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import anyio
import anyio.to_thread

from tapeline.core.config import Config
from tapeline.core.errors import BadInput, ProcessDied
from tapeline.core.home import Home
from tapeline.core.process import Child, spawn
from tapeline.streams.watch import METRICS_PORT, metrics_ports
from tapeline.streams.worker import worker_count

MAX_DEATHS = 5
"""Workers that may die within a minute before the node gives up."""
WATCH_EVERY_S = 0.5
"""Real seconds between two looks at the children."""


class Workers:
    """The worker processes of a node; one that dies is started again."""

    def __init__(self, config: Config, home: Home, address: str) -> None:
        self._home = home
        # A configured address may hold a password, which has no place on a command line: it is in the settings file.
        self._address = [] if config.streams.redis_url else ["--address", address]
        self._drain_s = config.node.drain_s
        self._deaths_s: list[float] = []
        n = worker_count(config.streams.workers, least=config.streams.min_workers)
        self._ports = metrics_ports(config.streams, n)
        self.children = [self._start(number) for number in range(n)]

    def _start(self, number: int) -> Child:
        name = f"worker-{number}"
        argv = [sys.executable, "-m", "tapeline.cli", "process", "--workers", "1", *self._address, "--name", name]
        argv += ["--config", str(self._home.settings_path), "--marks", str(self._home.marks_path)]
        environ = {**os.environ, METRICS_PORT: str(self._ports[number])} if self._ports else None
        return spawn(argv, name=name, log_path=self._home.log_path(name), env=environ, drain_s=self._drain_s)

    async def watch(self, say: Callable[[str], None]) -> None:
        """Start again whoever ends, until cancelled.

        Not when the disk is full, when the worker says what the person has to mend, or when starting again helps
        nobody: ``MAX_DEATHS`` within a minute.
        """
        while True:
            await anyio.sleep(WATCH_EVERY_S)
            for number, child in enumerate(self.children):
                if child.poll() is not None:
                    self._home.check_space()
                    if child.poll() == BadInput.exit_code:
                        raise BadInput(child.last_words().removeprefix("tapeline: "))
                    now_s = anyio.current_time()
                    self._deaths_s = [*(died_s for died_s in self._deaths_s if now_s - died_s < 60.0), now_s]
                    if len(self._deaths_s) > MAX_DEATHS:
                        raise ProcessDied(f"{child.name} keeps ending, code {child.poll()}: {child.last_words()}")
                    say(f"{child.name} ended with code {child.poll()} and is started again: {child.last_words()}")
                    await anyio.to_thread.run_sync(child.terminate)
                    self.children[number] = self._start(number)

    def terminate(self) -> None:
        """End all of them."""
        for child in self.children:
            child.terminate()
