"""Rows by hand and by hypothesis, and the slow, obvious twin of the fold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tapeline.core.config import LiveConfig
from tapeline.core.types import BAR_FIELDS, NS_PER_S, BarFrame, Label

MINUTE_NS = 60 * NS_PER_S
START_NS = 1_273_152_600 * NS_PER_S
"""2010-05-06 13:30 UTC."""
PLAIN = LiveConfig(timeframes_s=(60, 300), indicators=("sma_20", "ema_12", "rsi_14"), window_bars=30)

Row = tuple[str, int, float, float, float, float, float, float]
"""symbol, event_ns, open, high, low, close, volume, vwap"""


def frame_of(rows: Sequence[tuple[Any, ...]], as_of_ns: int, timeframe_s: int = 60, revision: int = 0) -> BarFrame:
    """Return a frame of the given rows."""
    columns: dict[str, Any] = {
        name: np.array([row[i] for row in rows], np.float64) for i, name in enumerate(BAR_FIELDS[:6], start=2)
    }
    return BarFrame(
        timeframe_s,
        "sip",
        Label.BRIDGED,
        as_of_ns,
        tuple(row[0] for row in rows),
        np.array([row[1] for row in rows], np.int64),
        **columns,
        trades=np.ones(len(rows)),
        revision=np.full(len(rows), revision, np.int64),
    )


def trade(symbol: str, event_ns: int, price: float, volume: float) -> Row:
    """Return a row of a single trade."""
    return (symbol, event_ns, price, price, price, price, volume, price)


def minute(symbol: str, k: int, close: float = 10.0, volume: float = 100.0) -> Row:
    """Return the ``k``-th minute's bar."""
    return (symbol, START_NS + k * MINUTE_NS, close, close + 1, close - 1, close, volume, close)


def session(n_minutes: int, symbols: Iterable[str], seed: int = 1) -> list[BarFrame]:
    """Return one frame per minute of bars that move at random; now and then a symbol is missing."""
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(n_minutes):
        rows = [minute(s, k, float(rng.uniform(50, 60)), float(rng.integers(1, 500))) for s in symbols]
        rows = [row for row in rows if rng.random() > 0.1]
        frames.append(frame_of(rows, START_NS + (k + 1) * MINUTE_NS))
    return frames


@dataclass
class NaiveBars:
    """Bars of trades and minutes, row by row. Knows neither time nor closing."""

    trades: dict[tuple[str, int], list[Row]] = field(default_factory=dict)
    stated: dict[tuple[str, int], Row] = field(default_factory=dict)

    def apply(self, frame: BarFrame) -> None:
        """Take every row in."""
        for i, symbol in enumerate(frame.symbols):
            names = ("open", "high", "low", "close", "volume", "vwap")
            values = [float(getattr(frame, name)[i]) for name in names]
            row: Row = (symbol, int(frame.event_ns[i]), *values)  # type: ignore[assignment]  # eight by construction
            key = (symbol, row[1] // MINUTE_NS * MINUTE_NS)
            if frame.timeframe_s:
                self.stated[key] = row
            elif key not in self.stated:
                self.trades.setdefault(key, []).append(row)

    def bar(self, key: tuple[str, int]) -> tuple[float, ...]:
        """Return open, high, low, close, volume, vwap of a minute."""
        if key in self.stated:
            return self.stated[key][2:]
        rows = self.trades[key]
        first = min(enumerate(rows), key=lambda pair: (pair[1][1], pair[0]))[1]
        last = max(enumerate(rows), key=lambda pair: (pair[1][1], pair[0]))[1]
        volume = turnover = 0.0
        for row in rows:
            volume += row[6]
            turnover += row[7] * row[6]
        vwap = turnover / volume if volume else math.nan
        return first[2], max(r[3] for r in rows), min(r[4] for r in rows), last[5], volume, vwap

    def bars(self) -> dict[tuple[str, int], tuple[float, ...]]:
        """Return (symbol, start) -> bar, of every minute."""
        return {key: self.bar(key) for key in {**self.trades, **self.stated}}


def last_words(closed: Iterable[BarFrame]) -> dict[tuple[int, str, int], tuple[int, tuple[float, ...]]]:
    """Return (timeframe, symbol, start) -> (revision, bar), and check that revisions come one by one."""
    found: dict[tuple[int, str, int], tuple[int, tuple[float, ...]]] = {}
    for frame in closed:
        for i, symbol in enumerate(frame.symbols):
            key = (frame.timeframe_s, symbol, int(frame.event_ns[i]))
            before = found[key][0] if key in found else -1
            assert frame.revision[i] == before + 1
            names = ("open", "high", "low", "close", "volume", "vwap")
            found[key] = (before + 1, tuple(float(getattr(frame, name)[i]) for name in names))
    return found


prices = st.floats(1.0, 1000.0, allow_nan=False)
volumes = st.one_of(st.just(0.0), st.floats(0.1, 1e6))


@st.composite
def streams(draw: st.DrawFn) -> list[BarFrame]:
    """Draw frames of trades and minutes, some late, of a few symbols over at most ten minutes."""
    frames = []
    as_of_ns = START_NS
    for _ in range(draw(st.integers(1, 8))):
        as_of_ns += draw(st.integers(0, 90)) * NS_PER_S
        is_minute = draw(st.booleans())
        rows = []
        for _ in range(draw(st.integers(0, 6))):
            symbol = draw(st.sampled_from("ABCD"))
            event_ns = START_NS + draw(st.integers(0, 600)) * NS_PER_S
            price, volume = draw(prices), draw(volumes)
            if is_minute:
                start_ns = event_ns // MINUTE_NS * MINUTE_NS
                rows.append((symbol, start_ns, price, price + 1, price - 0.5, price, volume, price + 0.25))
            else:
                rows.append(trade(symbol, event_ns, price, volume))
        frames.append(frame_of(rows, as_of_ns, 60 if is_minute else 0))
    return frames
