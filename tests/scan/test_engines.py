"""Engines: the same bits wherever columns are computed and models asked, and a lost worker loses nothing."""

from __future__ import annotations

import builtins
import os
import signal
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ml.made import QUICK, models, trained
from tests.scan.test_incremental import HISTORY, N, frame, same
from tests.scan.test_market import CONFIG

from tapeline.core.errors import BadInput, Unavailable
from tapeline.core.types import F64
from tapeline.grid import BarGrid
from tapeline.ml.features import CONTRACT, read_columns
from tapeline.scan.engines import RAY_PAYS_FROM, faster_engine, open_engine
from tapeline.scan.incremental import Scanner, newest_frame, rows_of
from tapeline.scan.market import run_scan
from tapeline.scan.ray_engine import RayEngine, Shard

FEATURES = trained()[0].features[-1]


def test_local_engine_is_the_models_themselves() -> None:
    with open_engine("local") as engine:
        assert np.array_equal(engine.predict(models(), "up_10", FEATURES), models().predict("up_10", FEATURES))
        assert engine.report() == {}


def test_unnamed_engine_is_local_unless_a_cluster_runs_and_has_enough_to_do() -> None:
    assert faster_engine("", 10 * RAY_PAYS_FROM) == "local"
    assert faster_engine("ray://there:10001", RAY_PAYS_FROM - 1) == "local"
    assert faster_engine("ray://there:10001", RAY_PAYS_FROM) == "ray"
    with open_engine("", "ray://there:10001", n_symbols=6_000) as engine:
        assert engine.name == "local"


def test_unknown_engine_and_missing_extra_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="choose local or ray"), open_engine("spark"):
        pass
    real = builtins.__import__

    def without_ray(name: str, *rest: Any, **options: Any) -> Any:
        if name == "ray":
            raise ImportError("no ray")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(BadInput, match=r"tapeline\[ray\]"), open_engine("ray"):
        pass


def test_shards_of_rows_are_the_rows_of_the_whole() -> None:
    whole = models().predict("return_5", FEATURES)
    shard = Shard()
    parts = [shard.predict(models().file, "return_5", FEATURES, low, low + 13)[0] for low in range(0, 39, 13)]
    assert np.array_equal(np.concatenate(parts), whole[:39])


class Broken:
    """Stands where a dead actor stood."""


class HereEngine(RayEngine):
    """The engine with its actors in this process; each call is kept, and done when somebody waits for it."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers=workers)
        self._actors = [Shard() for _ in range(workers)]
        self.lives = [1] * workers
        self.sent: list[tuple[int, str, Any]] = []

    def kill(self, i: int) -> None:
        self._actors[i] = Broken()

    def tell(self, i: int, method: str, *arguments: Any) -> Any:
        self.sent.append((i, method, arguments))
        if not isinstance(self._actors[i], Broken):
            getattr(self._actors[i], method)(*arguments)

    def _shared(self, value: Any) -> Any:
        return value

    def settle(self, references: Sequence[Any]) -> None:
        assert all(reference is None for reference in references)

    def gather(self, ask: Callable[[int, Any], Any]) -> list[Any]:
        found = []
        for i in range(self.workers):
            if isinstance(self._actors[i], Broken):
                self._actors[i] = Shard()
                self.lives[i] += 1
            found.append(ask(i, _Remote(self._actors[i]))[0])
        return found


class _Remote:
    """Gives the methods of an object the ending that Ray's have."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    def __getattr__(self, name: str) -> Any:
        class Method:
            remote = getattr(self._shard, name)

        return Method


