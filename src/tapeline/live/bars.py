"""Bars of every timeframe from one fold: opens by exchange time, closes when time has passed, corrects when late.

In: rows of trades or base bars, and how far time has come.  Out: closed bars, each once, and once more with a higher
revision for every correction that still finds its rows.
Never emits a bar of which rows are missing here: rows too old for that are refused before (``floor_ns``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapeline.core.types import BAR_FIELDS, F64, I64, NS_PER_S, BarFrame
from tapeline.kernels.ticks import DONE, LATE, NEEDS_ROW, fold_ticks
from tapeline.live.panel import BarPanel, F, Index, N, sum_rows
from tapeline.live.quotes import Quotes
from tapeline.live.session import Session
from tapeline.streams.ticks import Origin, TickRows

Mask = NDArray[np.bool_]

_NOT_CLOSED = -1
_MIN_KEPT_ROWS = 30
"""Base bars kept for corrections, however short the timeframes."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bars of one timeframe and start that leave now."""

    start_ns: int
    columns: Index
    values: F64
    """(fields, columns) in the order of ``BAR_FIELDS``."""
    revision: I64
    origin: I64


class BarFold:
    """All bars of one lane that may still change.

    Parameters
    ----------
    timeframes_s
        Lengths of the bars in seconds, shortest (the base) first, each a multiple of the one before.
    grace_s
        How long after its end a bar stays open for late rows.
    session
        Remembers the bars that are forgotten.

    Attributes
    ----------
    panel
        The base bars.
    origins
        Feeds and labels by number.
    closed_upto_ns
        Bars that end by then are closed.
    floor_ns
        Rows that start before it are too late.
    revisions
        timeframe -> start -> int64 (n_columns,) revision that left last; -1 where the bar has not closed.
    """

    def __init__(self, timeframes_s: tuple[int, ...], grace_s: float, session: Session) -> None:
        self.timeframes_s = timeframes_s
        self._grace_ns = round(grace_s * NS_PER_S)
        self.session = session
        self.panel = BarPanel(timeframes_s[0] * NS_PER_S)
        self.origins: list[Origin] = []
        self.watermark_ns = self.closed_upto_ns = self.floor_ns = 0
        self.revisions: dict[int, dict[int, I64]] = {timeframe_s: {} for timeframe_s in timeframes_s}
        self._longest_ns = timeframes_s[-1] * NS_PER_S
        self._kept_rows = max(_MIN_KEPT_ROWS, 2 * timeframes_s[-1] // timeframes_s[0])

    def apply(self, frame: BarFrame, columns: Index) -> tuple[BarFrame, ...]:
        """Take good rows in and return the frames of bars that closed or were corrected, base timeframe first.

        When time has passed the end of a base bar and nothing traded, the base frame is there and empty: time itself
        is news to whoever waits for it.
        """
        origin = self._origin_number((frame.feed, frame.label))
        starts, changed = self.panel.fold(frame, columns, origin)
        self.watermark_ns = max(self.watermark_ns, frame.as_of_ns)
        return self._emit(starts, changed, origin)

    def apply_ticks(
        self, rows: TickRows, columns: Index, quotes: Quotes, dirty: Mask, late: Mask
    ) -> Iterator[tuple[int, tuple[BarFrame, ...]]]:
        """Take trades in, one after the other; yield (row, frames) for each row at which bars closed or changed.

        Parameters
        ----------
        rows
            Good rows only.
        columns
            (n,) column of each row.
        quotes
            Takes the newest quote of each symbol.
        dirty
            bool (n_columns,) is set for every symbol that something was said of.
        late
            bool (n,) is set for the rows that came too late.
        """
        origins = np.array([self._origin_number(each) for each in rows.origins], np.int64)
        origin, panel, at = origins[rows.origin], self.panel, 0
        while at < len(rows):
            touched = np.zeros(panel.n_rows, np.bool_)
            limits = (self.watermark_ns, self.closed_upto_ns, self.floor_ns, panel.base_ns, self._grace_ns)
            at, why, self.watermark_ns = fold_ticks(
                *(panel.slots, panel.n_rows, panel.floats, panel.ints),
                *(quotes.values, quotes.times, quotes.underlying, touched, dirty),
                *(at, columns, rows.event_ns, rows.numbers, origin, late, limits),
            )
            panel.touched.update(panel.times()[touched].tolist())
            if why == NEEDS_ROW:
                self.let_go()
                if rows.event_ns[at] >= self.floor_ns:
                    panel.insert(int(rows.event_ns[at]) // panel.base_ns * panel.base_ns)
            elif why != DONE:
                here = slice(at - 1, at if why == LATE else at - 1)
                starts = rows.event_ns[here] // panel.base_ns * panel.base_ns
                yield at - 1, self._emit(starts, columns[here], int(origin[at - 1]))

    def _emit(self, starts: I64, changed: Index, origin: int) -> tuple[BarFrame, ...]:
        """Close what time has passed; return it, and what changed of the closed."""
        before_ns, self.closed_upto_ns = (
            self.closed_upto_ns,
            max(self.closed_upto_ns, self.watermark_ns - self._grace_ns),
        )
        closed: list[BarFrame] = []
        for timeframe_s in self.timeframes_s:
            pieces = self._close(timeframe_s, starts, changed)
            closed += self._frames(timeframe_s, pieces)
            base_ns = self.panel.base_ns
            has_passed = self.closed_upto_ns // base_ns > before_ns // base_ns
            if timeframe_s == self.timeframes_s[0] and not pieces and has_passed:
                closed.append(self._frame(timeframe_s, [], origin))
        return tuple(closed)

    def let_go(self) -> None:
        """Forget the oldest bars when there are too many: whole bars of the longest timeframe."""
        if self.panel.n_rows <= 2 * self._kept_rows:
            return
        oldest_kept_ns = min(int(self.panel.times()[-self._kept_rows]), self.closed_upto_ns)
        start_ns = oldest_kept_ns // self._longest_ns * self._longest_ns
        self.session.let_go(self.panel, start_ns)
        self.panel.drop_before(start_ns)
        self.floor_ns = max(self.floor_ns, start_ns)
        for timeframe_s, kept in self.revisions.items():
            self.revisions[timeframe_s] = {start: revision for start, revision in kept.items() if start >= start_ns}

    def _origin_number(self, origin: Origin) -> int:
        if origin not in self.origins:
            self.origins.append(origin)
        return self.origins.index(origin)

    def _close(self, timeframe_s: int, changed_starts: I64, changed: Index) -> list[_Piece]:
        """Return the bars of one timeframe that close now, and closed ones that changed."""
        length_ns, left = timeframe_s * NS_PER_S, self.revisions[timeframe_s]
        starts = np.unique(self.panel.times() // length_ns * length_ns)
        closed = starts[starts + length_ns <= self.closed_upto_ns]
        touched = changed_starts // length_ns * length_ns
        pieces = []
        for start_ns in closed.tolist():
            here = changed[touched == start_ns]
            if start_ns in left and not here.size:
                continue
            values, origin = self._bar(start_ns, start_ns + length_ns)
            revision = widened(left.get(start_ns), self.panel.n_columns)
            leaving = revision == _NOT_CLOSED
            leaving[here] = True
            columns = np.flatnonzero(leaving & ~np.isnan(values[F.CLOSE]))
            revision[columns] += 1
            left[start_ns] = revision
            if columns.size:
                pieces.append(_Piece(start_ns, columns, values[:, columns], revision[columns], origin[columns]))
        return pieces

    def _bar(self, start_ns: int, end_ns: int) -> tuple[F64, I64]:
        """Return the values (fields, n_columns) and origins of the bars that span the base rows of [start, end)."""
        rows = self.panel.rows_between(start_ns, end_ns)
        block = self.panel.floats[:, rows]
        origin: I64 = self.panel.ints[N.ORIGIN, rows].max(axis=0)
        if end_ns - start_ns == self.panel.base_ns:
            return block[: len(BAR_FIELDS), 0], origin
        n_rows, n_columns = block.shape[1:]
        present, every = ~np.isnan(block[F.CLOSE]), np.arange(n_columns)
        known = ~np.isnan(block[F.VWAP])
        zero = np.zeros(n_columns)
        turnover = sum_rows(np.where(known, block[F.TURNOVER], 0.0), zero)
        volume = sum_rows(np.where(known, block[F.VOLUME], 0.0), zero)
        with np.errstate(invalid="ignore"):
            vwap = np.where(volume > 0, turnover / volume, np.nan)
        fields = (
            block[F.OPEN][present.argmax(axis=0), every],
            np.fmax.reduce(block[F.HIGH]),
            np.fmin.reduce(block[F.LOW]),
            block[F.CLOSE][n_rows - 1 - present[::-1].argmax(axis=0), every],
            sum_rows(block[F.VOLUME], zero),
            vwap,
            sum_rows(block[F.TRADES], zero),
        )
        return np.stack(fields), origin

    def _frames(self, timeframe_s: int, pieces: list[_Piece]) -> list[BarFrame]:
        """Join pieces to one frame per origin."""
        if not pieces:
            return []
        found = np.unique(np.concatenate([piece.origin for piece in pieces])).tolist()
        if len(found) == 1:
            return [self._frame(timeframe_s, pieces, found[0])]
        return [self._frame(timeframe_s, [_of_origin(piece, origin) for piece in pieces], origin) for origin in found]

    def _frame(self, timeframe_s: int, pieces: list[_Piece], origin: int) -> BarFrame:
        feed, label = self.origins[origin]
        none = np.zeros(0, np.int64)
        columns = np.concatenate([none, *(piece.columns for piece in pieces)])
        values = np.concatenate([np.zeros((len(BAR_FIELDS), 0)), *(piece.values for piece in pieces)], axis=1)
        names = self.panel.symbols
        fields: dict[str, Any] = dict(zip(BAR_FIELDS, values, strict=True))
        return BarFrame(
            timeframe_s,
            feed,
            label,
            self.watermark_ns,
            tuple(names[column] for column in columns.tolist()),
            np.concatenate([none, *(np.full(piece.columns.size, piece.start_ns) for piece in pieces)]),
            revision=np.concatenate([none, *(piece.revision for piece in pieces)]),
            **fields,
        )


def widened(revision: I64 | None, n_columns: int) -> I64:
    """Return a copy of revisions for ``n_columns`` symbols; those that appeared since have closed no bar."""
    wide = np.full(n_columns, _NOT_CLOSED, np.int64)
    if revision is not None:
        kept = revision[:n_columns]
        wide[: kept.size] = kept
    return wide


def _of_origin(piece: _Piece, origin: int) -> _Piece:
    mine = piece.origin == origin
    return _Piece(piece.start_ns, piece.columns[mine], piece.values[:, mine], piece.revision[mine], piece.origin[mine])
