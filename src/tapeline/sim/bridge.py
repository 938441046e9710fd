"""Minutes inside one real daily bar, made so that they add up to it exactly.

In: daily bars of one session.  Out: a column of minutes per symbol whose first open, highest high, lowest low, last
close and summed volume are the daily bar's own numbers, to the bit. Each symbol's minutes depend on (seed, symbol, day)
and its own bar alone: not on the other symbols, their order, the machine or the version of a random generator.
Refuses to claim more: everything here is labelled ``bridged``.

A minute is the fold of four points of a path. The path is a Brownian bridge through open, high, low and close, with
high and low at drawn moments, folded back where it leaves low..high, in whole cents between those four. Volume follows
the U of a trading day; a thin symbol has minutes without trade. On a day like the flash crash all lows share a moment.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tapeline.core.types import BAR_FIELDS, F64
from tapeline.sim import seeded

Points = NDArray[np.intp]

POINTS = 4
"""Points of the path in a minute; also the fewest shares and trades of a minute that has any."""
EXACT = 4
"""The anchors that make a day exact, and so the minutes that must trade: first, last, high, low."""
MIN_SHARES = EXACT * POINTS
"""Below this a day cannot be spread over the four minutes that it needs, and becomes one minute at the open."""
TRADE_SHARES = 200.0
"""Shares in a typical trade: sets the count of trades, and how thin a symbol is."""
CHUNK = 256
"""Symbols bridged at once: bounds the memory, changes no number."""

FLASH_CRASH = dt.date(2010, 5, 6)
FLASH_CRASH_MINUTE = 315
"""14:45 New York. Not in the data: the joint report of the SEC and the CFTC (2010-09-30) puts the low there."""
PLUNGE_RATIO = 2.5
"""A day plunges when the index's range is this many times its median of the 60 days before, and half recovers."""
PLUNGE_DAYS = 60
FALL_MINUTES, RISE_MINUTES = 13, 20
"""How long before the common low the fall begins, and how long after it most is won back."""
FALL_FROM, RISE_TO = 0.6, 0.9
"""Where: shares of the way from the low up to the open, and up to the close."""
SPIKE = 1.1
"""On a plunge, a high this far above both open and close is a stray print of the plunge itself, not of a calm hour."""
SPIKE_MINUTES = 4
"""How long after the common low such a print stands."""
CALM, WILD = 0.6, 0.25
"""Size of the bridge's own noise, of the day's range; less when the range is the plunge's."""

HEADER = 8
"""Random words a symbol uses besides those of its path and its minutes."""


class IndexBars(Protocol):
    """Daily bars of an index; ``tapeline.sim.market.Index`` is one."""

    @property
    def dates(self) -> Sequence[dt.date]: ...
    @property
    def open(self) -> F64: ...
    @property
    def high(self) -> F64: ...
    @property
    def low(self) -> F64: ...
    @property
    def close(self) -> F64: ...


@dataclass(frozen=True, slots=True)
class _Bars:
    """Daily bars of the symbols of one chunk, each (n, 1) so that it meets (n, points)."""

    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64

    def take(self, rows: NDArray[np.bool_]) -> _Bars:
        return _Bars(self.open[rows], self.high[rows], self.low[rows], self.close[rows], self.volume[rows])


def plunge_minute(index: IndexBars, day: dt.date, n_minutes: int, seed: int) -> int | None:
    """Return the minute around which all symbols have their low, or None on a day without one.

    Parameters
    ----------
    index
        Its bars up to ``day``; later ones are not looked at.
    n_minutes
        Minutes in the session.
    """
    if day == FLASH_CRASH:
        return FLASH_CRASH_MINUTE
    if day not in index.dates:
        return None
    row = index.dates.index(day)
    if row < PLUNGE_DAYS:
        return None
    ranges = index.high[row - PLUNGE_DAYS : row + 1] - index.low[row - PLUNGE_DAYS : row + 1]
    fell = index.open[row] - index.low[row] >= 0.5 * ranges[-1]
    recovered = index.close[row] - index.low[row] >= 0.5 * ranges[-1]
    if not fell or not recovered or ranges[-1] < PLUNGE_RATIO * np.median(ranges[:-1]):
        return None
    draw = seeded.unit(seeded.words(np.array([seeded.key(seed, "market", day)], np.uint64), 1))[0, 0]
    return int(60 + draw * (n_minutes - 120))


