"""Models on a Ray cluster: rows of features out to actors, values back in the same order.

The one module that knows Ray. Each actor holds the models, loaded once per fold; features go through the object store
once per scan, and an actor reads only its rows. A worker that is lost is replaced and its rows are asked again.
Refuses to lose rows: what cannot be computed anywhere raises.
"""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Any

import numpy as np

from tapeline.core.errors import Unavailable
from tapeline.core.types import F64
from tapeline.ml.features import F32
from tapeline.ml.fold_file import FoldFile, Models, to_models

RETRIES = 2
"""Times that rows of a lost worker are asked again."""


class Shard:
    """What an actor does: predict rows of a shared matrix."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str], Models] = {}

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
        self._address, self._n = address, workers
        self._busy_s = [0.0] * workers
        self._wall_s = 0.0
        self._start_s = 0.0
        self._retried = 0
        self._actors: list[Any] = []
        self._put: dict[int, tuple[Any, Any]] = {}

    def __enter__(self) -> RayEngine:
        import ray

        started = time.perf_counter()
        where: dict[str, Any] = {"address": self._address} if self._address else {"num_cpus": self._n}
        ray.init(**where, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        self._actors = [self._start() for _ in range(self._n)]
        self._start_s = time.perf_counter() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        self._put.clear()
        ray.shutdown()

    def predict(self, models: Models, target: str, features: F32) -> F64:
        """Return one value a row; rows are shared out evenly."""
        import ray

        started = time.perf_counter()
        file, matrix = self._shared(models.file), self._shared(features)
        edges = [len(features) * i // self._n for i in range(self._n + 1)]
        asked = [self._ask(i, file, target, matrix, edges) for i in range(self._n)]
        parts = []
        for i, reference in enumerate(asked):
            for attempt in range(RETRIES + 1):
                try:
                    values, busy_s = ray.get(reference)
                    break
                except ray.exceptions.ActorDiedError as error:
                    if attempt == RETRIES:
                        raise Unavailable(f"a Ray worker was lost {RETRIES + 1} times: {error}") from None
                    self._actors[i] = self._start()
                    self._retried += 1
                    reference = self._ask(i, file, target, matrix, edges)
            self._busy_s[i] += busy_s
            parts.append(values)
        self._wall_s += time.perf_counter() - started
        return np.concatenate(parts)

    def report(self) -> dict[str, Any]:
        """Return start-up and time in seconds, how busy each worker was, and how often one was replaced."""
        busy = [round(100.0 * each / self._wall_s, 1) if self._wall_s else 0.0 for each in self._busy_s]
        return {
            "ray_start_s": round(self._start_s, 2),
            "ray_predict_s": round(self._wall_s, 3),
            "ray_worker_busy_pct": busy,
            "ray_retried": self._retried,
        }

    def _start(self) -> Any:
        import ray

        return ray.remote(num_cpus=1)(Shard).remote()

    def _ask(self, i: int, file: Any, target: str, matrix: Any, edges: list[int]) -> Any:
        return self._actors[i].predict.remote(file, target, matrix, edges[i], edges[i + 1])

    def _shared(self, value: Any) -> Any:
        """Return a reference to ``value`` in the object store; the last few values are kept there."""
        import ray

        if id(value) not in self._put or self._put[id(value)][0] is not value:
            if len(self._put) > 4:
                self._put.clear()
            self._put[id(value)] = (value, ray.put(value))
        return self._put[id(value)][1]
