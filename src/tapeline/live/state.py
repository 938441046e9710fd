"""The state of one lane: what a tick does.

In: ticks and frames of bars, one after the other.  Out: closed bars, alerts, refused rows, hot state; all of it as
bytes, to continue elsewhere.
A function of what comes in alone: no clock, no randomness. Restored from a snapshot it continues to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tapeline.core.config import LiveConfig
from tapeline.core.errors import BadMessage
from tapeline.core.types import I64, BarFrame
from tapeline.live.bars import BarFold, Mask
from tapeline.live.hot import hot_rows
from tapeline.live.indicators import LaneIndicators
from tapeline.live.parts import load_parts, to_parts
from tapeline.live.patterns import find_patterns
from tapeline.live.quotes import Quotes
from tapeline.live.rows import TOO_LATE, split_rows
from tapeline.live.session import Session
from tapeline.streams.processor import Alert, HotRow, LaneOutput, TicksOutput
from tapeline.streams.ticks import TickRows, tick_reasons

_RSI = "rsi_14"


class LaneState:
    """The processor of one lane (see ``streams.processor.Processor``).

    Parameters
    ----------
    config
        Timeframes, indicators, window, grace, patterns.
    """

    def __init__(self, config: LiveConfig) -> None:
        self._config = config
        self._fold = BarFold(config.timeframes_s, config.grace_s, Session(config.session_start_utc_s))
        self._indicators = LaneIndicators(config.indicators, config.window_bars, config.timeframes_s[0])
        self._quotes = Quotes()
        self._dirty: Mask = np.zeros(0, np.bool_)
        self._stale: set[str] = {"symbols", "revisions", "session", "grid"}

    def apply(self, frame: BarFrame) -> LaneOutput:
        """Apply one frame.

        Raises
        ------
        BadMessage
            When its bars are longer than our shortest, or do not fit into them. Nothing has changed then.
        """
        base_s = self._config.timeframes_s[0]
        if frame.timeframe_s and (frame.timeframe_s > base_s or base_s % frame.timeframe_s):
            raise BadMessage(f"bars of {frame.timeframe_s} s cannot make bars of {base_s} s")
        good, refused = split_rows(frame, self._fold.floor_ns)
        columns = self._columns_of(good.symbols)
        closed = self._fold.apply(good, columns)
        self._dirty[columns] = True
        output = self._after(closed)
        self._let_go()
        return LaneOutput(output.closed, refused, output.alerts)

    def apply_ticks(self, rows: TickRows) -> TicksOutput:
        """Apply ticks, one after the other: how they are cut into calls changes nothing."""
        refused: list[tuple[str, I64]] = []
        good: I64 = np.arange(len(rows))
        bad = np.zeros(len(rows), np.bool_)
        for reason, mask in tick_reasons(rows).items():
            if (mine := mask & ~bad).any():
                refused.append((reason, np.flatnonzero(mine)))
                bad |= mine
        if bad.any():
            good = np.flatnonzero(~bad)
            rows = rows.some(good)
        columns = self._columns_of_rows(rows)
        late = np.zeros(len(rows), np.bool_)
        steps = [
            (int(good[row]), self._after(closed))
            for row, closed in self._fold.apply_ticks(rows, columns, self._quotes, self._dirty, late)
        ]
        if late.any():
            refused.append((TOO_LATE, good[late]))
        return TicksOutput(tuple(steps), tuple(refused))

    def _columns_of_rows(self, rows: TickRows) -> I64:
        """Return the column of each row; who is new gets one in the order of the rows, whatever they came in."""
        column = self._fold.panel.known(rows.symbols)
        is_new = column < 0
        if is_new.any() and (mine := rows.symbol[is_new[rows.symbol]]).size:
            used, first = np.unique(mine, return_index=True)
            used = used[np.argsort(first)]
            column[used] = self._columns_of(tuple(rows.symbols[i] for i in used.tolist()))
        return column[rows.symbol]

    def _columns_of(self, symbols: tuple[str, ...]) -> I64:
        panel = self._fold.panel
        before = len(panel.symbols)
        columns = panel.columns_of(symbols)
        if len(panel.symbols) > before:
            self._stale.add("symbols")
            self._quotes.grow(panel.symbols, panel.n_columns)
            self._dirty = np.resize(self._dirty, panel.n_columns)
            self._dirty[before:] = False
        return columns

    def _after(self, closed: tuple[BarFrame, ...]) -> LaneOutput:
        """Move on what follows from closed bars; return these with the alerts they gave."""
        alerts: tuple[Alert, ...] = ()
        for bars in closed:
            self._stale |= {"revisions", "session"}
            if bars.timeframe_s == self._config.timeframes_s[0] and len(bars):
                self._indicators.apply(bars, self._fold.panel.symbols)
                self._stale.add("grid")
                self._dirty[self._fold.panel.columns_of(bars.symbols)] = True
                alerts += self._alerts(bars)
        return LaneOutput(closed, (), alerts)

    def _alerts(self, bars: BarFrame) -> tuple[Alert, ...]:
        """Judge the newest bar once, with its first word; corrections raise no alert."""
        grid = self._indicators.grid
        bar_ns = int(grid.event_ns[-1])
        if int(bars.event_ns[-1]) != bar_ns or bars.revision.any():
            return ()
        names = self._config.indicators
        rsi = self._indicators.newest()[names.index(_RSI)] if _RSI in names else np.full(len(grid.symbols), np.nan)
        return find_patterns(grid, rsi, bar_ns, self._config)

    def _let_go(self) -> None:
        floor_ns = self._fold.floor_ns
        self._fold.let_go()
        if self._fold.floor_ns != floor_ns:
            self._stale |= {"revisions", "session"}

    def take_hot(self) -> dict[str, HotRow]:
        """Return the newest values of every symbol that changed since the last call; a missing number is absent."""
        columns = np.flatnonzero(self._dirty)
        self._dirty[:] = False
        return hot_rows(self._fold, self._indicators, self._quotes, columns, self._config.rate)

    def take_snapshot(self) -> dict[str, bytes]:
        """Return the parts of the state that changed since the last call, all at first; empty bytes: it is gone."""
        parts = to_parts(self._config, self._fold, self._indicators, self._quotes, self._stale)
        self._stale.clear()
        return parts

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take over a state.

        Raises
        ------
        BadMessage
            When it is none of ours, or was made with other timeframes or indicators.
        """
        load_parts(parts, self._config, self._fold, self._indicators, self._quotes)
        self._dirty = np.zeros(self._fold.panel.n_columns, np.bool_)
        self._stale.clear()
