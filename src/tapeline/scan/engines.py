"""Where a scan's columns are computed and its models asked: in this process, or on a Ray cluster.

In: the name of an engine.  Out: something that reads and predicts; the same bits whichever it is.
Refuses an engine that is not installed, with what to install. Not named, it is chosen by what is faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from tapeline.core.errors import BadInput
from tapeline.core.types import F64
from tapeline.grid import BarGrid
from tapeline.ml.features import F32, read_columns
from tapeline.ml.fold_file import Models
from tapeline.ml.forecast import predict_here
from tapeline.scan.reading import GoingColumns, LocalColumns

ENGINES = ("local", "ray")
RAY_PAYS_FROM = 300_000
"""Symbols from which a running cluster is expected to be faster than this machine; projected, see docs/scan.md."""


class Engine(Protocol):
    """Computes columns of symbols, and asks models about rows of features."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def predict(self, models: Models, target: str, features: F32) -> F64:
        """Return one value a row, as ``Models.predict`` does."""
        ...

    def read(self, grid: BarGrid, names: Sequence[str], n_rows: int) -> dict[str, F64]:
        """Return columns of the row that is the newest of ``n_rows``, as ``read_columns`` does."""
        ...

    def columns(self, grid: BarGrid) -> GoingColumns:
        """Return the columns of a grid that goes on."""
        ...

    def report(self) -> dict[str, Any]:
        """Return what a person may want to know of it: workers, start-up, how busy they were."""
        ...


class LocalEngine:
    """This process, on all its compute threads."""

    name = "local"

    def predict(self, models: Models, target: str, features: F32) -> F64:
        """Return one value a row."""
        return predict_here(models, target, features)

    def read(self, grid: BarGrid, names: Sequence[str], n_rows: int) -> dict[str, F64]:
        """Return columns of one row."""
        return read_columns(grid, names, n_rows)

    def columns(self, grid: BarGrid) -> GoingColumns:
        """Return the columns of a grid that goes on."""
        return LocalColumns(grid)

    def report(self) -> dict[str, Any]:
        """Return nothing: there is nothing to start or to watch."""
        return {}


def faster_engine(address: str, n_symbols: int) -> str:
    """Return the name of the engine that is faster: a cluster has to run already, and to have enough to do."""
    return "ray" if address and n_symbols >= RAY_PAYS_FROM else "local"


@contextmanager
def open_engine(name: str, address: str = "", *, workers: int = 2, n_symbols: int = 0) -> Iterator[Engine]:
    """Give the engine of a name, and end what it started afterwards.

    Parameters
    ----------
    name
        ``local`` or ``ray``; "" for the faster one, see ``faster_engine``.
    address
        Of a running Ray cluster; "" starts one on this machine.
    workers
        Actors of a Ray engine.
    n_symbols
        How many it will be asked about; only read to choose.
    """
    name = name or faster_engine(address, n_symbols)
    if name not in ENGINES:
        raise BadInput(f"engine is {name!r}: choose {' or '.join(ENGINES)}")
    if name == "local":
        yield LocalEngine()
        return
    try:
        import ray  # noqa: F401 - asked for here, so that a missing extra is one sentence
    except ImportError:
        raise BadInput("the ray engine needs the extra: pip install 'tapeline[ray]'") from None
    from tapeline.scan.ray_engine import RayEngine

    with RayEngine(address, workers) as engine:
        yield engine
