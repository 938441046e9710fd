"""Warming compiles what a scan runs: afterwards no loop has to be compiled for other types."""

from __future__ import annotations

from tests.ml.made import QUICK, history, models
from tests.scan.test_market import CONFIG

from tapeline.kernels.columns import digest, traded
from tapeline.kernels.forest import predict
from tapeline.scan.cache import input_digests
from tapeline.scan.market import run_scan
from tapeline.scan.warm import warm


def test_a_scan_after_warming_compiles_nothing_more() -> None:
    told: list[tuple[int, int]] = []
    assert warm(lambda done, of: told.append((done, of))) == 3
    assert told == [(1, 3), (2, 3), (3, 3)]
    loops = (traded._settle, digest._mix, predict._predict)
    before = [len(loop.signatures) for loop in loops]
    found = history()
    run_scan(found.grid, CONFIG, QUICK, models=models(), about=found.about)
    input_digests(found.grid, found.grid.n_bars)
    assert [len(loop.signatures) for loop in loops] == before
