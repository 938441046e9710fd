"""Joined grids: values of every symbol go on as if it had never moved."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapeline.core.types import BAR_FIELDS, NS_PER_S, BarFrame, Label
from tapeline.grid import BarGrid, indicators
from tapeline.grid.join import join

NAMES = ("sma_5", "rsi_14", "ema_12")


def bars(k: int, symbols: tuple[str, ...]) -> BarFrame:
    rng = np.random.default_rng(k)
    of = {symbol: 100 + rng.random() for symbol in "ABCD"}
    close = np.array([of[symbol] for symbol in symbols])
    fields: dict[str, Any] = dict.fromkeys(BAR_FIELDS, close)
    start_ns = (1_700_000_000 + 60 * k) * NS_PER_S
    return BarFrame(60, "x", Label.REAL, start_ns, symbols, np.full(len(symbols), start_ns), **fields)


def grid_of(symbols: tuple[str, ...], minutes: range) -> BarGrid:
    grid = BarGrid.empty(symbols, 30, 60, track=NAMES)
    for k in minutes:
        grid.apply(bars(k, symbols))
    return grid


def newest(grid: BarGrid) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in indicators(grid, NAMES).items()}


def test_halves_that_dropped_rows_join_to_the_whole_to_the_bit() -> None:
    joined = join([grid_of(("A", "C"), range(100)), grid_of(("B", "D"), range(100))], tuple("ABCD"))
    whole = grid_of(tuple("ABCD"), range(100))
    assert newest(joined) == newest(whole)
    assert (joined.dropped, joined.event_ns.tolist()) == (whole.dropped, whole.event_ns.tolist())
    joined.apply(bars(100, tuple("ABCD")))
    whole.apply(bars(100, tuple("ABCD")))
    assert newest(joined) == newest(whole)


def test_rows_of_others_are_rows_without_a_bar() -> None:
    joined = join([grid_of(("A",), range(0, 60, 2)), grid_of(("B",), range(60))], ("B", "A", "NEW"))
    assert joined.n_bars == 30
    close = joined.field("close")
    assert np.isnan(close[1::2, 1]).any()
    assert not np.isnan(close[:, 0]).any()
    assert np.isnan(close[:, 2]).all()
    whole = BarGrid.empty(("B", "A"), 30, 60, track=NAMES)
    for k in range(60):
        whole.apply(bars(k, ("B", "A") if k % 2 == 0 else ("B",)))
    joined.apply(bars(60, ("B", "A")))
    whole.apply(bars(60, ("B", "A")))
    assert [row[:2] for row in newest(joined).values()] == list(newest(whole).values())


def test_a_symbol_of_two_grids_stays_with_the_first_and_grids_without_bars_are_nothing() -> None:
    joined = join([grid_of(("A",), range(3)), grid_of(("A", "B"), range(0))], ("A", "B"))
    assert newest(joined)["sma_5"][1] != newest(joined)["sma_5"][1]
    assert joined.field("close")[:, 0].tolist() == grid_of(("A",), range(3)).field("close")[:, 0].tolist()
