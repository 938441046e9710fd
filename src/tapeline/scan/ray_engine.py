"""A scan's work on a Ray cluster: actors that hold models and a part of the panel.

The one module that knows Ray. Each actor is given its part of the panel once and new bars as they come, and computes
the columns of its symbols; models are loaded once per fold; features of a scan go through the object store, and an
actor reads only its rows. A worker that is lost is replaced, given its part again, and asked again.
Refuses to lose rows: what cannot be computed anywhere raises. Refuses workers whose code or processor would give other
bits than ours. What Ray has to say goes to standard error while it runs: standard output is the caller's.
"""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stdout
from itertools import pairwise
from types import TracebackType
from typing import Any

import numpy as np

from tapeline.core.errors import BadInput, Unavailable
from tapeline.core.types import F64, BarFrame
from tapeline.grid import Applied, BarGrid
from tapeline.kernels.columns import code_digest
from tapeline.ml.features import CONTRACT, F32, read_columns
from tapeline.ml.fold_file import FoldFile, Models, to_models
from tapeline.scan.reading import LocalColumns

RETRIES = 2
"""Times that a lost worker's part is asked again."""
ANSWER_S = 5.0
"""Seconds within which a cluster's address takes a connection."""


class Shard:
    """What an actor does: the columns of its part of a panel, and predictions of rows of a shared matrix."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str], Models] = {}
        self._part = LocalColumns(BarGrid.empty((), 2))

    def code(self) -> tuple[str, float]:
        """Return what this worker's bits follow from (see ``code_digest``), and no time."""
        return code_digest(), 0.0

    def hold(self, part: BarGrid) -> None:
        """Take a part of the panel, instead of the one before."""
        self._part = LocalColumns(part)

    def apply(self, frame: BarFrame) -> None:
        """Take new bars of the part in."""
        self._part.apply(frame)

    def adjust(self, symbol: str, ex_ns: int, ratio: float) -> None:
        """Apply a corporate action to a symbol of the part."""
        self._part.adjust(symbol, ex_ns, ratio)

    def columns(self) -> tuple[tuple[F64, int], float]:
        """Return float64 (n_columns, n) of the part, how many symbols were computed, and the seconds it took."""
        started = time.perf_counter()
        found = self._part.columns()
        matrix = np.stack([found[name] for name in CONTRACT.columns])
        return (matrix, self._part.recomputed), time.perf_counter() - started

    def read(self, part: BarGrid, names: Sequence[str], n_rows: int) -> tuple[F64, float]:
        """Return columns of a grid that is not held, float64 (n_names, n), and the seconds it took."""
        started = time.perf_counter()
        found = read_columns(part, names, n_rows)
        return np.stack([found[name] for name in names]), time.perf_counter() - started

    def predict(self, file: FoldFile, target: str, features: F32, low: int, high: int) -> tuple[F64, float]:
        """Return the values of the rows ``low`` to ``high``, and the seconds it took."""
        started = time.perf_counter()
        key = (file.digest, str(file.trained_until))
        if key not in self._models:
            self._models[key] = to_models(file)
        return self._models[key].predict(target, np.asarray(features[low:high])), time.perf_counter() - started


