"""The scan: every symbol of a grid scored at once, the best put forward.

In: grids of sessions and minutes, settings, the moment, what models think.  Out: ``ScanResult``. Pure.
Refuses to see anything after that moment, to score a symbol on part of its factors, or to drop one without a reason.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tapeline.core.calendar import Session
from tapeline.core.config import ScanConfig
from tapeline.core.errors import BadInput
from tapeline.core.outcome import Kind
from tapeline.core.types import F64, NS_PER_S, Candidate
from tapeline.grid import BarGrid, indicators_at
from tapeline.grid.history import About
from tapeline.ml.cross import group_codes
from tapeline.ml.forecast import Forecast
from tapeline.scan.factors import MAX_BARS, check_model_weights, check_weights, compute_factors, history_sessions
from tapeline.scan.own import NOTHING, Own
from tapeline.scan.panel import Panel, build_panel, last_bar_end_ns, rows_until
from tapeline.scan.result import ScanResult
from tapeline.scan.score import add_opinions, points, total
from tapeline.scan.screens import Known, screen
from tapeline.scan.where import matches

ATR_BEFORE = "atr_14_before"
TRACKED = ("atr_14",)
"""Indicators whose past a ring of sessions must track from its first bar on; see ``BarGrid.empty``. Without it, symbols
of a ring that has dropped bars have no range and are excluded until it has settled."""


def scan(
    days: BarGrid,
    minutes: BarGrid | None,
    config: ScanConfig,
    as_of_ns: int,
    *,
    session: Session | None = None,
    also: Collection[str] = (),
    about: About | None = None,
    forecast: Forecast | None = None,
    own: Own = NOTHING,
) -> ScanResult:
    """Score every symbol of ``days`` and put the best forward.

    Parameters
    ----------
    days
        Sessions, oldest first; the newest row may be the running session, provisional. Rows that start after
        ``as_of_ns`` are not read. Not modified.
    minutes
        Minutes of today, for the age of each symbol's last bar; None leaves that screen out. Bars that are not closed
        by ``as_of_ns`` are not read.
    as_of_ns
        What the decision may know.
    session
        The session that runs at ``as_of_ns`` or ran last. A symbol without a bar in it is stale, and volumes are
        compared for the time of day. None: the newest row is a finished session.
    also
        Symbols to score in any case, e.g. held positions; they enter the cross-section only by the common rules.
    about
        Sectors and kinds of the symbols, for the screens and for ``config.sector_neutral``; None: all unknown.
    forecast
        What models think of the same symbols, as of a session that had ended by ``as_of_ns``; None: factors alone.
    own
        Factors and screens of the user's own file.

    Returns
    -------
    ScanResult
        An empty universe gives an empty result.

    Raises
    ------
    ConfigError
        When weights or history cannot be used.
    BadInput
        When ``forecast`` or ``about`` is of other symbols, or ``config.where`` cannot be read.

    Notes
    -----
    score = sum over factors and models of weight * robust z, exactly the sum of the contributions. Ties go by symbol.
    NaN rule: a symbol with an unknown weighted factor is excluded, with the factor's name as the reason. A model that
    abstains on a symbol contributes nothing to it and is not among its contributions.
    """
    sessions = history_sessions(config)
    check_weights(config.weights, sessions, own.factors)
    about = _of_same(about, days)
    panel = build_panel(days, session, as_of_ns, max_bars=sessions, n_rows=MAX_BARS)
    atr = settled_atr(days, as_of_ns)
    groups = group_codes(about.sectors)
    n_rows = rows_until(days.event_ns, as_of_ns)
    factors = compute_factors(panel, atr) | own.values(days, n_rows, groups)
    freshness_s = _freshness_s(panel.symbols, days, minutes, session, as_of_ns)
    wanted = {
        **({config.where: matches(config.where, factors, days, n_rows, groups)} if config.where else {}),
        **own.passes(days, n_rows, groups),
    }
    known = Known(freshness_s, minutes is not None, about, wanted)
    exclusions = screen(panel, factors, known, config)

    unusable = {symbol for symbol, exclusion in exclusions.items() if exclusion.kind is not Kind.ABSTAINED}
    ranked = np.array([symbol not in exclusions for symbol in panel.symbols], dtype=np.bool_)
    scored = np.array([symbol not in unusable for symbol in panel.symbols], dtype=np.bool_)
    neutral = groups if config.sector_neutral else None
    parts = points(factors, config.weights, ranked, neutral)
    opinions = _opinions(forecast, config, ranked, neutral, panel.symbols)
    scores = np.where(scored, add_opinions(total(parts, len(panel.symbols)), opinions), np.nan)
    best, asked = _choose(panel.symbols, scores, ranked, config.top, also)
    row = _Rows(panel, atr, freshness_s, scores, {**parts, **opinions}, as_of_ns)
    result = ScanResult(
        as_of_ns=as_of_ns,
        symbols=panel.symbols,
        candidates=tuple(row.candidate(col, rank) for col, rank in best),
        asked=tuple(row.candidate(col, rank) for col, rank in asked),
        n_scored=int(ranked.sum()),
        scores=np.where(ranked, scores, np.nan),
        factors=factors,
        price=panel.close[-1],
        atr=atr,
        freshness_s=freshness_s,
        exclusions=exclusions,
        sectors=about.sectors,
        stop=panel.close[-1] - config.stop_atr * atr,
        target=panel.close[-1] + config.reward_risk * config.stop_atr * atr,
    )
    if forecast is None:
        return result
    n_abstained = int((forecast.abstains & ranked).sum())
    return replace(result, values=forecast.values, n_abstained=n_abstained, left_out=forecast.left_out)


def settled_atr(days: BarGrid, as_of_ns: int) -> F64:
    """Return Wilder's average true range of 14 sessions before the newest row; NaN during its warm-up.

    The newest session may still run, and a range that contains today cannot measure today. It is the grid's own
    indicator, so the scan, the stream and a backtest cannot disagree; it looks at no later row. NaN for a symbol that
    has not traded in that row.
    """
    return indicators_at(days, [ATR_BEFORE], rows_until(days.event_ns, as_of_ns))[ATR_BEFORE]


def _of_same(about: About | None, days: BarGrid) -> About:
    if about is None:
        return About.unknown(len(days.symbols))
    if len(about.sectors) != len(days.symbols):
        raise BadInput(f"sectors are given for {len(about.sectors)} symbols, the grid has {len(days.symbols)}")
    return about


def _opinions(
    forecast: Forecast | None,
    config: ScanConfig,
    ranked: NDArray[np.bool_],
    groups: NDArray[np.intp] | None,
    symbols: tuple[str, ...],
) -> dict[str, F64]:
    """Return the points of each weighted model; NaN where it abstains."""
    if forecast is None:
        return {}
    if forecast.symbols != symbols:
        raise BadInput("the forecast is of another universe than the one that is scanned")
    check_model_weights(config.model_weights, forecast.models.targets)
    weights = {name: weight for name, weight in config.model_weights.items() if name in forecast.values}
    among = ranked if forecast.among is None else ranked & forecast.among
    return points(forecast.values, weights, among, groups)


def _freshness_s(
    symbols: tuple[str, ...], days: BarGrid, minutes: BarGrid | None, session: Session | None, as_of_ns: int
) -> F64:
    """Return the age of each symbol's last bar: since the end of its last minute, or since its last day began.

    While the market is shut nothing ages: time counts up to the session's close.
    """
    now_ns = as_of_ns if session is None else min(as_of_ns, session.close_ns)
    if minutes is not None:
        return np.maximum(0.0, now_ns - last_bar_end_ns(minutes, symbols, as_of_ns)) / NS_PER_S
    end = rows_until(days.event_ns, as_of_ns)
    age_s = max(0, now_ns - int(days.event_ns[end - 1])) / NS_PER_S if end else np.nan
    return np.full(len(symbols), age_s)


def _choose(
    symbols: tuple[str, ...], scores: F64, ranked: NDArray[np.bool_], top: int, also: Collection[str]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return (column, rank) of the best, and of those asked for that have a score, by symbol."""
    names = np.array(symbols, dtype=np.str_)
    cols = np.flatnonzero(ranked)
    order = cols[np.lexsort((names[cols], -scores[cols]))]
    best = [(int(col), rank) for rank, col in enumerate(order[:top], start=1)]
    asked: list[tuple[int, int]] = []
    for symbol in sorted(set(also) & set(symbols)):
        col = symbols.index(symbol)
        if not np.isnan(scores[col]):
            ahead = (scores[cols] > scores[col]) | ((scores[cols] == scores[col]) & (names[cols] < symbol))
            asked.append((col, 1 + int(ahead.sum())))
    return best, asked


class _Rows:
    """Reads candidates out of the columns of one scan."""

    def __init__(
        self, panel: Panel, atr: F64, freshness_s: F64, scores: F64, parts: Mapping[str, F64], as_of_ns: int
    ) -> None:
        self._panel, self._atr, self._freshness_s = panel, atr, freshness_s
        self._scores, self._parts, self._as_of_ns = scores, parts, as_of_ns

    def candidate(self, col: int, rank: int) -> Candidate:
        """Return the symbol in ``col`` with everything that made its score."""
        parts = ((name, float(column[col])) for name, column in self._parts.items())
        return Candidate(
            symbol=self._panel.symbols[col],
            rank=rank,
            score=float(self._scores[col]),
            price=float(self._panel.close[-1, col]),
            atr=float(self._atr[col]),
            as_of_ns=self._as_of_ns,
            freshness_s=float(self._freshness_s[col]),
            contributions=tuple((name, value) for name, value in parts if value == value),  # NaN: an abstention
        )
