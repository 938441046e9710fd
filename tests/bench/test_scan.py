"""The scan's benchmark: its comparisons compare what they say, on a small market."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.ml.made import models

from tapeline.bench.kernels import grid_of, made_panel, symbols_of
from tapeline.bench.scan import N_BARS, about_of, cache_figures, full_scan, same, step
from tapeline.bench.scan_peers import document_s, pandas_s
from tapeline.ml.features import CONTRACT
from tapeline.scan.reading import LocalColumns

SHAPE = {"symbols": 60, "symbols_with_gaps_frac": 0.3, "missing_frac": 0.05, "seed": 3}
PANEL = made_panel(SHAPE, N_BARS)
ABOUT = about_of(60)


def test_a_step_is_timed_and_compared_with_a_full_scan() -> None:
    going = LocalColumns(grid_of(PANEL, N_BARS, list(CONTRACT.indicators)))
    took_ms, equal = step(going, PANEL, models(), ABOUT, 2)
    assert took_ms > 0.0
    assert equal


@pytest.mark.process
def test_features_from_valkey_are_timed_and_compared_with_computed_ones() -> None:
    figures = cache_figures(grid_of(PANEL, N_BARS, list(CONTRACT.indicators)))
    assert figures.pop("cache_equal")
    assert all(took > 0.0 for took in figures.values())


def test_another_score_is_not_the_same() -> None:
    scanned = full_scan(grid_of(PANEL, N_BARS, list(CONTRACT.indicators)), models(), ABOUT)
    assert same(scanned, scanned)
    moved = replace(scanned.result, scores=scanned.result.scores + 1e-12)
    assert not same(scanned, replace(scanned, result=moved))


@pytest.mark.filterwarnings("ignore:Timestamp.dayofyear", "ignore::SyntaxWarning")
def test_peers_do_their_work() -> None:
    pytest.importorskip("pandas_ta_classic")
    symbols, columns = symbols_of(PANEL, N_BARS)
    features = np.zeros((len(columns), len(CONTRACT.definitions)), np.float32)
    assert document_s(symbols[:1], features[:1], models()) > 0.0
    assert pandas_s(symbols[:1]) > 0.0