def minutes_of(
    bars: Mapping[str, F64],
    symbols: Sequence[str],
    day: dt.date,
    *,
    n_minutes: int,
    seed: int,
    plunge: int | None = None,
) -> dict[str, F64]:
    """Return ``BAR_FIELDS`` to float64 (n_minutes, n_symbols), NaN where nothing traded.

    Parameters
    ----------
    bars
        open, high, low, close, volume, each float64 (n_symbols,); NaN for a symbol that does not trade that day.
        low <= open, close <= high; volume is whole and at least 1.
    symbols
        (n_symbols,) names; part of each symbol's seed.
    n_minutes
        Minutes in the session, at least 180.
    plunge
        The minute of the common low, from ``plunge_minute``.

    Notes
    -----
    In each minute low <= open, close, vwap <= high, trades >= 1 and volume >= trades, except that a day of fewer than
    16 shares is one minute at the open. First, last, highest and lowest minute always trade. 524 symbols: 0.1 s.
    """
    out = {name: np.full((n_minutes, len(symbols)), np.nan) for name in BAR_FIELDS}
    keys = np.array([seeded.key(seed, symbol, day) for symbol in symbols], np.uint64)
    traded = np.flatnonzero(np.isfinite(bars["close"]))
    for at in range(0, traded.size, CHUNK):
        cols = traded[at : at + CHUNK]
        chunk = _Bars(*(bars[name][cols][:, None] for name in ("open", "high", "low", "close", "volume")))
        for name, column in _bridge(chunk, keys[cols], n_minutes, plunge).items():
            out[name][:, cols] = column.T
    return out


