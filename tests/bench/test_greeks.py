"""The benchmark of the Greeks runs, names every figure the house promises, and keeps its round trip."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tapeline.bench import greeks as bench

PROMISED = {"greeks_ns", "iv_ns", "ratio_numba_greeks", "ratio_numba_iv", "ratio_default_iv", "round_trip_err"}


def test_quick_run_has_every_figure_and_json_can_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "OPTIONS_QUICK", 4_000)
    report = json.loads(json.dumps(bench.run(quick=True)))
    assert set(report["results"]) >= PROMISED
    assert report["results"]["round_trip_err"] < 1e-12
    assert report["results"]["greeks_ns"] > 0.0
    assert report["setting"]["round_trip_options"] > 3_000


def test_absent_peer_has_no_ratio() -> None:
    assert bench.ratio(None, 20.0) is None
    assert bench.ratio(100.0, 20.0) == 5.0


def test_chain_is_the_same_every_time() -> None:
    one, two = bench.listed_chain(100), bench.listed_chain(100)
    for name, column in one.items():
        np.testing.assert_array_equal(column, two[name])