class RayEngine:
    """Actors on a cluster, or on this machine.

    Parameters
    ----------
    address
        Of a running cluster; "" starts one here, which takes seconds.
    workers
        How many actors.
    """

    name = "ray"

    def __init__(self, address: str = "", workers: int = 2) -> None:
        self._address, self.workers = address, workers
        self.lives = [0] * workers
        """How often each worker has been started: what one held is lost with its life."""
        self._busy_s = [0.0] * workers
        self._wall_s = 0.0
        self._start_s = 0.0
        self._actors: list[Any] = []
        self._put: dict[int, tuple[Any, Any]] = {}
        self._until_exit = ExitStack()

    def __enter__(self) -> RayEngine:
        import ray

        started = time.perf_counter()
        _check_answers(self._address)
        where: dict[str, Any] = {"address": self._address} if self._address else {"num_cpus": self.workers}
        with ExitStack() as stack:  # what has been started ends with whatever goes wrong below
            stack.enter_context(redirect_stdout(sys.stderr))  # Ray prints the loss of a worker whatever one asks of it
            ray.init(**where, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            stack.callback(ray.shutdown)
            self._actors = [None] * self.workers
            for i in range(self.workers):
                self._start(i)
            if {*self.gather(lambda _, actor: actor.code.remote())} != {code_digest()}:
                raise BadInput(
                    "the cluster's workers run another version of the code, or another kind of processor, and would "
                    "give other last digits: install the same version there, or scan with `--engine local`"
                )
            self._until_exit = stack.pop_all()
        self._wall_s = 0.0
        self._start_s = time.perf_counter() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._put.clear()
        self._until_exit.close()

    def predict(self, models: Models, target: str, features: F32) -> F64:
        """Return one value a row; rows are shared out evenly."""
        file, matrix, edges = self._shared(models.file), self._shared(features), self.edges(len(features))
        return np.concatenate(
            self.gather(lambda i, actor: actor.predict.remote(file, target, matrix, edges[i], edges[i + 1]))
        )

    def read(self, grid: BarGrid, names: Sequence[str], n_rows: int) -> dict[str, F64]:
        """Return what ``read_columns`` returns; symbols are shared out evenly, and their bars travel with the call."""
        wanted, parts = tuple(names), [self._shared(part) for part in self.parts(grid)]
        found = self.gather(lambda i, actor: actor.read.remote(parts[i], wanted, n_rows))
        return dict(zip(wanted, np.concatenate(found, axis=1), strict=True))

    def columns(self, grid: BarGrid) -> RayColumns:
        """Return the columns of a grid that goes on, each actor holding its part."""
        return RayColumns(self, grid)

    def report(self) -> dict[str, Any]:
        """Return start-up and time in seconds, how busy each worker was, and how often one was replaced."""
        busy = [round(100.0 * each / self._wall_s, 1) if self._wall_s else 0.0 for each in self._busy_s]
        return {
            "ray_start_s": round(self._start_s, 2),
            "ray_predict_s": round(self._wall_s, 3),
            "ray_worker_busy_pct": busy,
            "ray_retried": sum(self.lives) - self.workers,
        }

    def edges(self, n: int) -> list[int]:
        """Return where each worker's share of ``n`` rows or symbols begins, and the end."""
        return [n * i // self.workers for i in range(self.workers + 1)]

    def parts(self, grid: BarGrid) -> list[BarGrid]:
        """Return each worker's symbols as a grid of their own, in which they have the same bits."""
        edges = self.edges(len(grid.symbols))
        return [grid.with_symbols(grid.symbols[low:high]) for low, high in pairwise(edges)]

    def tell(self, i: int, method: str, *arguments: Any) -> Any:
        """Send something to a worker without waiting; it is done before what is asked next. Returns its reference."""
        return getattr(self._actors[i], method).remote(*arguments)

    def settle(self, references: Sequence[Any]) -> None:
        """Wait for what was told, and raise what went wrong in it."""
        import ray

        ray.get(list(references))

    def gather(self, ask: Callable[[int, Any], Any]) -> list[Any]:
        """Return what each worker answers to ``ask(i, actor)``; of a lost one, what the next in its place does.

        Answers are (value, seconds of work).
        """
        import ray

        started = time.perf_counter()
        asked = [ask(i, actor) for i, actor in enumerate(self._actors)]
        found = []
        for i, reference in enumerate(asked):
            for attempt in range(RETRIES + 1):
                try:
                    value, busy_s = ray.get(reference)
                    break
                except ray.exceptions.RayActorError as error:
                    if attempt == RETRIES:
                        lost = str(error).splitlines()[0] if str(error) else "killed"
                        raise Unavailable(
                            f"a Ray worker was lost {RETRIES + 1} times ({lost}): see why on its machine, or scan with "
                            "`--engine local`"
                        ) from None
                    self._start(i)
                    reference = ask(i, self._actors[i])
            self._busy_s[i] += busy_s
            found.append(value)
        self._wall_s += time.perf_counter() - started
        return found

    def _start(self, i: int) -> None:
        import ray

        self._actors[i] = ray.remote(num_cpus=1)(Shard).remote()
        self.lives[i] += 1

    def _shared(self, value: Any) -> Any:
        """Return a reference to ``value`` in the object store; the last few values are kept there."""
        import ray

        if id(value) not in self._put or self._put[id(value)][0] is not value:
            if len(self._put) > 4 + self.workers:
                self._put.clear()
            self._put[id(value)] = (value, ray.put(value))
        return self._put[id(value)][1]


class RayColumns:
    """``GoingColumns`` whose columns are computed by actors, each of which holds its part of the panel.

    Parameters
    ----------
    engine
        The actors.
    grid
        Daily bars; owned by this from now on. It is what a new worker is given its part of.
    """

    def __init__(self, engine: RayEngine, grid: BarGrid) -> None:
        grid.track(CONTRACT.indicators)
        self.grid = grid
        self.recomputed = 0
        self._engine = engine
        self._edges = engine.edges(len(grid.symbols))
        self._held = [0] * engine.workers
        """The life in which each worker was given its part; 0 when it has to be given (again)."""
        self._told: list[list[Any]] = [[] for _ in range(engine.workers)]

    def apply(self, frame: BarFrame) -> Applied:
        """See ``GoingColumns``. Each worker is sent the bars of its symbols, and nothing else."""
        done = self.grid.apply(frame)
        columns = self.grid.universe.columns(frame.symbols)
        events = set(frame.event_ns[columns >= 0].tolist())
        for i, (low, high) in enumerate(pairwise(self._edges)):
            rows = np.flatnonzero((columns >= low) & (columns < high))
            if done.rows and set(frame.event_ns[rows].tolist()) != events:
                self._held[i] = 0  # a row begins in which none of its symbols traded, and it has to have that row too
            elif rows.size:
                self._tell(i, "apply", frame.take(rows))
        return done

    def adjust(self, symbol: str, ex_ns: int, ratio: float) -> int:
        """See ``GoingColumns``."""
        owner = int(np.searchsorted(self._edges, self.grid.column(symbol), side="right")) - 1
        self._tell(owner, "adjust", symbol, ex_ns, ratio)
        return self.grid.adjust(symbol, ex_ns, ratio)

    def columns(self) -> dict[str, F64]:
        """See ``GoingColumns``."""
        found = self._engine.gather(self._ask)
        for references in self._told:
            self._engine.settle(references)  # done by now: what went wrong is raised
            references.clear()
        self.recomputed = sum(recomputed for _, recomputed in found)
        return dict(zip(CONTRACT.columns, np.concatenate([part for part, _ in found], axis=1), strict=True))

    def _ask(self, i: int, actor: Any) -> Any:
        """Ask a worker for its columns; one that holds no part, or another life's, is given it first."""
        if self._held[i] != self._engine.lives[i]:
            symbols = self.grid.symbols[self._edges[i] : self._edges[i + 1]]
            self._told[i] = [actor.hold.remote(self.grid.with_symbols(symbols))]
            self._held[i] = self._engine.lives[i]
        return actor.columns.remote()

    def _tell(self, i: int, method: str, *arguments: Any) -> None:
        if self._held[i] == self._engine.lives[i]:  # else it is given everything before it is asked
            self._told[i].append(self._engine.tell(i, method, *arguments))


def _check_answers(address: str) -> None:
    """Raise BadInput when nobody listens at ``[ray://]host:port``; Ray itself would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return  # "auto" and the like: Ray finds it, or says so
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise BadInput(f"no Ray cluster answers at {address}: {error}") from None
