"""Two stages: the models are asked about few, the winners are the full scan's, and what is lost is measured."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import numpy as np
from tests.ml.made import QUICK, history, models
from tests.scan.test_market import CONFIG

from tapeline.ml.features import F32
from tapeline.ml.fold_file import Models
from tapeline.scan.lazy import recall, scan_lazily
from tapeline.scan.market import run_scan

HISTORY = history(seed=9)


def test_few_are_asked_and_the_rest_keeps_its_factor_score() -> None:
    asked: list[int] = []

    def predict(models: Models, target: str, features: F32) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        asked.append(len(features))
        return models.predict(target, features)

    config = msgspec.structs.replace(CONFIG, lazy_keep=12, top=3)
    found = scan_lazily(HISTORY.grid, config, QUICK, models=models(), about=HISTORY.about, predict=predict).result
    assert set(asked) == {int(np.isfinite(found.values["up_10"]).sum())}
    assert 12 <= asked[0] <= 26
    assert "a cheap stage kept 12 of 40" in found.notes[-1]


def test_opinions_are_compared_with_a_sample_of_every_height_not_with_the_best() -> None:
    config = msgspec.structs.replace(CONFIG, lazy_keep=12)
    order = run_scan(HISTORY.grid, config, QUICK, models=None, about=HISTORY.about).result.scores
    found = scan_lazily(HISTORY.grid, config, QUICK, models=models(), about=HISTORY.about).forecast
    assert found is not None
    assert found.among is not None
    ranks = np.argsort(np.argsort(-order))[found.among]
    assert sorted(ranks % 2) == [1] * len(ranks)


def test_keeping_everybody_is_the_full_scan() -> None:
    config = msgspec.structs.replace(CONFIG, lazy_keep=40)
    full = run_scan(HISTORY.grid, config, QUICK, models=models(), about=HISTORY.about).result
    lazy = scan_lazily(HISTORY.grid, config, QUICK, models=models(), about=HISTORY.about).result
    assert lazy.candidates == full.candidates
    assert recall(lazy, full) == 1.0


def test_keeping_all_that_are_ranked_is_the_full_scan_though_the_others_are_not_asked() -> None:
    config = msgspec.structs.replace(CONFIG, lazy_keep=40, where="rsi_14 > 50")
    full = run_scan(HISTORY.grid, config, QUICK, models=models(), about=HISTORY.about).result
    lazy = scan_lazily(HISTORY.grid, config, QUICK, models=models(), about=HISTORY.about).result
    assert 5 < full.n_scored < len(full.symbols)
    assert lazy.candidates == full.candidates


def test_recall_is_the_share_of_the_full_scan_s_winners() -> None:
    full = run_scan(HISTORY.grid, CONFIG, QUICK, models=models()).result
    half = replace(full, candidates=full.candidates[:5])
    assert recall(half, full) == 0.5
    assert math.isnan(recall(full, replace(full, candidates=())))
