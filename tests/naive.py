"""Slow, obvious twins: one symbol, plain loops, no state. What the fast kernels must equal.

In: lists of one symbol's traded bars, oldest first.  Out: one value a bar, NaN in the warm-up.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NAN = math.nan
Row = list[float]


@dataclass(frozen=True)
class Series:
    """One symbol's traded bars."""

    open: Row
    high: Row
    low: Row
    close: Row
    volume: Row
    vwap: Row
    session: Row

    def __len__(self) -> int:
        return len(self.close)

    def typical(self, i: int) -> float:
        return (self.high[i] + self.low[i] + self.close[i]) / 3.0

    def reach(self, i: int) -> float:
        """Return the true range of bar i >= 1."""
        return max(self.high[i], self.close[i - 1]) - min(self.low[i], self.close[i - 1])


def rolling(n: int, first: int, value: Callable[[int], float]) -> Row:
    """Return value(i) for each bar from ``first`` on, NaN before."""
    return [value(i) if i >= first else NAN for i in range(n)]


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def sma(s: Series, window: float) -> Row:
    w = int(window)
    return rolling(len(s), w - 1, lambda i: mean(s.close[i - w + 1 : i + 1]))


def smoothed(values: Row, window: int, factor: float) -> Row:
    """Return the average seeded by the mean of the first ``window`` values that are not NaN."""
    out: Row = []
    seen: Row = []
    for x in values:
        if not math.isnan(x):
            seen.append(x)
            if len(seen) == window:
                average = mean(seen)
            elif len(seen) > window:
                average += factor * (x - average)
        out.append(average if len(seen) >= window else NAN)
    return out


def ema(s: Series, span: float) -> Row:
    return smoothed(s.close, int(span), 2.0 / (span + 1.0))


def rsi(s: Series, window: float) -> Row:
    w = int(window)
    change = [NAN] + [b - a for a, b in zip(s.close, s.close[1:], strict=False)]
    gain = smoothed([x if math.isnan(x) else max(x, 0.0) for x in change], w, 1.0 / w)
    loss = smoothed([x if math.isnan(x) else max(-x, 0.0) for x in change], w, 1.0 / w)
    return [
        NAN if math.isnan(g) else (50.0 if g + q == 0 else 100.0 * g / (g + q)) for g, q in zip(gain, loss, strict=True)
    ]


def atr(s: Series, window: float) -> Row:
    w = int(window)
    return smoothed([NAN] + [s.reach(i) for i in range(1, len(s))], w, 1.0 / w)


def atr_before(s: Series, window: float) -> Row:
    return [NAN, *atr(s, window)[:-1]]


def sma_slope(s: Series, window: float, over: float) -> Row:
    line, o = sma(s, window), int(over)
    return rolling(len(s), int(window) + o - 1, lambda i: 100.0 * (line[i] / line[i - o] - 1.0) / over)


def bbands_pctb(s: Series, window: float, deviations: float) -> Row:
    w = int(window)

    def value(i: int) -> float:
        past = s.close[i - w + 1 : i + 1]
        reach = deviations * statistics.pstdev(past)
        return 0.5 if reach == 0 else (s.close[i] - mean(past) + reach) / (2.0 * reach)

    return rolling(len(s), w - 1, value)


def bbands_width(s: Series, window: float, deviations: float) -> Row:
    w = int(window)

    def value(i: int) -> float:
        past = s.close[i - w + 1 : i + 1]
        return 2.0 * deviations * statistics.pstdev(past) / mean(past)

    return rolling(len(s), w - 1, value)


def keltner(side: float) -> Callable[[Series, float, float, float], Row]:
    def twin(s: Series, span: float, window: float, width: float) -> Row:
        return [e + side * width * a for e, a in zip(ema(s, span), atr(s, window), strict=True)]

    return twin


def keltner_middle(s: Series, span: float, window: float, width: float) -> Row:
    return [NAN if math.isnan(a) else e for e, a in zip(ema(s, span), atr(s, window), strict=True)]


def donchian_middle(s: Series, window: float) -> Row:
    w = int(window)
    return rolling(len(s), w - 1, lambda i: (max(s.high[i - w + 1 : i + 1]) + min(s.low[i - w + 1 : i + 1])) / 2.0)


def aroon_osc(s: Series, window: float) -> Row:
    w = int(window)

    def value(i: int) -> float:
        at = range(i - w, i + 1)
        newest_high = max(at, key=lambda k: (s.high[k], k))
        newest_low = min(at, key=lambda k: (s.low[k], -k))
        return 100.0 * (newest_high - newest_low) / w

    return rolling(len(s), w, value)


def supertrend_both(s: Series, window: float, width: float) -> tuple[Row, Row]:
    line: Row = []
    sides: Row = []
    average = atr(s, window)
    upper = lower = NAN
    side = 1.0
    for i, reach in enumerate(average):
        if math.isnan(reach):
            line.append(NAN)
            sides.append(NAN)
            continue
        middle = (s.high[i] + s.low[i]) / 2.0
        up, down = middle + width * reach, middle - width * reach
        if not math.isnan(upper):
            up = up if s.close[i - 1] > upper else min(up, upper)
            down = down if s.close[i - 1] < lower else max(down, lower)
        upper, lower = up, down
        side = 1.0 if s.close[i] > upper else (-1.0 if s.close[i] < lower else side)
        line.append(lower if side > 0 else upper)
        sides.append(side)
    return line, sides


