"""The slice of the market that one scan may look at, as plain arrays.

In: a grid of sessions, one of minutes, the moment of the decision.  Out: ``Panel``.
Refuses every row that starts after that moment, and minutes that are not closed by then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapeline.core.calendar import Session
from tapeline.core.types import F64, I64, NS_PER_S
from tapeline.grid import BarGrid
from tapeline.kernels.columns import newest_traded

FIELDS = ("open", "high", "low", "close", "volume")

DAY_STARTS_BEFORE_OPEN_NS = 18 * 3600 * NS_PER_S
"""A daily bar is stamped with midnight or with the open; either is within this of its session's open, and the bar of
the session before is not."""

VOLUME_BY_HALF_HOUR = (0.14, 0.095, 0.08, 0.07, 0.062, 0.056, 0.052, 0.05, 0.051, 0.056, 0.064, 0.079, 0.145)
"""Share of a day's volume in each thirteenth of the session: the U of US stocks, open and close busiest. A round
long-run average; it decides only what "busy for this time of day" means."""


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Sessions of the whole universe. Each symbol's traded bars stand without gaps at the end of its column.

    Windows therefore count sessions in which the symbol traded, as the kernels do. Row -1 is each symbol's last traded
    session; before the session's close it is the running one and provisional.

    Attributes
    ----------
    symbols
        (n,) the columns.
    open, high, low, close, volume
        float64 (n_bars, n). NaN above a symbol's first bar. Volume is in shares.
    n_traded
        int64 (n,) sessions with a bar.
    is_current
        bool (n,): the last traded session is the newest one.
    is_sound
        bool (n,): every price is positive and finite, every volume finite and not negative.
    day_frac
        Share of a usual day's volume that has traded by now, in (0, 1].
    """

    symbols: tuple[str, ...]
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64
    n_traded: I64
    is_current: NDArray[np.bool_]
    is_sound: NDArray[np.bool_]
    day_frac: float


def build_panel(days: BarGrid, session: Session | None, as_of_ns: int, *, max_bars: int, n_rows: int) -> Panel:
    """Return each symbol's newest ``n_rows`` traded bars among the last ``max_bars`` sessions up to ``as_of_ns``.

    Rows that do not exist are NaN. ``session`` is the one that runs or ran last at ``as_of_ns``; without it the newest
    row is a finished session. What is counted and judged (``n_traded``, ``is_sound``) is all ``max_bars`` sessions.
    """
    end = rows_until(days.event_ns, as_of_ns)
    seen = [days.field(name)[max(0, end - max_bars) : end] for name in FIELDS]
    found = newest_traded(seen, n_rows)
    is_current = ~np.isnan(days.field("close")[end - 1]) if end else np.zeros(len(days.symbols), np.bool_)
    if session is not None and not (end and _belongs(int(days.event_ns[end - 1]), session)):
        is_current[:] = False
    return Panel(
        symbols=days.symbols,
        **dict(zip(FIELDS, found.fields, strict=True)),
        n_traded=found.n_traded,
        is_current=is_current,
        is_sound=found.is_sound,
        day_frac=day_frac(session, as_of_ns),
    )


def rows_until(event_ns: I64, moment_ns: int) -> int:
    """Return how many of the rising ``event_ns`` are at or before ``moment_ns``."""
    return int(np.searchsorted(event_ns, moment_ns, side="right"))


def day_frac(session: Session | None, as_of_ns: int) -> float:
    """Return the share of a usual day's volume that has traded by ``as_of_ns``; 1 when no session runs.

    A half day has the same shape in less time.
    """
    if session is None or as_of_ns >= session.close_ns:
        return 1.0
    elapsed = max(0, as_of_ns - session.open_ns) / (session.close_ns - session.open_ns)
    cumulated = np.concatenate(([0.0], np.cumsum(VOLUME_BY_HALF_HOUR)))
    return float(np.interp(elapsed, np.linspace(0.0, 1.0, cumulated.size), cumulated))


def last_bar_end_ns(minutes: BarGrid, symbols: tuple[str, ...], as_of_ns: int) -> F64:
    """Return when each symbol's last minute that is closed by ``as_of_ns`` ended; NaN for none.

    Returns
    -------
    float64 (n,) in UTC nanoseconds, exact to about 0.3 microseconds.
    """
    length_ns = minutes.timeframe_s * NS_PER_S
    end = rows_until(minutes.event_ns, as_of_ns - length_ns)
    known = {symbol: col for col, symbol in enumerate(minutes.symbols)}
    ends = np.full(len(symbols), np.nan)
    if end == 0:
        return ends
    traded = ~np.isnan(minutes.field("close")[:end])
    last = end - 1 - np.argmax(traded[::-1], axis=0)
    column_ends = np.where(traded.any(axis=0), (minutes.event_ns[last] + length_ns).astype(np.float64), np.nan)
    here = np.array([known.get(symbol, -1) for symbol in symbols], dtype=np.intp)
    ends[here >= 0] = column_ends[here[here >= 0]]
    return ends


def _belongs(event_ns: int, session: Session) -> bool:
    return session.open_ns - DAY_STARTS_BEFORE_OPEN_NS < event_ns < session.close_ns
