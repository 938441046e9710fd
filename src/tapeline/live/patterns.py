"""Patterns in the bars of a lane: what is unusual about the bar that has just closed.

In: the grid of closed bars.  Out: one alert per symbol and pattern, with an id that follows from the bar.
Eight patterns: volume spike, volume breakout, volume-price divergence, momentum up and down, breakout, reversal, hidden
accumulation. Volumes are multiples of the usual (mean of the bars before); the thresholds grow and shrink with the
symbol's own volatility. Refuses to judge a symbol with fewer bars than the look-back: no alert.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapeline.core.config import LiveConfig
from tapeline.core.config.streams import PatternConfig
from tapeline.core.types import F64
from tapeline.grid import BarGrid
from tapeline.streams.processor import Alert

Mask = NDArray[np.bool_]

_YEAR_S = 252 * 390 * 60
"""Seconds of trading in a year."""
REGIMES = ("low", "normal", "high", "panic")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the patterns look at, float64 (n,) each. NaN fails every comparison."""

    close: F64
    ratio: F64
    """Volume over the usual volume."""
    move_pct: F64
    """Change of the close since the bar before."""
    leg_pct: F64
    """Change of the close over the bars of a leg, up to the newest."""
    before_pct: F64
    """Change of the close over the leg that ended ``turn`` bars ago."""
    turn_pct: F64
    """Change of the close since then."""
    above_pct: F64
    """How far the close lies above the highest high of the bars before; negative: not."""
    below_pct: F64
    """How far the close lies below the lowest low of the bars before."""
    flow: F64
    """Volume of rising bars less volume of falling bars, over the leg."""
    rsi: F64
    factor: F64
    """What the regime makes of a threshold."""
    regime: NDArray[np.int64]


def find_patterns(grid: BarGrid, rsi: F64, bar_ns: int, config: LiveConfig) -> tuple[Alert, ...]:
    """Return what stands out in the grid's newest bar.

    Parameters
    ----------
    grid
        Closed bars; the newest starts at ``bar_ns``.
    rsi
        float64 (n_symbols,) relative strength after it, NaN where it is not known.
    bar_ns
        Start of the bar.
    config
        Thresholds and regimes.
    """
    rules = config.patterns
    if not rules.enabled or grid.n_bars <= rules.window_bars:
        return ()
    with np.errstate(all="ignore"):
        seen = _look(grid, rsi, rules)
        found = _judge(seen, rules)
    alerts = []
    for name, (up, down) in found.items():
        for column in np.flatnonzero(up | down).tolist():
            alerts.append(_alert(grid.symbols[column], name, column, seen, bar_ns, is_up=bool(up[column])))
    return tuple(sorted(alerts, key=lambda alert: alert.id))


def _look(grid: BarGrid, rsi: F64, rules: PatternConfig) -> _Seen:
    window, leg, turn = rules.window_bars, rules.leg_bars, rules.turn_bars
    close, volume = (grid.field(name)[-window - 1 :] for name in ("close", "volume"))
    high, low = grid.field("high")[-window - 1 : -1], grid.field("low")[-window - 1 : -1]
    returns = np.diff(np.log(close), axis=0)
    vol_pct = 100.0 * returns.std(axis=0) * math.sqrt(_YEAR_S / grid.timeframe_s)
    regime = np.searchsorted(np.array(rules.regime_vol_pct), np.nan_to_num(vol_pct), side="right")
    last = close[-1]
    return _Seen(
        close=last,
        ratio=np.minimum(volume[-1] / volume[:-1].mean(axis=0), rules.max_ratio),
        move_pct=100.0 * (last / close[-2] - 1.0),
        leg_pct=100.0 * (last / close[-1 - leg] - 1.0),
        before_pct=100.0 * (close[-1 - turn] / close[-1 - turn - leg] - 1.0),
        turn_pct=100.0 * (last / close[-1 - turn] - 1.0),
        above_pct=100.0 * (last / high.max(axis=0) - 1.0),
        below_pct=100.0 * (1.0 - last / low.min(axis=0)),
        flow=(np.sign(returns[-leg:]) * volume[-leg:]).sum(axis=0),
        rsi=rsi,
        factor=np.array(rules.regime_factor)[regime],
        regime=regime,
    )


def _judge(seen: _Seen, rules: PatternConfig) -> dict[str, tuple[Mask, Mask]]:
    """Return pattern -> (which symbols it points up for, and down)."""

    def busy(multiple: float) -> Mask:
        return np.asarray(seen.ratio >= multiple * seen.factor, np.bool_)

    spike, momentum, breakout = busy(rules.volume_spike), busy(rules.momentum), busy(rules.breakout)
    through, reversal = busy(rules.volume_breakout), busy(rules.reversal)
    away, leg, turn = (value * seen.factor for value in (rules.breakout_pct, rules.momentum_pct, rules.turn_pct))
    first = rules.leg_pct * seen.factor
    quiet = busy(rules.accumulation) & (seen.ratio <= rules.accumulation_max * seen.factor)
    quiet &= (seen.rsi >= rules.accumulation_rsi[0]) & (seen.rsi <= rules.accumulation_rsi[1])
    quiet &= np.abs(seen.move_pct) <= rules.still_pct
    loud, nobody = busy(rules.divergence), np.zeros(seen.ratio.shape, np.bool_)
    return {
        "volume_spike": (spike & (seen.move_pct >= 0), spike & (seen.move_pct < 0)),
        "volume_breakout": (through & (seen.above_pct > 0), through & (seen.below_pct > 0)),
        "volume_price_divergence": (
            loud & (seen.leg_pct < -rules.still_pct) & (seen.flow > 0),
            loud & (seen.leg_pct > rules.still_pct) & (seen.flow < 0),
        ),
        "upside_momentum": (momentum & (seen.leg_pct >= leg), nobody),
        "downside_momentum": (nobody, momentum & (seen.leg_pct <= -leg)),
        "breakout": (breakout & (seen.above_pct >= away), breakout & (seen.below_pct >= away)),
        "reversal": (
            reversal & (seen.before_pct <= -first) & (seen.turn_pct >= turn),
            reversal & (seen.before_pct >= first) & (seen.turn_pct <= -turn),
        ),
        "hidden_accumulation": (quiet, nobody),
    }


def _alert(symbol: str, name: str, column: int, seen: _Seen, bar_ns: int, *, is_up: bool) -> Alert:
    return Alert(
        f"{symbol}:{name}:{bar_ns}",
        {
            "symbol": symbol,
            "pattern": name,
            "side": "up" if is_up else "down",
            "bar_ns": bar_ns,
            "close": float(seen.close[column]),
            "volume_ratio": float(seen.ratio[column]),
            "move_pct": float(seen.move_pct[column]),
            "regime": REGIMES[int(seen.regime[column])],
        },
    )
