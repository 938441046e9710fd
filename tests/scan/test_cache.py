"""Kept features are taken when everything they follow from is the same bits, and never else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anyio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ml.made import QUICK, history, models
from tests.scan.test_incremental import STEPS, anew, frame, same
from tests.scan.test_market import CONFIG

from tapeline.core.errors import Unavailable
from tapeline.core.types import BAR_FIELDS, F64
from tapeline.grid import BarGrid
from tapeline.kernels.catalogue import find
from tapeline.ml.features import CONTRACT, read_columns
from tapeline.scan.cache import READ_FIELDS, SHARDS, FeatureCache
from tapeline.scan.incremental import Scanner, rows_of
from tapeline.scan.market import run_scan
from tapeline.scan.reading import LocalColumns

HISTORY = history()
N = len(HISTORY.grid.symbols)


class Memory:
    """A shelf in this process that counts, and that can be broken."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.kept: list[int] = []
        self.is_down = False

    async def fetch(self, names: Sequence[str]) -> list[bytes | None]:
        await anyio.lowlevel.checkpoint()
        if self.is_down:
            raise Unavailable("down")
        return [self.blobs.get(name) for name in names]

    async def keep(self, blobs: Mapping[str, bytes], ttl_s: float) -> None:
        await anyio.lowlevel.checkpoint()
        if self.is_down:
            raise Unavailable("down")
        assert ttl_s == 60.0
        self.kept.append(len(blobs))
        self.blobs |= blobs


def grid_of(n_bars: int = 200, capacity: int | None = None) -> BarGrid:
    """Return a ring of some sessions; with a capacity, one that has dropped bars."""
    part = rows_of(HISTORY.grid, slice(0, n_bars))
    if capacity is None:
        return part
    ring = BarGrid.empty(part.symbols, capacity, part.timeframe_s, track=CONTRACT.indicators)
    for row in range(n_bars):
        ring.apply(frame(part, list(range(N)), 1.0, 0, row=row))
    assert ring.dropped == n_bars - capacity
    return ring


def again(grid: BarGrid) -> BarGrid:
    """Return the same grid as a node that starts again would have it."""
    return BarGrid.restore(grid.snapshot())


def restarted(shelf: Memory) -> FeatureCache:
    """Return the cache of a node that has just started."""
    cache = FeatureCache(shelf, 60.0)
    anyio.run(cache.load)
    return cache


def read(cache: FeatureCache, grid: BarGrid) -> dict[str, F64]:
    return cache.columns(grid, CONTRACT.columns, grid.n_bars)


def equal(one: Mapping[str, F64], other: Mapping[str, F64]) -> bool:
    """Return whether columns agree to the bit, NaN included."""
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


def fresh(grid: BarGrid) -> dict[str, F64]:
    return read_columns(again(grid), CONTRACT.columns, grid.n_bars)


def filled(grid: BarGrid) -> Memory:
    """Return a shelf on which the features of a grid stand."""
    shelf = Memory()
    cache = restarted(shelf)
    read(cache, grid)
    anyio.run(cache.save)
    return shelf


def test_kernels_read_no_field_that_the_digest_leaves_out() -> None:
    fields = {field for name in CONTRACT.indicators for field in find(name)[0].kernel.fields}
    assert {BAR_FIELDS[field] for field in fields} == set(READ_FIELDS)


@pytest.mark.parametrize("capacity", [None, 150])
def test_a_restart_takes_every_symbol_from_the_shelf_to_the_bit(capacity: int | None) -> None:
    grid = grid_of(capacity=capacity)
    shelf = filled(again(grid))
    cache = restarted(shelf)
    assert equal(read(cache, again(grid)), fresh(grid))
    assert (cache.hits, cache.computed) == (N, 0)
    anyio.run(cache.save)
    assert shelf.kept == [len(shelf.blobs)]  # nothing was computed, nothing is kept again


