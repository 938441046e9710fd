"""What a score was worth: scores of many days against what came after, in the measures of the trade.

In: scores and forward returns, (n_days, n_symbols).  Out: rank IC with its interval, quantile returns, turnover, AUC,
Brier and calibration. Refuses to call luck skill: an interval that holds zero is said to.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from tapeline.core.types import F64
from tapeline.ml.cross import rank

MIN_SYMBOLS = 20
"""A day with fewer scored symbols says nothing."""
MIN_DAYS = 60
"""Fewer judged days, and neighbours that share their future leave too few independent ones for an interval."""
Z_95 = 1.96
QUANTILES = 10


class Skill(msgspec.Struct, frozen=True, kw_only=True):
    """What a score was worth over some days.

    Attributes
    ----------
    days
        Days that could be judged.
    ic, ic_low, ic_high
        Mean rank IC, and its 95 % interval (Newey-West over the overlap of the horizon).
    ic_ratio
        Mean over standard deviation of the daily ICs.
    spread_bps
        Mean forward return of the best tenth less that of the worst, for the horizon.
    quantiles_bps
        Mean forward return of each tenth over that of the day's average symbol, worst score first.
    turnover
        Share of the best tenth that was not in it the day before.
    """

    days: int
    ic: float
    ic_low: float
    ic_high: float
    ic_ratio: float
    spread_bps: float
    quantiles_bps: tuple[float, ...]
    turnover: float

    @property
    def is_shown(self) -> bool:
        """True when the interval of the rank IC lies above zero, on days enough to trust an interval."""
        return self.days >= MIN_DAYS and self.ic_low > 0.0


class Chance(msgspec.Struct, frozen=True, kw_only=True):
    """What probabilities were worth.

    ``auc`` 0.5 is no better than a coin. ``brier`` is compared with ``brier_base``, that of always saying ``base_rate``
    (the share of gains in the very days that are judged, which nobody knew before). ``bins``: (said, happened, cases).
    """

    cases: int
    auc: float
    brier: float
    brier_base: float
    base_rate: float
    bins: tuple[tuple[float, float, int], ...]


def daily_ic(scores: F64, returns: F64) -> F64:
    """Return the rank correlation of scores and forward returns by day; NaN for days with fewer than 20 symbols."""
    out = np.full(len(scores), np.nan)
    for day, (score, gain) in enumerate(zip(scores, returns, strict=True)):
        known = np.isfinite(score) & np.isfinite(gain)
        if known.sum() < MIN_SYMBOLS:
            continue
        a, b = rank(score[known]), rank(gain[known])
        spread = a.std() * b.std()
        out[day] = ((a - a.mean()) * (b - b.mean())).mean() / spread if spread > 0.0 else 0.0
    return out


def mean_interval(values: F64, overlap: int) -> tuple[float, float, float]:
    """Return the mean of a series and its 95 % interval, NaN left out.

    Parameters
    ----------
    overlap
        Days by which neighbouring values share their future, less one: the lag up to which they are expected to agree.

    References
    ----------
    W. Newey and K. West, A Simple, Positive Semi-Definite, Heteroskedasticity and Autocorrelation Consistent Covariance
    Matrix, Econometrica 55 (1987).
    """
    known = values[np.isfinite(values)]
    n = known.size
    if n < 2:
        return (float(known.mean()) if n else math.nan), math.nan, math.nan
    away = known - known.mean()
    variance = float(away @ away) / n
    for lag in range(1, min(overlap, n - 1) + 1):
        variance += 2.0 * (1.0 - lag / (overlap + 1.0)) * float(away[lag:] @ away[:-lag]) / n
    error = math.sqrt(max(variance, 0.0) / n)
    mean = float(known.mean())
    return mean, mean - Z_95 * error, mean + Z_95 * error


def quantile_of(scores: F64, n: int = QUANTILES) -> NDArray[np.intp]:
    """Return the quantile of each score among its day's, 0 the lowest; -1 where unknown."""
    place = rank(scores)
    return np.where(np.isfinite(place), np.minimum(np.nan_to_num(place) * n, n - 1).astype(np.intp), -1)


def judge_scores(scores: F64, returns: F64, horizon: int) -> Skill:
    """Return what daily scores were worth against the forward returns of ``horizon`` sessions, fractions."""
    ics = daily_ic(scores, returns)
    judged = np.isfinite(ics)
    mean, low, high = mean_interval(ics, horizon - 1)
    spread = float(np.nanstd(ics)) if judged.any() else math.nan
    gains, turnover = [], []
    best_before: NDArray[np.bool_] | None = None
    for score, gain in zip(scores[judged], returns[judged], strict=True):
        of = quantile_of(np.where(np.isfinite(gain), score, np.nan))
        over = gain - gain[of >= 0].mean()
        gains.append([over[of == q].mean() if (of == q).any() else math.nan for q in range(QUANTILES)])
        best = of == QUANTILES - 1
        if best_before is not None and best.any():
            turnover.append(1.0 - (best & best_before).sum() / best.sum())
        best_before = best
    tenths = _means(np.array(gains).reshape(-1, QUANTILES)) * 1e4
    return Skill(
        days=int(judged.sum()),
        ic=mean,
        ic_low=low,
        ic_high=high,
        ic_ratio=mean / spread if spread else math.nan,
        spread_bps=float(tenths[-1] - tenths[0]),
        quantiles_bps=tuple(tenths.tolist()),
        turnover=float(np.mean(turnover)) if turnover else math.nan,
    )


def _means(columns: F64) -> F64:
    """Return the mean of each column's known values, NaN for a column without one."""
    cases = np.isfinite(columns).sum(axis=0)
    means: F64 = np.where(cases > 0, np.nansum(columns, axis=0), np.nan) / np.maximum(cases, 1)
    return means


def judge_chances(said: F64, returns: F64) -> Chance:
    """Return what probabilities of a gain were worth against forward returns, over all days at once."""
    known = np.isfinite(said) & np.isfinite(returns)
    p, happened = said[known], (returns[known] > 0.0).astype(np.float64)
    n, hits = p.size, float(happened.sum())
    if not 0.0 < hits < n:
        nan = math.nan
        return Chance(cases=n, auc=nan, brier=nan, brier_base=nan, base_rate=nan, bins=())
    places = rank(p) * (n - 1)
    auc = (places[happened > 0.5].sum() - hits * (hits - 1.0) / 2.0) / (hits * (n - hits))
    base = hits / n
    of = quantile_of(p)
    bins = [(float(p[of == q].mean()), float(happened[of == q].mean()), int((of == q).sum())) for q in np.unique(of)]
    return Chance(
        cases=n,
        auc=float(auc),
        brier=float(((p - happened) ** 2).mean()),
        brier_base=base * (1.0 - base),
        base_rate=base,
        bins=tuple(bins),
    )
