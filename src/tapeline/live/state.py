"""The state of one lane: what a tick does.

In: one frame after the other.  Out: closed bars, refused rows, hot state; all of it as bytes, to continue elsewhere.
A function of the frames alone: no clock, no randomness. Restored from a snapshot it continues to the bit.
"""

from __future__ import annotations

import msgspec
import numpy as np

from tapeline.core.config import LiveConfig
from tapeline.core.errors import BadMessage
from tapeline.core.types import F64, BarFrame, Label
from tapeline.grid import BarGrid
from tapeline.live.bars import BarFold, widened
from tapeline.live.indicators import LaneIndicators
from tapeline.live.panel import F, Index, N
from tapeline.live.rows import split_rows
from tapeline.live.session import Session, Totals
from tapeline.streams.processor import HotRow, LaneOutput

SNAPSHOT_VERSION = 1


class _Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """A lane as bytes. Arrays are cut to the rows and columns in use."""

    version: int
    timeframes_s: tuple[int, ...]
    indicators: tuple[str, ...]
    symbols: list[str]
    origins: list[tuple[str, Label]]
    watermark_ns: int
    closed_upto_ns: int
    floor_ns: int
    slots: bytes
    floats: bytes
    ints: bytes
    revisions: dict[int, dict[int, bytes]]
    session_start_ns: int
    session: list[bytes]
    grid: bytes


