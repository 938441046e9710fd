"""Coins that are traded around the clock: prices that wander about a home of their own, made from a seed.

In: a pair, a window of time and the moment of asking.  Out: ``Rows`` of bars.
Refuses to call any of it real, and to show a minute that has not ended. A day is made of its own seed and those of the
days before it: not of who asked first. Every minute has a bar, as at the vendor: where nothing traded, of quotes, with
volume, vwap and trades 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tapeline.core.types import BAR_FIELDS, DAY_S, F64, MINUTE_S, NS_PER_S
from tapeline.sim import seeded
from tapeline.sim.tape import MINUTE_NS, PUBLISH_NS, Rows, aggregate, regroup

DAY_NS = DAY_S * NS_PER_S
DAY_MINUTES = DAY_S // MINUTE_S
POINTS = 4
"""Points of the path in a minute."""
MEMORY, MEMORY_DAYS = 0.97, 200
"""How much of a day's distance from home is left a day later, and after how many days none is."""
FIRST_NS = 13_149 * DAY_NS
"""2006-01-01: earlier than that nothing is told."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair. ``home`` is in dollars, ``vol`` a fraction per day, ``trades`` a minute's mean, ``size`` in coins."""

    symbol: str
    name: str
    home: float
    decimals: int
    vol: float
    trades: float
    size: float


PAIRS = {
    pair.symbol: pair
    for pair in (
        Pair("AVAX/USD", "Avalanche", 30.0, 3, 0.045, 1.5, 8.0),
        Pair("BCH/USD", "Bitcoin Cash", 350.0, 2, 0.04, 1.0, 0.6),
        Pair("BTC/USD", "Bitcoin", 60_000.0, 2, 0.025, 12.0, 0.02),
        Pair("DOGE/USD", "Dogecoin", 0.12, 6, 0.05, 3.0, 2_500.0),
        Pair("DOT/USD", "Polkadot", 6.0, 4, 0.045, 0.7, 60.0),
        Pair("ETH/USD", "Ethereum", 3_000.0, 2, 0.03, 8.0, 0.3),
        Pair("LINK/USD", "Chainlink", 14.0, 4, 0.045, 1.2, 20.0),
        Pair("LTC/USD", "Litecoin", 80.0, 3, 0.035, 1.0, 3.0),
        Pair("SOL/USD", "Solana", 140.0, 3, 0.045, 5.0, 4.0),
        Pair("UNI/USD", "Uniswap", 8.0, 4, 0.05, 0.6, 40.0),
        Pair("XRP/USD", "Ripple", 0.55, 5, 0.04, 3.0, 900.0),
    )
}
"""By symbol, sorted."""


@dataclass(frozen=True, slots=True)
class CryptoTape:
    """The pairs, seen only up to a given moment."""

    seed: int

    def bars(self, symbols: tuple[str, ...], start_ns: int, end_ns: int, now_ns: int, step_s: int = MINUTE_S) -> Rows:
        """Return bars of ``step_s`` seconds that start in [start_ns, end_ns] and whose minutes have ended.

        A longer bar that still runs is what its minutes so far add up to. Days begin at midnight UTC.
        """
        step_ns = step_s * NS_PER_S
        from_ns = -(-max(start_ns, FIRST_NS) // step_ns) * step_ns
        last_ns = min(end_ns // step_ns * step_ns + step_ns - MINUTE_NS, newest_ns(now_ns))
        parts = []
        for day in range(from_ns // DAY_NS, last_ns // DAY_NS + 1):
            low, high = max(from_ns, day * DAY_NS), min(last_ns + MINUTE_NS, (day + 1) * DAY_NS)
            if low >= high:
                continue
            if step_s == DAY_S and high - low == DAY_NS:
                values = np.stack([_whole_day(self.seed, symbol, day) for symbol in symbols], axis=-1)
                parts.append(Rows(np.array([low], np.int64), values[:, None]))
                continue
            some = slice((low - day * DAY_NS) // MINUTE_NS, (high - day * DAY_NS) // MINUTE_NS)
            values = np.stack([_minutes(self.seed, symbol, day)[:, some] for symbol in symbols], axis=-1)
            part = Rows(np.arange(low, high, MINUTE_NS, dtype=np.int64), values)
            parts.append(part if step_s == MINUTE_S else regroup(part, step_ns))
        return Rows.join(parts, len(symbols))


def newest_ns(now_ns: int) -> int:
    """Return the start of the newest minute that can be seen."""
    return (now_ns - PUBLISH_NS) // MINUTE_NS * MINUTE_NS - MINUTE_NS


@lru_cache(maxsize=512)
def _minutes(seed: int, symbol: str, day: int) -> F64:
    """Return the bars of a day, counted from 1970 in UTC: float64 (7, 1440)."""
    pair = PAIRS[symbol]
    n = DAY_MINUTES * POINTS
    random_words = seeded.words(np.array([seeded.key(seed, symbol, "minutes", day)], np.uint64), n + 2 * DAY_MINUTES)[0]
    steps = np.concatenate([[0.0], np.cumsum(seeded.normal(random_words[:n]))]) / np.sqrt(n)
    passed = np.arange(n + 1) / n
    before, after = _distance(seed, symbol, day), _distance(seed, symbol, day + 1)
    path = before + (after - before) * passed + pair.vol * (steps - steps[-1] * passed)
    price = np.round(pair.home * np.exp(path), pair.decimals)
    points = np.stack([price[k : k + n : POINTS] for k in range(POINTS + 1)])
    often, much = seeded.unit(random_words[n:].reshape(2, DAY_MINUTES))
    trades = np.floor(-pair.trades * np.log1p(-often))
    volume = np.round(trades * pair.size * (0.5 + much), 9)
    vwap = np.where(trades > 0, np.round(points.mean(axis=0), pair.decimals + 2), 0.0)
    bars = np.stack([points[0], points.max(axis=0), points.min(axis=0), points[-1], volume, vwap, trades])
    assert len(bars) == len(BAR_FIELDS)
    bars.setflags(write=False)
    return bars


@lru_cache(maxsize=16_384)
def _whole_day(seed: int, symbol: str, day: int) -> F64:
    """Return the one bar of a day that is over, float64 (7,)."""
    return aggregate(_minutes(seed, symbol, day)[:, :, None])[:, 0]


@lru_cache(maxsize=16_384)
def _distance(seed: int, symbol: str, day: int) -> float:
    """Return how far from home a pair is at the beginning of a day, in logarithms."""
    days = np.arange(day, day - MEMORY_DAYS, -1, dtype=np.int64).astype(np.uint64)
    keys = days * np.uint64(0xD1342543DE82EF95) + np.uint64(seeded.key(seed, symbol, "days"))
    moves = PAIRS[symbol].vol * seeded.normal(seeded.words(keys, 1))[:, 0]
    return float(np.dot(moves, MEMORY ** np.arange(MEMORY_DAYS)))
