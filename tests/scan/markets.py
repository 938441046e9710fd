"""Small made-up markets for the scan's tests."""

from __future__ import annotations

import datetime as dt

import numpy as np

from tapeline.core.calendar import Session
from tapeline.core.types import DAY_S, F64, NS_PER_S
from tapeline.grid import BarGrid

DAY_NS = DAY_S * NS_PER_S
FIRST_OPEN_NS = 1_250_000_000 * NS_PER_S
MINUTE_NS = 60 * NS_PER_S

Bars = dict[str, F64]


def make_bars(n_bars: int = 90, n_symbols: int = 8, seed: int = 1) -> Bars:
    """Return random walks with plausible ranges and volumes, each (n_bars, n_symbols)."""
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(0.02 * rng.standard_normal((n_bars, n_symbols)), axis=0))
    opened = close * np.exp(0.01 * rng.standard_normal(close.shape))
    high = np.maximum(opened, close) * (1.0 + 0.01 * rng.random(close.shape))
    low = np.minimum(opened, close) * (1.0 - 0.01 * rng.random(close.shape))
    volume = np.floor(1e6 * (0.5 + rng.random(close.shape)))
    return {"open": opened, "high": high, "low": low, "close": close, "volume": volume}


def names(n_symbols: int) -> list[str]:
    """Return symbols S00, S01, ..."""
    return [f"S{i:02d}" for i in range(n_symbols)]


def open_ns(row: int) -> int:
    """Return when the session of a row opens: one a day, weekends ignored."""
    return FIRST_OPEN_NS + row * DAY_NS


def session_of(row: int) -> Session:
    """Return the session of a row; it lasts six and a half hours."""
    start = open_ns(row)
    return Session(dt.date(2009, 8, 11) + dt.timedelta(days=row), start, start + 390 * MINUTE_NS)


def day_grid(bars: Bars, symbols: list[str] | None = None) -> BarGrid:
    """Return the grid of sessions."""
    n_bars, n_symbols = bars["close"].shape
    event_ns = [open_ns(row) for row in range(n_bars)]
    return _grid(bars, event_ns, symbols or names(n_symbols), DAY_S)


def minute_grid(closes: F64, start_ns: int, symbols: list[str] | None = None) -> BarGrid:
    """Return a grid of minutes from ``start_ns`` on whose bars are single prices; NaN did not trade."""
    event_ns = [start_ns + row * MINUTE_NS for row in range(closes.shape[0])]
    bars = dict.fromkeys(("open", "high", "low", "close"), closes)
    bars["volume"] = np.where(np.isnan(closes), np.nan, 100.0)
    return _grid(bars, event_ns, symbols or names(closes.shape[1]), 60)


def _grid(bars: Bars, event_ns: list[int], symbols: list[str], timeframe_s: int) -> BarGrid:
    return BarGrid.from_arrays(
        symbols,
        event_ns,
        open=bars["open"],
        high=bars["high"],
        low=bars["low"],
        close=bars["close"],
        volume=bars["volume"],
        timeframe_s=timeframe_s,
    )
