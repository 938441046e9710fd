"""A pool of worker processes for any stream server, as a library call.

In: the address of a server.  Out: running workers that own its lanes; they end with this process, or when told to.
Their logs are kept, and what they say is said here, too.
Refuses to go on when a worker that it starts again keeps ending.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType

import msgspec

from tapeline.core.config.load import load
from tapeline.core.errors import BadInput, ProcessDied
from tapeline.core.home import default_home
from tapeline.core.process import Child, spawn
from tapeline.streams.watch import METRICS_PORT, metrics_ports
from tapeline.streams.worker import worker_count

DEFAULT_URL = "redis://localhost:6379/1"
MAX_DEATHS = 5
"""Workers that may die within a minute before the pool gives up."""
MAX_SAID_BYTES = 1 << 16
"""What is passed on of one worker's log at a look; the log has all of it."""
_LOOK_EVERY_S = 0.5
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class PoolPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool is made of.

    Attributes
    ----------
    workers
        How many.
    environ
        Their environment.
    name
        What they are called in logs and leases, with a number behind it.
    config, marks
        A file of settings, and the folder of the marks; None for those of the home.
    logs
        The folder of their logs.
    metrics_ports
        Port that Prometheus asks at each; none for no Prometheus.
    """

    workers: int
    environ: Mapping[str, str]
    name: str
    config: Path | None
    marks: Path | None
    logs: Path
    metrics_ports: range


class StreamProcessor:
    """Running workers. A context manager; made by ``start_stream_processor``."""

    def __init__(self, plan: PoolPlan) -> None:
        self._plan = plan
        check_name(plan.name)
        make_folder(plan.logs, "the logs of the workers")
        if plan.marks is not None:
            make_folder(plan.marks, "the marks")
        self._deaths_s: list[float] = []
        self._said = {path: _size(path) for path in map(self.log_path, range(plan.workers))}
        self.workers: list[Child] = []
        try:
            self.workers += [self._start(number) for number in range(plan.workers)]
        except BaseException:
            self.stop()
            raise

    def log_path(self, number: int) -> Path:
        """Return where a worker's log is."""
        return self._plan.logs / f"pool-{self._plan.name}-{number}.log"

    def _start(self, number: int) -> Child:
        plan, name = self._plan, f"{self._plan.name}-{number}"
        argv = [sys.executable, "-m", "tapeline.cli", "process", "--workers", "1", "--name", name]
        argv += ["--config", str(plan.config)] if plan.config is not None else []
        argv += ["--marks", str(plan.marks)] if plan.marks is not None else []
        environ = dict(plan.environ)
        if plan.metrics_ports:
            environ[METRICS_PORT] = str(plan.metrics_ports[number])
        return spawn(argv, name=name, log_path=self.log_path(number), env=environ)

    def news(self) -> Iterator[str]:
        """Yield the lines that workers have written to their logs since the last call."""
        for child, (path, done) in zip(self.workers, list(self._said.items()), strict=False):
            begin = done if _size(path) >= done else 0  # else it was rotated
            with path.open("rb") as log:
                log.seek(begin)
                said, _, rest = log.read(MAX_SAID_BYTES).rpartition(b"\n")
            if not said and len(rest) < MAX_SAID_BYTES:
                continue  # the rest of the line is still to come
            self._said[path] = begin + len(said or rest) + bool(said)
            yield from (f"{child.name}: {line}" for line in (said or rest).decode(errors="replace").splitlines())

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

    def wait(self, say: Callable[[str], None] | None = None) -> None:
        """Stay until interrupted, starting again whoever ends; raises as ``check`` does.

        What the workers log is told line by line to ``say``; by default to standard error.
        """
        tell = say or _to_stderr
        try:
            while True:
                for line in self.news():
                    tell(line)
                self.check()
                time.sleep(_LOOK_EVERY_S)
        finally:
            for line in self.news():
                tell(line)

    def stop(self) -> None:
        """End every worker: what it has in hand is applied and saved."""
        for child in self.workers:
            child.terminate()

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
    name: str = "worker",
    marks: Path | None = None,
    logs: Path | None = None,
) -> StreamProcessor:
    """Start workers on a stream server; they take ``ticks:intraday:processed`` from there on.

    Parameters
    ----------
    redis_url
        Any Redis >= 7 or Valkey.
    num_workers
        Processes; as configured (``streams.workers``) when not said: by default 70 % of the cores, at least
        ``streams.min_workers`` and at most 8.
    batch_size
        Entries read at once; as configured, 50 by default, when not said.
    config
        A file of settings; the home's when not said.
    name
        What the workers are called in logs and leases, each with its number.
    marks
        Where it is kept how far lanes were applied; in the home when not said.
    logs
        Folder of the workers' logs, ``pool-<name>-<number>.log``; that of the home when not said.

    Raises
    ------
    BadInput
        When a number is none, the settings cannot be read, the logs or marks not be kept, or the name is none.

    Examples
    --------
    >>> with start_stream_processor("redis://localhost:6379/1", num_workers=7) as running:  # doctest: +SKIP
    ...     running.wait()
    """
    for number, what in ((num_workers, "num_workers"), (batch_size, "batch_size")):
        if number is not None and (type(number) is not int or number < 1):
            raise BadInput(f"{what} is {number!r}: give a whole number of at least 1, or leave it out")
    # The address may hold a password, which has no place on a command line.
    environ = {**os.environ, "TAPELINE_STREAMS__REDIS_URL": redis_url}
    if batch_size is not None:
        environ["TAPELINE_STREAMS__BATCH_SIZE"] = str(batch_size)
    home = default_home(environ)
    file = config or (home.config_path if home.config_path.is_file() else None)
    streams = load(file, environ).config.streams
    n = num_workers or worker_count(streams.workers, least=streams.min_workers)
    plan = PoolPlan(
        workers=n,
        environ=environ,
        name=name,
        config=config,
        marks=marks,
        logs=logs or home.log_path("").parent,
        metrics_ports=metrics_ports(streams, n),
    )
    return StreamProcessor(plan)


def check_name(name: str) -> None:
    """Refuse what workers cannot be called, since it is part of the names of files and leases."""
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name[:60]!r} is no name for workers: use 1 to 64 letters, digits, `.`, `-` and `_`")


def make_folder(folder: Path, what: str) -> None:
    """Make a folder for ``what``, for its owner only; raise ``BadInput`` when that is not possible."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{what} cannot be kept in {folder}: {error.strerror}; give a folder you may write") from None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
