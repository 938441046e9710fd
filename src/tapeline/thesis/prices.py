"""The prices that a thesis rests on: one symbol's column of the book's day grid, and the index beside it.

In: the grid of sessions, a symbol, the moment of asking.  Out: ``PriceHistory``, and the facts of step 1 from it.
Refuses bars that start after that moment. Sessions without a trade are left out, so windows count traded bars.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tapeline.core.calendar import Session
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import DAY_S, F64, I64, NS_PER_S, Evidence, Label
from tapeline.grid import BarGrid
from tapeline.grid.index import Index

SOURCE = "tape"
STEP = "price_history"
YEAR_BARS = 252
"""Bars looked back at most: a year of sessions."""

_CHANGES = (1, 5, 21, 63, 126)
"""Bars over which price changes are told: a day, a week, a month, a quarter, half a year."""


@dataclass(frozen=True, slots=True, eq=False)
class PriceHistory:
    """Traded daily bars of one symbol, oldest first, the last ``YEAR_BARS`` + 1 of them at most.

    Attributes
    ----------
    event_ns
        int64 (n,) start of each bar.
    open, high, low, close, volume
        float64 (n,) dollars and shares.
    index_close
        float64 (n,) points of the index on the same days; NaN where it is unknown.
    is_running
        The last bar's session has not closed: its prices are as of now, its volume is a part of the day's.
    label
        Where the bars come from.
    """

    symbol: str
    as_of_ns: int
    event_ns: I64
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64
    index_close: F64
    is_running: bool
    label: Label

    def __len__(self) -> int:
        return len(self.event_ns)

    def finished(self) -> PriceHistory:
        """Return the bars of finished sessions: those whose volume is a whole day's."""
        if not self.is_running:
            return self
        names = ("event_ns", "open", "high", "low", "close", "volume", "index_close")
        return replace(self, is_running=False, **{name: getattr(self, name)[:-1] for name in names})


def price_history(
    days: BarGrid, symbol: str, as_of_ns: int, *, label: Label, index: Index | None, session: Session | None
) -> PriceHistory:
    """Return what is known of a symbol's prices at ``as_of_ns``.

    Parameters
    ----------
    days
        The book's grid of sessions.
    symbol
        One that the grid does not hold has no bars.
    label
        Where the grid's bars come from.
    index
        The benchmark; None, or days it does not know, are NaN.
    session
        The one that runs, or None between sessions.
    """
    rows = slice(0, int(np.searchsorted(days.event_ns, as_of_ns, side="right")))
    if symbol in days.universe:
        column = days.column(symbol)
        fields = {name: days.field(name)[rows, column] for name in ("open", "high", "low", "close", "volume")}
    else:
        fields = {name: np.zeros(0) for name in ("open", "high", "low", "close", "volume")}
        rows = slice(0, 0)
    kept = np.flatnonzero(~np.isnan(fields["close"]))[-(YEAR_BARS + 1) :]
    event_ns = days.event_ns[rows][kept]
    closed_until_ns = _closed_until_ns(as_of_ns, session)
    return PriceHistory(
        symbol,
        as_of_ns,
        event_ns,
        **{name: np.array(column[kept]) for name, column in fields.items()},
        index_close=_index_on_days(index, event_ns, closed_until_ns),
        is_running=bool(len(kept)) and int(event_ns[-1]) >= closed_until_ns,
        label=label,
    )


def price_evidence(prices: PriceHistory) -> Outcome[Evidence]:
    """Return step 1: where the price stands in its own past.

    Facts: ``bars_count``, ``last_bar_age_days``, ``close_usd``, ``change_Nd_pct`` for N = 1, 5, 21, 63, 126,
    ``high_252d_usd``, ``low_252d_usd``, ``price_rank_pct`` (share of the year's closes strictly below the last),
    ``volume_rank_pct`` (the same for the last finished session's volume), ``dollar_volume_20d_usd``. NaN where there
    are too few bars.
    """
    if not len(prices):
        return nothing(Kind.NO_DATA, source=SOURCE, reason="no daily bar in the book", as_of_ns=prices.as_of_ns)
    close, whole = prices.close, prices.finished()
    age_days = (prices.as_of_ns - int(prices.event_ns[-1])) / NS_PER_S / DAY_S
    facts = [("bars_count", float(len(prices))), ("last_bar_age_days", age_days), ("close_usd", float(close[-1]))]
    facts += [(f"change_{n}d_pct", _change_pct(close, n)) for n in _CHANGES]
    facts += [
        ("high_252d_usd", float(prices.high[-YEAR_BARS:].max())),
        ("low_252d_usd", float(prices.low[-YEAR_BARS:].min())),
        ("price_rank_pct", _rank_pct(close)),
        ("volume_rank_pct", _rank_pct(whole.volume)),
        ("dollar_volume_20d_usd", _mean(whole.close * whole.volume, 20)),
    ]
    evidence = Evidence(STEP, prices.symbol, SOURCE, prices.as_of_ns, prices.label, tuple(facts))
    return value_of(evidence, source=SOURCE, as_of_ns=prices.as_of_ns)


def _change_pct(close: F64, bars: int) -> float:
    return float(100.0 * (close[-1] / close[-1 - bars] - 1.0)) if len(close) > bars else float("nan")


def _rank_pct(values: F64) -> float:
    """Return the share of earlier values strictly below the last one, in percent; NaN without earlier ones."""
    return float(100.0 * np.mean(values[:-1] < values[-1])) if len(values) > 1 else float("nan")


def _mean(values: F64, bars: int) -> float:
    return float(values[-bars:].mean()) if len(values) >= bars else float("nan")


def _index_on_days(index: Index | None, event_ns: I64, closed_until_ns: int) -> F64:
    """Return the index's closes on the days of the bars: NaN where it has none, or the day has not closed yet."""
    if index is None or not len(event_ns):
        return np.full(len(event_ns), np.nan)
    days = event_ns.astype("datetime64[ns]").astype("datetime64[D]")
    place = np.minimum(np.searchsorted(index.days, days), len(index.days) - 1)
    is_known = (index.days[place] == days) & (event_ns < closed_until_ns)
    closes: F64 = np.where(is_known, index.close[place], np.nan)
    return closes


def _closed_until_ns(as_of_ns: int, session: Session | None) -> int:
    """Return the moment up to which daily bars that began before it are of closed sessions.

    Without a session, a day counts as closed once it is over in UTC.
    """
    if session is not None and as_of_ns >= session.close_ns:
        return as_of_ns
    return _midnight_ns(as_of_ns if session is None else min(as_of_ns, session.open_ns))


def _midnight_ns(moment_ns: int) -> int:
    """Return midnight UTC of a moment's day: a daily bar is stamped with midnight or with the open."""
    return moment_ns - moment_ns % (DAY_S * NS_PER_S)