def test_only_what_changed_is_computed_and_only_its_shards_are_kept() -> None:
    grid = grid_of()
    shelf = filled(again(grid))
    grid.apply(frame(grid, [3], 1.01, 1, row=-90))
    grid.adjust(grid.symbols[7], int(grid.event_ns[-1]), 0.5)
    cache = restarted(shelf)
    assert equal(read(cache, again(grid)), fresh(grid))
    assert (cache.hits, cache.computed) == (N - 2, 2)
    anyio.run(cache.save)
    assert shelf.kept[1] in (1, 2)
    cache = restarted(shelf)
    assert equal(read(cache, again(grid)), fresh(grid))
    assert cache.computed == 0


def test_dropped_bars_that_were_others_are_a_miss_though_the_ring_is_the_same() -> None:
    grid = grid_of(capacity=150)
    shelf = filled(again(grid))
    other = again(grid)
    other.anchors.anchor = other.anchors.anchor * 1.5
    cache = restarted(shelf)
    assert equal(read(cache, again(other)), fresh(other))
    assert cache.hits == 0


def test_another_universe_finds_the_symbols_that_both_have() -> None:
    grid = grid_of()
    shelf = filled(again(grid))
    other = grid.with_symbols([*reversed(grid.symbols[5:]), "NEW"])
    cache = restarted(shelf)
    assert equal(read(cache, again(other)), fresh(other))
    assert (cache.hits, cache.computed) == (N - 5, 1)


@settings(max_examples=8)
@given(STEPS, st.sampled_from([None, 160]))
def test_a_scan_that_resumes_equals_a_full_scan_after_any_course_of_bars(
    steps: list[tuple[str, set[int]]], capacity: int | None
) -> None:
    grid = grid_of(capacity=capacity)
    shelf = filled(again(grid))
    for number, (kind, picked) in enumerate(steps, 1):
        cols = sorted(picked)
        if kind == "split" and cols:
            grid.adjust(grid.symbols[cols[0]], int(grid.event_ns[-1]), 0.5)
        elif kind == "append":
            grid.apply(frame(grid, list(range(N)), 1.01, 0, days=1))
        elif cols:
            grid.apply(frame(grid, cols, 1.0 + 0.01 * number, number, row=-1 if kind == "revise" else -5))
        cache = restarted(shelf)
        scanner = Scanner(LocalColumns(again(grid), cache.columns), CONFIG, QUICK, models(), about=HISTORY.about)
        assert same(scanner.scan(), anew(grid))
        anyio.run(cache.save)


def test_a_full_scan_may_read_from_the_shelf_too() -> None:
    grid = grid_of()
    cache = restarted(filled(again(grid)))
    found = run_scan(again(grid), CONFIG, QUICK, models=models(), about=HISTORY.about, read=cache.columns)
    assert cache.hits == N
    assert same(found, anew(grid))


def test_columns_handed_out_may_be_written_to_without_harm() -> None:
    grid = grid_of()
    cache = restarted(Memory())
    for _ in range(2):
        for column in read(cache, grid).values():
            column[:] = 0.0
    assert equal(read(cache, grid), fresh(grid))


def test_a_shelf_that_is_down_or_holds_nonsense_only_costs_the_computing(caplog: pytest.LogCaptureFixture) -> None:
    grid = grid_of()
    shelf = filled(again(grid))
    shelf.blobs = {name: blob[:-9] for name, blob in shelf.blobs.items()}
    cache = restarted(shelf)
    assert equal(read(cache, grid), fresh(grid))
    assert "cannot be read" in caplog.text
    shelf.is_down = True
    cache = restarted(shelf)
    assert equal(read(cache, grid), fresh(grid))
    anyio.run(cache.save)
    assert "features are not kept: down" in caplog.text
    shelf.is_down = False
    anyio.run(cache.save)  # what could not be kept is kept the next time
    assert shelf.kept[1] <= SHARDS
    assert restarted(shelf).columns(again(grid), CONTRACT.columns, grid.n_bars).keys() == set(CONTRACT.columns)


def test_other_columns_and_a_grid_without_bars_are_read_as_ever() -> None:
    grid, cache = grid_of(), restarted(Memory())
    assert np.array_equal(cache.columns(grid, ("roc_5",), 100)["roc_5"], read_columns(grid, ("roc_5",), 100)["roc_5"])
    empty = BarGrid.empty(("A",), 5)
    assert all(np.isnan(column).all() for column in cache.columns(empty, CONTRACT.columns, 0).values())
