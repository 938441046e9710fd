"""Engines: the same bits wherever models are asked, and a lost worker loses no row."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest
from tests.ml.made import models, trained

from tapeline.core.errors import BadInput
from tapeline.scan.engines import RAY_PAYS_FROM, faster_engine, open_engine
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


@pytest.mark.process
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")
def test_two_actors_give_our_bits_and_a_killed_one_is_replaced() -> None:
    ray = pytest.importorskip("ray")
    with RayEngine(workers=2) as engine:
        for target in models().targets:
            assert np.array_equal(engine.predict(models(), target, FEATURES), models().predict(target, FEATURES))
        ray.kill(engine._actors[1])
        assert np.array_equal(engine.predict(models(), "up_10", FEATURES), models().predict("up_10", FEATURES))
        report = engine.report()
    assert report["ray_retried"] == 1
    assert len(report["ray_worker_busy_pct"]) == 2