class LaneState:
    """The processor of one lane (see ``streams.processor.Processor``).

    Parameters
    ----------
    config
        Timeframes, indicators, window, grace.
    """

    def __init__(self, config: LiveConfig) -> None:
        self._config = config
        self._fold = BarFold(config.timeframes_s, config.grace_s)
        self._session = Session(config.session_start_utc_s)
        self._indicators = LaneIndicators(config.indicators, config.window_bars, config.timeframes_s[0])
        self._changed: set[int] = set()

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
        columns = self._fold.panel.columns_of(good.symbols)
        closed = self._fold.apply(good, columns)
        self._changed.update(columns.tolist())
        for bars in closed:
            if bars.timeframe_s == base_s and len(bars):
                self._indicators.apply(bars, self._fold.panel.symbols)
                self._changed.update(self._fold.panel.columns_of(bars.symbols).tolist())
        self._let_go()
        return LaneOutput(closed, refused)

    def _let_go(self) -> None:
        excess_ns = self._fold.excess_ns()
        if excess_ns is not None:
            self._session.let_go(self._fold.panel, excess_ns)
            self._fold.drop_before(excess_ns)

    def take_hot(self) -> dict[str, HotRow]:
        """Return the newest values of every symbol that changed since the last call; a missing number is absent."""
        columns = np.array(sorted(self._changed), np.intp)
        self._changed.clear()
        panel = self._fold.panel
        if not columns.size or not panel.n_rows:
            return {}
        present = ~np.isnan(panel.floats[F.CLOSE, : panel.n_rows, columns])  # (columns, rows)
        columns, present = columns[present.any(axis=1)], present[present.any(axis=1)]
        last_row = panel.n_rows - 1 - present[:, ::-1].argmax(axis=1)
        numbers = self._numbers(columns, last_row)
        names = list(numbers)
        table = np.stack(list(numbers.values()), axis=1)
        rows = [
            {name: value for name, value in zip(names, values, strict=True) if value == value}  # NaN is left out
            for values in table.tolist()
        ]
        starts, bar_starts = panel.times()[last_row].tolist(), self._indicators.bar_starts()
        origins = panel.ints[N.ORIGIN, last_row, columns].tolist()
        hot: dict[str, HotRow] = {}
        for column, row, start_ns, origin in zip(columns.tolist(), rows, starts, origins, strict=True):
            feed, label = self._fold.origins[origin]
            hot[panel.symbols[column]] = {**row, "open_ns": start_ns, "feed": feed, "label": str(label)}
            if column < bar_starts.size and bar_starts[column] >= 0:
                hot[panel.symbols[column]]["bar_ns"] = int(bar_starts[column])
        return hot

    def _numbers(self, columns: Index, last_row: Index) -> dict[str, F64]:
        """Return name -> float64 (columns,)."""
        panel, totals = self._fold.panel, self._session.totals(self._fold.panel)
        last = panel.floats[F.CLOSE, last_row, columns]
        first = totals.open[columns]
        found = {
            "last": last,
            "session_vwap": totals.vwap[columns],
            "volume": totals.volume[columns],
            "day_open": first,
            "day_high": totals.high[columns],
            "day_low": totals.low[columns],
            "change_pct": (last / first - 1.0) * 100.0,
        }
        for name, values in self._indicators.newest().items():
            wide = np.full(panel.n_columns, np.nan)
            wide[: values.size] = values
            found[name] = wide[columns]
        return found

    def snapshot(self) -> bytes:
        """Return the whole state; the same state gives the same bytes."""
        fold, panel, session = self._fold, self._fold.panel, self._session
        n, wide = panel.n_rows, len(panel.symbols)
        anchor = session.anchor.arrays() if session.anchor is not None else ()
        return msgspec.msgpack.encode(
            _Snapshot(
                version=SNAPSHOT_VERSION,
                timeframes_s=self._config.timeframes_s,
                indicators=self._config.indicators,
                symbols=panel.symbols,
                origins=fold.origins,
                watermark_ns=fold.watermark_ns,
                closed_upto_ns=fold.closed_upto_ns,
                floor_ns=fold.floor_ns,
                slots=panel.times().tobytes(),
                floats=panel.floats[:, :n, :wide].tobytes(),
                ints=panel.ints[:, :n, :wide].tobytes(),
                revisions={
                    t: {s: widened(r, wide).tobytes() for s, r in kept.items()} for t, kept in fold.revisions.items()
                },
                session_start_ns=session.anchor_start_ns,
                session=[values[:wide].tobytes() for values in anchor],
                grid=self._indicators.grid.snapshot(),
            )
        )

    def restore(self, snapshot: bytes) -> None:
        """Take over a state.

        Raises
        ------
        BadMessage
            When it is none of ours, or was made with other timeframes or indicators.
        """
        try:
            kept = msgspec.msgpack.decode(snapshot, type=_Snapshot)
        except msgspec.DecodeError as error:
            raise BadMessage(f"not the state of a lane: {error}") from error
        made_with = (kept.version, kept.timeframes_s, kept.indicators)
        ours = (SNAPSHOT_VERSION, self._config.timeframes_s, self._config.indicators)
        if made_with != ours:
            raise BadMessage(
                f"the lane's state was made with version, timeframes and indicators {made_with}, and we have {ours}: "
                "set live.timeframes_s and live.indicators back, or use an empty stream server"
            )
        fold, wide = self._fold, len(kept.symbols)
        slots = np.frombuffer(kept.slots, np.int64)
        shape = (slots.size, wide)
        floats = np.frombuffer(kept.floats).reshape(len(F), *shape)
        fold.panel.load(kept.symbols, slots, floats, np.frombuffer(kept.ints, np.int64).reshape(len(N), *shape))
        fold.origins = list(kept.origins)
        fold.watermark_ns, fold.closed_upto_ns, fold.floor_ns = kept.watermark_ns, kept.closed_upto_ns, kept.floor_ns
        fold.revisions = {
            t: {start: np.frombuffer(raw, np.int64) for start, raw in revisions.items()}
            for t, revisions in kept.revisions.items()
        }
        self._session.anchor_start_ns = kept.session_start_ns
        self._session.anchor = Totals(*(np.frombuffer(raw) for raw in kept.session)) if kept.session else None
        self._indicators.grid = BarGrid.restore(kept.grid)
        self._changed.clear()
