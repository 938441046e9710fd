"""What a session has added up to, per symbol: VWAP, volume, open, high, low.

In: a lane's panel, and the rows it lets go.  Out: totals of the newest session.
Rows that left the panel are folded into an anchor, the others are added up when asked, one after the other: a
correction of a bar corrects the totals, and no sum depends on when a row left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapeline.core.types import DAY_S, F64, NS_PER_S
from tapeline.live.panel import MIN_COLUMNS, BarPanel, F, Index, sum_rows

DAY_NS = DAY_S * NS_PER_S


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals of one session, float64 (n_columns,) each.

    Attributes
    ----------
    open, high, low
        NaN where nothing traded.
    volume
        In shares.
    turnover
        In dollars, of bars whose VWAP is known.
    known_volume
        Volume of these bars.
    """

    open: F64
    high: F64
    low: F64
    volume: F64
    turnover: F64
    known_volume: F64

    @classmethod
    def nothing(cls, n_columns: int) -> Totals:
        """Return the totals of a session in which nothing traded."""
        nan, zero = np.full(n_columns, np.nan), np.zeros(n_columns)
        return cls(nan, nan, nan, zero, zero, zero)

    @property
    def vwap(self) -> F64:
        """Volume-weighted mean price; NaN where nothing traded."""
        with np.errstate(invalid="ignore"):
            return np.where(self.known_volume > 0, self.turnover / self.known_volume, np.nan)

    def plus(self, block: F64) -> Totals:
        """Return the totals with the rows of a panel, (planes, rows, columns), added."""
        if not block.shape[1]:
            return self
        n_columns = block.shape[2]
        first = np.argmax(~np.isnan(block[F.CLOSE]), axis=0)
        opened = block[F.OPEN][first, np.arange(n_columns)]
        known = ~np.isnan(block[F.VWAP])
        return Totals(
            np.where(np.isnan(self.open), opened, self.open),
            np.fmax(self.high, np.fmax.reduce(block[F.HIGH])),
            np.fmin(self.low, np.fmin.reduce(block[F.LOW])),
            sum_rows(block[F.VOLUME], self.volume),
            sum_rows(np.where(known, block[F.TURNOVER], 0.0), self.turnover),
            sum_rows(np.where(known, block[F.VOLUME], 0.0), self.known_volume),
        )

    def of(self, columns: Index | slice) -> Totals:
        """Return the totals of some symbols."""
        return Totals(*(values[columns] for values in self.arrays()))

    def widened(self, n_columns: int) -> Totals:
        """Return the totals with room for ``n_columns`` symbols."""
        wide = []
        for empty, mine in zip(Totals.nothing(n_columns).arrays(), self.arrays(), strict=True):
            wide.append(np.concatenate([mine[:n_columns], empty[mine.size :]]))
        return Totals(*wide)

    def arrays(self) -> tuple[F64, ...]:
        """Return the totals in the order of the attributes."""
        return self.open, self.high, self.low, self.volume, self.turnover, self.known_volume


class Session:
    """Totals of the newest session of a lane.

    Parameters
    ----------
    start_utc_s
        Seconds after midnight UTC at which a session begins.
    """

    def __init__(self, start_utc_s: int) -> None:
        self._offset_ns = start_utc_s * NS_PER_S
        self.anchor_start_ns = 0
        self.anchor: Totals | None = None

    def start_of(self, event_ns: int) -> int:
        """Return when the session of a moment began."""
        return (event_ns - self._offset_ns) // DAY_NS * DAY_NS + self._offset_ns

    def totals(self, panel: BarPanel, columns: Index) -> Totals:
        """Return the totals of some symbols, in the session of the panel's newest row."""
        wide = np.resize(columns, max(columns.size, MIN_COLUMNS))  # see ``sum_rows``
        if not panel.n_rows:
            return Totals.nothing(wide.size).of(slice(0, columns.size))
        start_ns = self.start_of(int(panel.times()[-1]))
        rows = panel.rows_between(start_ns, start_ns + DAY_NS)
        block = panel.floats[:, rows].take(wide, axis=2)
        return self._anchor_of(start_ns, panel.n_columns).of(wide).plus(block).of(slice(0, columns.size))

    def let_go(self, panel: BarPanel, before_ns: int) -> None:
        """Remember the rows that start before ``before_ns``; the panel drops them next."""
        start_ns = self.start_of(int(panel.times()[-1]))
        gone = panel.rows_between(start_ns, before_ns)
        if gone.stop > gone.start:
            self.anchor = self._anchor_of(start_ns, panel.n_columns).plus(panel.floats[:, gone])
            self.anchor_start_ns = start_ns

    def _anchor_of(self, start_ns: int, n_columns: int) -> Totals:
        if self.anchor is None or self.anchor_start_ns != start_ns:
            return Totals.nothing(n_columns)
        return self.anchor.widened(n_columns)