def _bridge(bars: _Bars, keys: seeded.U64, n_minutes: int, plunge: int | None) -> dict[str, F64]:
    """Return the minutes (n, n_minutes) of each of n symbols."""
    n, n_points = len(keys), n_minutes * POINTS
    words = seeded.words(keys, HEADER + n_points + n_minutes)
    draws = seeded.unit(words[:, :HEADER])
    anchors = _anchors(bars, draws, n_points, plunge)
    path = _path(bars, anchors, seeded.normal(words[:, HEADER : HEADER + n_points]), CALM if plunge is None else WILD)
    minutes = path.reshape(n, n_minutes, POINTS)
    needed = np.zeros((n, n_minutes), bool)
    needed[np.arange(n)[:, None], anchors.at[:, :EXACT] // POINTS] = True
    volume = _volume(bars.volume, needed, words[:, HEADER + n_points :], plunge)
    low, high = minutes.min(axis=2), minutes.max(axis=2)
    fields = {
        "open": minutes[:, :, 0],
        "high": high,
        "low": low,
        "close": minutes[:, :, -1],
        "volume": volume,
        "vwap": np.clip(np.round(minutes.mean(axis=2), 4), low, high),
        "trades": np.clip(np.rint(volume / TRADE_SHARES), POINTS, np.maximum(volume, POINTS)),
    }
    traded = volume > 0
    fields = {name: np.where(traded, field, np.nan) for name, field in fields.items()}
    return _one_minute_days(bars, fields)


def _one_minute_days(bars: _Bars, fields: dict[str, F64]) -> dict[str, F64]:
    """Put a day of too few shares into its first minute, whole."""
    tiny = bars.volume[:, 0] < MIN_SHARES
    if not tiny.any():
        return fields
    day = bars.take(tiny)
    middle = np.clip((day.high + day.low + day.close) / 3.0, day.low, day.high)
    whole = (day.open, day.high, day.low, day.close, day.volume, middle, np.ones_like(day.volume))
    for name, column in zip(BAR_FIELDS, whole, strict=True):
        fields[name][tiny] = np.nan
        fields[name][tiny, 0] = column[:, 0]
    return fields


@dataclass(frozen=True, slots=True)
class _Anchors:
    """Points that the path must pass: ``at`` (n, 6) positions, ``price`` (n, 6) there.

    Columns: first, last, high, low, and on a day with a plunge where the fall begins and where the rise ends. Two
    anchors at one position have one price.
    """

    at: Points
    price: F64


def _anchors(bars: _Bars, draws: F64, n_points: int, plunge: int | None) -> _Anchors:
    """Draw when the extremes were, and what else the path passes."""
    last = n_points - 1
    high_at, low_at = _extremes(bars, draws, n_points)
    fall_at, rise_at = np.zeros_like(low_at), np.zeros_like(low_at)
    if plunge is not None:
        # A symbol whose low is its open or its close shows no fall inside the day.
        inside = (bars.low < np.minimum(bars.open, bars.close))[:, 0]
        jitter = np.floor((draws[:, 3] + draws[:, 4] - 1.0) * 3 * POINTS).astype(np.intp)
        common = plunge * POINTS + jitter
        fall, rise = common - FALL_MINUTES * POINTS, common + RISE_MINUTES * POINTS
        before = 1 + np.floor(draws[:, 0] * (fall - 2)).astype(np.intp)
        after = rise + 1 + np.floor(draws[:, 0] * (last - rise - 2)).astype(np.intp)
        late = (bars.close > bars.open)[:, 0] & (draws[:, 5] < 0.5)
        drawn = inside & (high_at > 0) & (high_at < last)
        high_at = np.where(drawn, np.where(late, after, before), high_at)
        stray = drawn & (bars.high > SPIKE * np.maximum(bars.open, bars.close))[:, 0]
        high_at = np.where(stray, common + SPIKE_MINUTES * POINTS, high_at)
        low_at, fall_at, rise_at = (
            np.where(inside, there, default) for there, default in ((common, low_at), (fall, fall_at), (rise, rise_at))
        )
    at = np.stack([np.zeros_like(low_at), np.full_like(low_at, last), high_at, low_at, fall_at, rise_at], axis=1)
    fall_price = np.where(fall_at > 0, bars.low[:, 0] + FALL_FROM * (bars.open - bars.low)[:, 0], bars.open[:, 0])
    rise_price = np.where(rise_at > 0, bars.low[:, 0] + RISE_TO * (bars.close - bars.low)[:, 0], bars.open[:, 0])
    known = (bars.open, bars.close, bars.high, bars.low, fall_price[:, None], rise_price[:, None])
    return _Anchors(at, np.concatenate(known, axis=1))


def _extremes(bars: _Bars, draws: F64, n_points: int) -> tuple[Points, Points]:
    """Return the points of the high and of the low: more often early or late than in the middle."""
    last = n_points - 1
    # 3u^2 - 2u^3 of a uniform u: a density with the arcsine law's U, in arithmetic that is the same everywhere.
    share = draws[:, :2] ** 2 * (3.0 - 2.0 * draws[:, :2])
    high_at, low_at = (1 + np.floor(share * (n_points - 2)).astype(np.intp)).T
    low_at = np.where(low_at == high_at, np.where(high_at == 1, 2, high_at - 1), low_at)
    rose, fell = (bars.close > bars.open)[:, 0], (bars.close < bars.open)[:, 0]
    # A day that rose mostly had its low first.
    odd = ((rose & (high_at < low_at)) | (fell & (low_at < high_at))) & (draws[:, 2] < 0.7)
    high_at, low_at = np.where(odd, low_at, high_at), np.where(odd, high_at, low_at)
    ends = ((bars.high, high_at), (bars.low, low_at))
    high_at, low_at = (
        np.where((price == bars.open)[:, 0], 0, np.where((price == bars.close)[:, 0], last, at)) for price, at in ends
    )
    return high_at, low_at


def _path(bars: _Bars, anchors: _Anchors, steps: F64, noise: float) -> F64:
    """Return prices (n, n_points) that pass the anchors and stay within low..high."""
    n, n_points = steps.shape
    order = np.argsort(anchors.at, axis=1, kind="stable")
    at = np.take_along_axis(anchors.at, order, axis=1)
    price = np.take_along_axis(anchors.price, order, axis=1)
    point = np.arange(n_points)
    leg = np.zeros((n, n_points), np.intp)
    for k in range(1, at.shape[1] - 1):
        leg += point >= at[:, k, None]
    walk = np.cumsum(steps, axis=1)
    walk_at = np.take_along_axis(walk, at, axis=1)
    start, end = np.take_along_axis(at, leg, axis=1), np.take_along_axis(at, leg + 1, axis=1)
    share = (point - start) / np.maximum(end - start, 1)
    span = bars.high - bars.low
    # A stray print says nothing of how restless the rest of the day was.
    usual = np.minimum(span, SPIKE * np.maximum(bars.open, bars.close) - bars.low)
    scale = usual * noise / np.sqrt(n_points)
    # Between two anchors: the straight line, and the walk less its own straight line.
    level = price - scale * walk_at
    line = np.take_along_axis(level, leg, axis=1)
    line += share * (np.take_along_axis(level, leg + 1, axis=1) - line)
    height = (line + scale * walk - bars.low) / np.where(span > 0.0, span, 1.0)
    folded = 1.0 - np.abs(1.0 - np.mod(height, 2.0))
    path: F64 = np.clip(np.round(bars.low + span * folded, 2), bars.low, bars.high)
    rows = np.arange(n)[:, None]
    path[rows, anchors.at[:, :EXACT]] = anchors.price[:, :EXACT]
    return path


def _volume(day_volume: F64, needed: NDArray[np.bool_], words: seeded.U64, plunge: int | None) -> F64:
    """Spread whole shares over the minutes: at least ``POINTS`` where anything trades, exactly the day's in sum."""
    lower = (words & np.uint64(0xFFFFFFFF)).astype(np.float64) / 2.0**32
    upper = (words >> np.uint64(32)).astype(np.float64) / 2.0**32
    shape = _day_shape(needed.shape[1], plunge)
    expected = day_volume * shape
    trades = expected / TRADE_SHARES
    active = needed | (upper < trades / (0.5 + trades))
    short = POINTS * active.sum(axis=1, keepdims=True) > day_volume
    active = np.where(short, needed, active)
    spare = np.maximum(day_volume - POINTS * active.sum(axis=1, keepdims=True), 0.0)
    weight = np.cumsum(np.where(active, shape * (0.25 + 2.25 * lower * lower), 0.0), axis=1)
    filled = np.floor(weight / weight[:, -1:] * spare)
    return np.asarray(np.diff(filled, axis=1, prepend=0.0) + POINTS * active, np.float64)


def _day_shape(n_minutes: int, plunge: int | None) -> F64:
    """Return each minute's usual share of the day's volume: a U, the auctions, and the rush around a plunge."""
    middle = (np.arange(n_minutes) + 0.5) / n_minutes * 2.0 - 1.0
    shape = 1.0 + 2.0 * middle**2
    shape[0] *= 3.0
    shape[-1] *= 3.0
    if plunge is not None:
        away = np.abs(np.arange(n_minutes) - plunge) / RISE_MINUTES
        shape *= 1.0 + 4.0 * np.maximum(1.0 - away, 0.0)
    return np.asarray(shape / shape.sum(), np.float64)
