"""The states of some lanes as the states of others: what a change of the number of lanes moves.

In: the saved parts of every lane, all as of the same moment.  Out: the parts of the lanes there will be, each symbol
with its bars, revisions, session totals, indicators and quotes, to the bit.
Refuses (``BadMessage``) states that were made with other timeframes or indicators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tapeline.core.config import LiveConfig
from tapeline.core.types import BAR_FIELDS, I64, BarFrame, Label
from tapeline.grid.join import join
from tapeline.live.bars import BarFold, widened
from tapeline.live.indicators import LaneIndicators
from tapeline.live.panel import N
from tapeline.live.parts import load_parts, to_parts
from tapeline.live.quotes import Quotes
from tapeline.live.session import Session, Totals

EVERYTHING = {"symbols", "revisions", "session", "grid"}


@dataclass(frozen=True, slots=True)
class _Lane:
    """A state, loaded."""

    fold: BarFold
    indicators: LaneIndicators
    quotes: Quotes


class LaneStates:
    """Reads and re-splits the states of lanes (see ``streams.relayout.States``).

    Parameters
    ----------
    config
        What the states were made with.
    """

    def __init__(self, config: LiveConfig) -> None:
        self._config = config

    def _empty(self) -> _Lane:
        config = self._config
        fold = BarFold(config.timeframes_s, config.grace_s, Session(config.session_start_utc_s))
        return _Lane(fold, LaneIndicators(config.indicators, config.window_bars, config.timeframes_s[0]), Quotes())

    def _load(self, parts: Mapping[str, bytes]) -> _Lane:
        lane = self._empty()
        load_parts(parts, self._config, lane.fold, lane.indicators, lane.quotes)
        return lane

    def symbols_of(self, parts: Mapping[str, bytes]) -> tuple[str, ...]:
        """Return the symbols of a state."""
        return tuple(self._load(parts).fold.panel.symbols) if parts else ()

    def time_of(self, parts: Mapping[str, bytes]) -> BarFrame | None:
        """Return a frame without rows that says how far time has come in a state; None before the first row."""
        fold = self._load(parts).fold if parts else None
        if fold is None or not fold.watermark_ns:
            return None
        feed, label = fold.origins[-1] if fold.origins else ("", Label.REAL)
        fields: dict[str, Any] = dict.fromkeys(BAR_FIELDS, np.zeros(0))
        return BarFrame(fold.timeframes_s[0], feed, label, fold.watermark_ns, (), np.zeros(0, np.int64), **fields)

    def split(
        self, states: Sequence[Mapping[str, bytes]], lane_of: Callable[[str], int], n_lanes: int
    ) -> list[dict[str, bytes]]:
        """Return the state of each of ``n_lanes`` lanes; no parts when nothing was ever applied.

        Parameters
        ----------
        states
            Of every lane there is. Time has come equally far in all of them.
        lane_of
            The lane that a symbol will have.
        n_lanes
            How many there will be.
        """
        lanes = [self._load(parts) for parts in states if parts]
        if not lanes:
            return [{} for _ in range(n_lanes)]
        floor_ns = max(lane.fold.floor_ns for lane in lanes)
        for lane in lanes:
            _let_go(lane.fold, floor_ns)
        names: list[dict[str, None]] = [{} for _ in range(n_lanes)]
        for lane in lanes:
            for symbol in lane.fold.panel.symbols:
                names[lane_of(symbol)][symbol] = None
        return [self._build(lanes, tuple(each)) for each in names]

    def _build(self, lanes: Sequence[_Lane], names: tuple[str, ...]) -> dict[str, bytes]:
        made = self._empty()
        fold, panel = made.fold, made.fold.panel
        panel.columns_of(names)
        made.quotes.grow(panel.symbols, panel.n_columns)
        fold.origins = list(dict.fromkeys(origin for lane in lanes for origin in lane.fold.origins))
        fold.watermark_ns = max(lane.fold.watermark_ns for lane in lanes)
        fold.closed_upto_ns = max(lane.fold.closed_upto_ns for lane in lanes)
        fold.floor_ns = lanes[0].fold.floor_ns
        if names:
            self._move_all(lanes, names, made)
        return to_parts(self._config, fold, made.indicators, made.quotes, EVERYTHING)

    @staticmethod
    def _move_all(lanes: Sequence[_Lane], names: tuple[str, ...], made: _Lane) -> None:
        """Move what the lanes hold of ``names`` into an empty one."""
        fold, panel = made.fold, made.fold.panel
        for start_ns in np.unique(np.concatenate([lane.fold.panel.times() for lane in lanes])).tolist():
            panel.insert(start_ns)
            panel.touched.add(start_ns)
        anchors = [lane.fold.session for lane in lanes if lane.fold.session.anchor is not None]
        if anchors:
            fold.session.anchor_start_ns = max(session.anchor_start_ns for session in anchors)
            fold.session.anchor = Totals.nothing(panel.n_columns)
        known = np.zeros(panel.n_columns, np.bool_)
        for lane in lanes:
            held = {symbol: column for column, symbol in enumerate(lane.fold.panel.symbols)}
            old = np.array([held.get(symbol, -1) for symbol in names], np.int64)
            new = np.flatnonzero((old >= 0) & ~known[: old.size])
            known[new] = True
            _move(lane, old[new], made, new)
        made.indicators.replace(join([lane.indicators.grid for lane in lanes], names))


def _let_go(fold: BarFold, floor_ns: int) -> None:
    """Forget what the lane that has forgotten most has forgotten."""
    if fold.floor_ns < floor_ns and fold.panel.n_rows:
        fold.session.let_go(fold.panel, floor_ns)
        fold.panel.drop_before(floor_ns)
    fold.floor_ns = floor_ns
    for timeframe_s, kept in fold.revisions.items():
        fold.revisions[timeframe_s] = {start: revision for start, revision in kept.items() if start >= floor_ns}


def _move(lane: _Lane, old: I64, made: _Lane, new: I64) -> None:
    """Copy some columns of a lane into another, which has all its rows."""
    source, fold = lane.fold, made.fold
    rows = np.searchsorted(fold.panel.times(), source.panel.times())[:, None]
    fold.panel.floats[:, rows, new] = source.panel.floats[:, : source.panel.n_rows][:, :, old]
    ints = source.panel.ints[:, : source.panel.n_rows][:, :, old]
    numbers = np.array([fold.origins.index(origin) for origin in source.origins] + [-1], np.int64)  # -1 stays -1
    ints[N.ORIGIN] = numbers[ints[N.ORIGIN]]
    fold.panel.ints[:, rows, new] = ints
    for timeframe_s, kept in source.revisions.items():
        left = fold.revisions[timeframe_s]
        for start_ns, revision in kept.items():
            left.setdefault(start_ns, widened(None, fold.panel.n_columns))[new] = widened(
                revision, source.panel.n_columns
            )[old]
    made.quotes.values[:, new] = lane.quotes.values[:, old]
    made.quotes.times[new] = lane.quotes.times[old]
    ours, theirs = fold.session, source.session
    if ours.anchor is not None and theirs.anchor is not None and theirs.anchor_start_ns == ours.anchor_start_ns:
        ours.anchor.table[:, new] = theirs.anchor.widened(source.panel.n_columns).table[:, old]