COURSE = st.lists(
    st.tuples(
        st.sampled_from(["revise", "append", "append to few", "correct", "split", "kill"]),
        st.sets(st.integers(0, N - 1), min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=15)
@given(COURSE, st.integers(1, 3))
def test_shards_of_columns_are_the_columns_of_the_whole_after_any_course_of_bars(
    course: list[tuple[str, set[int]]], workers: int
) -> None:
    engine = HereEngine(workers)
    going = engine.columns(rows_of(HISTORY.grid, slice(0, 200)))
    assert alike(going.columns(), going.grid)
    for number, (kind, picked) in enumerate(course, 1):
        cols = sorted(picked)
        if kind == "kill":
            engine.kill(cols[0] % workers)
        elif kind == "split":
            going.adjust(going.grid.symbols[cols[0]], int(going.grid.event_ns[-1]), 0.5)
        elif kind.startswith("append"):
            going.apply(frame(going.grid, list(range(N)) if kind == "append" else cols, 1.01, 0, days=1))
        else:
            going.apply(frame(going.grid, cols, 1.0 + 0.01 * number, number, row=-1 if kind == "revise" else -5))
        assert alike(going.columns(), going.grid)


def alike(columns: dict[str, F64], grid: BarGrid) -> bool:
    """Return whether columns are those of a grid that begins anew, to the bit."""
    fresh = read_columns(BarGrid.restore(grid.snapshot()), CONTRACT.columns, grid.n_bars)
    return columns.keys() == fresh.keys() and all(columns[name].tobytes() == fresh[name].tobytes() for name in fresh)


def test_only_new_bars_travel_and_only_their_symbols_are_computed() -> None:
    engine = HereEngine(2)
    going = engine.columns(rows_of(HISTORY.grid, slice(0, 200)))
    going.columns()
    assert going.recomputed == N
    going.apply(frame(going.grid, [1, 3, N - 1], 1.02, 1))
    assert [(i, method, len(arguments[0])) for i, method, arguments in engine.sent] == [
        (0, "apply", 2),
        (1, "apply", 1),
    ]
    going.columns()
    assert going.recomputed == 3


def test_a_scan_on_shards_is_the_scan_of_the_whole() -> None:
    engine = HereEngine(3)
    grid = HISTORY.grid
    expected = run_scan(grid, CONFIG, QUICK, models=models(), about=HISTORY.about)
    found = run_scan(
        grid, CONFIG, QUICK, models=models(), about=HISTORY.about, read=engine.read, predict=engine.predict
    )
    assert same(found, expected)
    scanner = Scanner(
        engine.columns(rows_of(grid, slice(0, grid.n_bars - 1))), CONFIG, QUICK, models(), about=HISTORY.about
    )
    scanner.scan()
    scanner.apply(newest_frame(grid))
    assert same(scanner.scan(), expected)


class RayError(Exception):
    """Stands for the error with which Ray answers for a lost worker."""


class FakeRay:
    """Ray in this process, whose workers are lost at the first ``losses`` questions."""

    def __init__(self, losses: int) -> None:
        self.losses, self.started, self.stopped = losses, 0, 0
        self.exceptions = types.SimpleNamespace(RayActorError=RayError)

    def init(self, **_: Any) -> None:
        sys.stdout.write("(raylet) what nobody asked for\n")

    def shutdown(self) -> None:
        self.stopped += 1

    def remote(self, **_: Any) -> Callable[[type[Shard]], Any]:
        def start() -> _Remote:
            self.started += 1
            return _Remote(Shard())

        return lambda _kind: types.SimpleNamespace(remote=start)

    def get(self, answer: Any) -> Any:
        if self.losses:
            self.losses -= 1
            sys.stdout.write("(raylet) A worker died\n")
            raise RayError("killed")
        return answer


def test_worker_lost_at_the_start_is_replaced_and_standard_output_stays_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray = FakeRay(losses=2)
    monkeypatch.setitem(sys.modules, "ray", ray)
    with RayEngine(workers=2) as engine:
        assert engine.report()["ray_retried"] == 2
    assert (ray.started, ray.stopped) == (4, 1)
    sys.stdout.write("ours\n")
    told = capsys.readouterr()
    assert told.out == "ours\n"
    assert "A worker died" in told.err


def test_workers_that_are_lost_again_and_again_are_one_sentence_and_nothing_stays_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ray = FakeRay(losses=99)
    monkeypatch.setitem(sys.modules, "ray", ray)
    with pytest.raises(Unavailable, match=r"lost 3 times.*--engine local"), RayEngine(workers=1):
        pass
    assert ray.stopped == 1


@pytest.mark.process
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_two_actors_give_our_bits_and_a_killed_one_is_replaced(capfd: pytest.CaptureFixture[str]) -> None:
    ray = pytest.importorskip("ray")
    with RayEngine(workers=2) as engine:
        for target in models().targets:
            assert np.array_equal(engine.predict(models(), target, FEATURES), models().predict(target, FEATURES))
        going = engine.columns(rows_of(HISTORY.grid, slice(0, 200)))
        assert alike(going.columns(), going.grid)
        os.kill(ray.get(engine._actors[1].__ray_call__.remote(lambda _: os.getpid())), signal.SIGKILL)
        assert np.array_equal(engine.predict(models(), "up_10", FEATURES), models().predict("up_10", FEATURES))
        going.apply(frame(going.grid, [1, 3, N - 1], 1.02, 1))
        assert alike(going.columns(), going.grid)
        read = engine.read(going.grid, CONTRACT.columns, going.grid.n_bars)
        assert alike(read, going.grid)
        report = engine.report()
    assert report["ray_retried"] == 1
    assert capfd.readouterr().out == ""
    assert len(report["ray_worker_busy_pct"]) == 2
