"""What a session has added up to, per symbol: VWAP, volume, open, high, low.

In: a lane's panel, and the rows it lets go.  Out: totals of the newest session.
Rows that left the panel are folded into an anchor, the others are added up when asked, one after the other: a
correction of a bar corrects the totals, and no sum depends on when a row left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapeline.core.types import DAY_S, F64, NS_PER_S
from tapeline.kernels.ticks import add_up
from tapeline.live.panel import BarPanel, Index

DAY_NS = DAY_S * NS_PER_S
_NOTHING = np.array([np.nan, np.nan, np.nan, 0.0, 0.0, 0.0])[:, None]


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals of one session.

    Attributes
    ----------
    table
        float64 (6, n_columns): open, high and low (NaN where nothing traded), volume in shares, turnover in dollars of
        bars whose VWAP is known, and the volume of these.
    """

    table: F64

    @classmethod
    def nothing(cls, n_columns: int) -> Totals:
        """Return the totals of a session in which nothing traded."""
        return cls(np.repeat(_NOTHING, n_columns, axis=1))

    @property
    def vwap(self) -> F64:
        """Volume-weighted mean price; NaN where nothing traded."""
        turnover, known_volume = self.table[4:]
        vwap: F64 = np.full(turnover.size, np.nan)
        np.divide(turnover, known_volume, out=vwap, where=known_volume > 0)
        return vwap

    def of(self, columns: Index) -> Totals:
        """Return the totals of some symbols. A copy."""
        return Totals(self.table.take(columns, axis=1))

    def widened(self, n_columns: int) -> Totals:
        """Return the totals with room for ``n_columns`` symbols. A copy."""
        wide = Totals.nothing(n_columns)
        kept = min(n_columns, self.table.shape[1])
        wide.table[:, :kept] = self.table[:, :kept]
        return wide


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
        if not panel.n_rows:
            return Totals.nothing(columns.size)
        start_ns = self.start_of(int(panel.times()[-1]))
        return self._since(start_ns, panel, columns, panel.rows_between(start_ns, start_ns + DAY_NS))

    def let_go(self, panel: BarPanel, before_ns: int) -> None:
        """Remember the rows that start before ``before_ns``; the panel drops them next."""
        start_ns = self.start_of(int(panel.times()[-1]))
        gone = panel.rows_between(start_ns, before_ns)
        if gone.stop > gone.start:
            self.anchor = self._since(start_ns, panel, np.arange(panel.n_columns), gone)
            self.anchor_start_ns = start_ns

    def _since(self, start_ns: int, panel: BarPanel, columns: Index, rows: slice) -> Totals:
        """Return the totals of a session: what the anchor remembers of it, and these rows of the panel."""
        if self.anchor is None or self.anchor_start_ns != start_ns:
            found = Totals.nothing(columns.size)
        else:
            is_wide = self.anchor.table.shape[1] >= panel.n_columns
            found = (self.anchor if is_wide else self.anchor.widened(panel.n_columns)).of(columns)
        add_up(panel.floats, rows.start, rows.stop, columns, found.table)
        return found
