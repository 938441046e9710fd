"""Made and real panels for the kernel tests."""

# mypy: disable-error-code="arg-type"

from __future__ import annotations

from typing import Any

import numpy as np
from tests.naive import Series

from tapeline.core.types import BAR_FIELDS, DAY_S, NS_PER_S, BarFrame, Label
from tapeline.grid import BarGrid

DAY_NS = DAY_S * NS_PER_S
Panel = dict[str, Any]


def random_panel(n_bars: int, n_symbols: int, seed: int = 1, gaps: float = 0.0, step_ns: int = DAY_NS) -> Panel:
    """Return fields of a random market; ``gaps`` is the fraction of bars missing in every third symbol."""
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, (n_bars, n_symbols)), axis=0))
    opened = close * np.exp(rng.normal(0.0, 0.005, close.shape))
    high = np.maximum(opened, close) * (1.0 + 0.01 * rng.random(close.shape))
    low = np.minimum(opened, close) * (1.0 - 0.01 * rng.random(close.shape))
    panel: Panel = {"open": opened, "high": high, "low": low, "close": close}
    panel["volume"] = rng.integers(1, 1_000_000, close.shape).astype(np.float64)
    panel["vwap"] = np.where(rng.random(close.shape) < 0.5, (high + low) / 2.0, np.nan)
    panel["trades"] = np.ones(close.shape)
    missing = rng.random(close.shape) < gaps
    missing[:, 1::3] = missing[:, 2::3] = False
    for field in panel.values():
        field[missing] = np.nan
    panel["event_ns"] = np.arange(n_bars) * step_ns + 10 * 3_600 * NS_PER_S
    return panel


def symbols_of(n: int) -> tuple[str, ...]:
    return tuple(f"S{i}" for i in range(n))


def grid_of(panel: Panel, **options: int) -> BarGrid:
    fields = {name: panel[name] for name in BAR_FIELDS}
    return BarGrid.from_arrays(symbols_of(panel["close"].shape[1]), panel["event_ns"], **fields, **options)


def frame_of(panel: Panel, row: int, timeframe_s: int = DAY_S, revision: int = 0) -> BarFrame:
    """Return one row of a panel as a frame."""
    n = panel["close"].shape[1]
    fields = {name: panel[name][row] for name in BAR_FIELDS}
    event = int(panel["event_ns"][row])
    events, revisions = np.full(n, event), np.full(n, revision)
    return BarFrame(timeframe_s, "made", Label.SIMULATED, event, symbols_of(n), events, revision=revisions, **fields)


def series_of(panel: Panel, column: int) -> Series:
    """Return the traded bars of one column."""
    traded = ~np.isnan(panel["close"][:, column])
    fields = {name: panel[name][traded, column].tolist() for name in ("open", "high", "low", "close", "volume", "vwap")}
    session = ((panel["event_ns"][traded] - 5 * 3_600 * NS_PER_S) // DAY_NS).astype(np.float64)
    return Series(**fields, session=session.tolist())