def cmf(s: Series, window: float) -> Row:
    w = int(window)

    def flow(i: int) -> float:
        reach = s.high[i] - s.low[i]
        return s.volume[i] * (0.0 if reach == 0 else ((s.close[i] - s.low[i]) - (s.high[i] - s.close[i])) / reach)

    def value(i: int) -> float:
        total = sum(s.volume[i - w + 1 : i + 1])
        return 0.0 if total == 0 else sum(flow(k) for k in range(i - w + 1, i + 1)) / total

    return rolling(len(s), w - 1, value)


def relative_volume(s: Series, window: float) -> Row:
    w = int(window)

    def value(i: int) -> float:
        before = mean(s.volume[i - w : i])
        return NAN if before == 0 else s.volume[i] / before

    return rolling(len(s), w, value)


def dollar_volume(s: Series, window: float) -> Row:
    w = int(window)
    return rolling(len(s), w - 1, lambda i: mean([s.close[k] * s.volume[k] for k in range(i - w + 1, i + 1)]))


def vwap_session(s: Series) -> Row:
    def value(i: int) -> float:
        bars = [k for k in range(i + 1) if s.session[k] == s.session[i]]
        shares = sum(s.volume[k] for k in bars)
        dollars = sum(s.volume[k] * (s.typical(k) if math.isnan(s.vwap[k]) else s.vwap[k]) for k in bars)
        return dollars / shares if shares else NAN

    return rolling(len(s), 0, value)


def realized_vol(s: Series, window: float) -> Row:
    w = int(window)
    return rolling(
        len(s), w, lambda i: statistics.stdev(math.log(s.close[k] / s.close[k - 1]) for k in range(i - w + 1, i + 1))
    )


def parkinson_vol(s: Series, window: float) -> Row:
    w = int(window)

    def value(i: int) -> float:
        squares = [math.log(s.high[k] / s.low[k]) ** 2 for k in range(i - w + 1, i + 1)]
        return math.sqrt(mean(squares) / (4.0 * math.log(2.0)))

    return rolling(len(s), w - 1, value)


def garman_klass_vol(s: Series, window: float) -> Row:
    w = int(window)

    def value(i: int) -> float:
        at = range(i - w + 1, i + 1)
        reach = mean([0.5 * math.log(s.high[k] / s.low[k]) ** 2 for k in at])
        body = mean([(2.0 * math.log(2.0) - 1.0) * math.log(s.close[k] / s.open[k]) ** 2 for k in at])
        return math.sqrt(max(reach - body, 0.0))

    return rolling(len(s), w - 1, value)


def robust_z(s: Series, window: float) -> Row:
    w = int(window)
    unit = 1.0 / statistics.NormalDist().inv_cdf(0.75)

    def value(i: int) -> float:
        past = s.close[i - w + 1 : i + 1]
        middle = statistics.median(past)
        spread = unit * statistics.median(abs(x - middle) for x in past)
        away = s.close[i] - middle
        return 0.0 if away == 0 else (NAN if spread == 0 else away / spread)

    return rolling(len(s), w - 1, value)


def rank(s: Series, window: float) -> Row:
    w = int(window)

    def value(i: int) -> float:
        others, x = s.close[i - w + 1 : i], s.close[i]
        return 100.0 * sum(1.0 if y < x else 0.5 if y == x else 0.0 for y in others) / (w - 1)

    return rolling(len(s), w - 1, value)


def from_high(s: Series, window: float) -> Row:
    w = int(window)
    return rolling(len(s), w - 1, lambda i: 100.0 * (s.close[i] / max(s.high[i - w + 1 : i + 1]) - 1.0))


def from_low(s: Series, window: float) -> Row:
    w = int(window)
    return rolling(len(s), w - 1, lambda i: 100.0 * (s.close[i] / min(s.low[i - w + 1 : i + 1]) - 1.0))


def gap(s: Series, window: float) -> Row:
    return rolling(len(s), 1, lambda i: 100.0 * (s.open[i] / s.close[i - 1] - 1.0))


def gap_mean(s: Series, window: float) -> Row:
    w, gaps = int(window), gap(s, window)
    return rolling(len(s), w, lambda i: mean(gaps[i - w + 1 : i + 1]))


def gap_std(s: Series, window: float) -> Row:
    w, gaps = int(window), gap(s, window)
    return rolling(len(s), w, lambda i: statistics.stdev(gaps[i - w + 1 : i + 1]))


TWINS: dict[str, Callable[..., Row]] = {
    "sma_#": sma,
    "ema_#": ema,
    "rsi_#": rsi,
    "atr_#": atr,
    "atr_#_before": atr_before,
    "sma_slope_#_#": sma_slope,
    "bbands_#_#_pctb": bbands_pctb,
    "bbands_#_#_width": bbands_width,
    "keltner_#_#_#_upper": keltner(1.0),
    "keltner_#_#_#_middle": keltner_middle,
    "keltner_#_#_#_lower": keltner(-1.0),
    "donchian_#_middle": donchian_middle,
    "aroon_#_osc": aroon_osc,
    "supertrend_#_#": lambda s, window, width: supertrend_both(s, window, width)[0],
    "supertrend_#_#_side": lambda s, window, width: supertrend_both(s, window, width)[1],
    "cmf_#": cmf,
    "relative_volume_#": relative_volume,
    "dollar_volume_#": dollar_volume,
    "vwap_session": vwap_session,
    "realized_vol_#": realized_vol,
    "parkinson_vol_#": parkinson_vol,
    "garman_klass_vol_#": garman_klass_vol,
    "robust_z_#": robust_z,
    "rank_#": rank,
    "from_high_#": from_high,
    "from_low_#": from_low,
    "gap_#": gap,
    "gap_#_mean": gap_mean,
    "gap_#_std": gap_std,
}
"""Name with ``#`` for each number -> its twin, called with the series and the numbers."""
