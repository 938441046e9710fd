"""A pool of worker processes for any stream server, as a library call.

In: the address of a server.  Out: running workers that own its lanes; they end with this process, or when told to.
Refuses to go on when a worker that it starts again keeps ending.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tapeline.core.errors import BadInput, ProcessDied
from tapeline.core.process import Child, spawn
from tapeline.streams.worker import worker_count

DEFAULT_URL = "redis://localhost:6379/1"
MAX_DEATHS = 5
"""Workers that may die within a minute before the pool gives up."""
_LOOK_EVERY_S = 0.5


class StreamProcessor:
    """Running workers. A context manager; made by ``start_stream_processor``."""

    def __init__(self, n: int, environ: Mapping[str, str], config: Path | None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tapeline-workers-")
        self._environ, self._config = dict(environ), config
        self._deaths_s: list[float] = []
        self.workers: list[Child] = []
        try:
            self.workers += [self._start(number) for number in range(n)]
        except BaseException:
            self.stop()
            raise

    def _start(self, number: int) -> Child:
        name = f"worker-{number}"
        argv = [sys.executable, "-m", "tapeline.cli", "process", "--name", name]
        argv += ["--config", str(self._config)] if self._config is not None else []
        return spawn(argv, name=name, log_path=Path(self._folder.name) / f"{name}.log", env=self._environ)

    def check(self) -> None:
        """Start again every worker that has ended.

        Raises
        ------
        BadInput
            When it said what the person has to mend.
        ProcessDied
            When workers keep ending.
        """
        for number, child in enumerate(self.workers):
            code = child.poll()
            if code is None:
                continue
            if code == BadInput.exit_code:
                raise BadInput(child.last_words().removeprefix("tapeline: "))
            now_s = time.monotonic()
            self._deaths_s = [*(died_s for died_s in self._deaths_s if now_s - died_s < 60.0), now_s]
            if len(self._deaths_s) > MAX_DEATHS:
                raise ProcessDied(f"{child.name} keeps ending, code {code}: {child.last_words()}")
            child.terminate()
            self.workers[number] = self._start(number)

    def wait(self) -> None:
        """Stay until interrupted, starting again whoever ends; raises as ``check`` does."""
        while True:
            self.check()
            time.sleep(_LOOK_EVERY_S)

    def stop(self) -> None:
        """End every worker: what it has in hand is applied and saved."""
        for child in self.workers:
            child.terminate()
        self._folder.cleanup()

    def __enter__(self) -> StreamProcessor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_stream_processor(
    redis_url: str = DEFAULT_URL,
    num_workers: int | None = None,
    batch_size: int | None = None,
    *,
    config: Path | None = None,
) -> StreamProcessor:
    """Start workers on a stream server; they take ``ticks:intraday:processed`` from there on.

    Parameters
    ----------
    redis_url
        Any Redis >= 7 or Valkey.
    num_workers
        Processes; 70 % of the cores, at least 1 and at most 8, when not said.
    batch_size
        Entries read at once; as configured, 50 by default, when not said.
    config
        A file of settings.

    Examples
    --------
    >>> with start_stream_processor("redis://localhost:6379/1", num_workers=7) as running:  # doctest: +SKIP
    ...     running.wait()
    """
    # The address may hold a password, which has no place on a command line.
    environ = {**os.environ, "TAPELINE_STREAMS__REDIS_URL": redis_url}
    if batch_size is not None:
        environ["TAPELINE_STREAMS__BATCH_SIZE"] = str(batch_size)
    return StreamProcessor(num_workers or worker_count(0), environ, config)
