"""States of some lanes as states of others: whatever the lanes were and become, nothing that follows can tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.chaos import kills
from tests.live.rows_of import MINUTE_NS, START_NS, last_words

from tapeline.core.config import LiveConfig
from tapeline.core.config.streams import PatternConfig
from tapeline.core.errors import BadMessage
from tapeline.core.instruments import underlying_of
from tapeline.core.types import BAR_FIELDS, BarFrame, Label
from tapeline.live.resplit import LaneStates
from tapeline.live.state import LaneState
from tapeline.streams.lanes import lane_of
from tapeline.streams.ticks import TickRows

LIVE = LiveConfig(
    timeframes_s=(60, 120),
    indicators=("sma_20", "rsi_14", "ema_12"),
    window_bars=30,
    patterns=PatternConfig(window_bars=10, leg_bars=2, turn_bars=2),
)
SYMBOLS = ("AAPL", "MSFT", "NVDA", "TSLA", "AAPL260618C00270000")
STATES = LaneStates(LIVE)


def ticks(minutes: Iterable[int], seed: int) -> list[TickRows]:
    """Return a chunk per minute; every symbol trades a few times in each, some minutes with much more volume."""
    rng, chunks = np.random.default_rng(seed), []
    for k in minutes:
        n = 3 * len(SYMBOLS)
        symbol = np.resize(np.arange(len(SYMBOLS)), n)
        at_ns = START_NS + k * MINUTE_NS + np.sort(rng.integers(0, MINUTE_NS, n))
        numbers = np.full((n, 5), np.nan)
        numbers[:, 0] = 100.0 + rng.integers(-50, 50, n) / 100 + (symbol == 4) * -90 + (k % 13 == 12) * 3
        numbers[:, 1] = rng.integers(1, 100, n) * (1 + 40 * (k % 13 == 12))
        numbers[:, 2] = numbers[:, 0] - 0.01
        chunks.append(TickRows(SYMBOLS, (("ticks", Label.REAL),), symbol, np.zeros(n, np.int64), at_ns, numbers))
    return chunks


def now(as_of_ns: int) -> BarFrame:
    fields: dict[str, Any] = dict.fromkeys(BAR_FIELDS, np.zeros(0))
    return BarFrame(60, "ticks", Label.REAL, as_of_ns, (), np.zeros(0, np.int64), **fields)


class Lanes:
    """Lanes, each with its state, and everything that they ever said."""

    def __init__(self, n: int) -> None:
        self.states = [LaneState(LIVE) for _ in range(n)]
        self.saved: list[dict[str, bytes]] = [{} for _ in range(n)]
        self.closed: list[BarFrame] = []
        self.alerts: list[str] = []
        self.hot: dict[str, Any] = {}

    def apply(self, rows: TickRows) -> None:
        lanes = np.array([lane_of(s, len(self.states), underlying_of) for s in rows.symbols])[rows.symbol]
        for lane in np.unique(lanes).tolist():
            output = self.states[lane].apply_ticks(rows.take(np.flatnonzero(lanes == lane)))
            assert not output.refused
            for _, step in output.steps:
                self.say(step)

    def say(self, output: Any) -> None:
        self.closed += output.closed
        self.alerts += [alert.id for alert in output.alerts]

    def reach(self, as_of_ns: int) -> None:
        for state in self.states:
            self.say(state.apply(now(as_of_ns)))

    def save(self) -> None:
        for state, parts in zip(self.states, self.saved, strict=True):
            parts |= state.take_snapshot()
            for name in [name for name, part in parts.items() if not part]:
                del parts[name]

    def change(self, n: int) -> None:
        """Become ``n`` lanes."""
        for state in self.states:
            self.hot |= state.take_hot()
        self.save()
        times = [frame.as_of_ns for parts in self.saved if (frame := STATES.time_of(parts)) is not None]
        if times:
            self.reach(max(times))
            self.save()
        self.saved = STATES.split(self.saved, lambda symbol: lane_of(symbol, n, underlying_of), n)
        self.states = [LaneState(LIVE) for _ in range(n)]
        for state, parts in zip(self.states, self.saved, strict=True):
            if parts:
                state.restore(parts)

    def result(self) -> tuple[Any, ...]:
        for state in self.states:
            self.hot |= state.take_hot()
        return last_words(self.closed), sorted(self.alerts), self.hot


def run(n_lanes: int, changes: Sequence[tuple[int, int]], seed: int = 1, n_minutes: int = 45) -> tuple[Any, ...]:
    """Run some minutes, changing the number of lanes after some of the chunks."""
    lanes = Lanes(n_lanes)
    for k, rows in enumerate(ticks(range(n_minutes), seed)):
        lanes.apply(rows)
        for at, n in changes:
            if at == k:
                lanes.change(n)
    lanes.reach(START_NS + n_minutes * MINUTE_NS)
    return lanes.result()


@cache
def undisturbed() -> tuple[Any, ...]:
    return run(1, ())


def test_the_undisturbed_run_has_something_to_lose() -> None:
    bars, alerts, hot = undisturbed()
    assert len(bars) > 200
    assert len(alerts) > 3
    assert all("rsi_14" in row for row in hot.values())
    assert "delta" in hot["AAPL260618C00270000"]


changes = st.lists(st.tuples(st.integers(0, 44), st.integers(1, 5)), max_size=4)


@settings(max_examples=kills(10, 300), deadline=None)
@given(st.integers(1, 5), changes)
def test_any_changes_at_any_time_are_as_none(n: int, at: list[tuple[int, int]]) -> None:
    assert run(n, at) == undisturbed()


def test_lanes_that_dropped_different_rows_go_on_together() -> None:
    assert run(3, [(120, 1)], n_minutes=150) == run(1, (), n_minutes=150) == run(2, [(100, 4)], n_minutes=150)


def test_nothing_becomes_nothing() -> None:
    assert STATES.split([{}, {}], lambda _: 0, 3) == [{}, {}, {}]
    assert STATES.time_of({}) is None
    assert STATES.symbols_of({}) == ()


def test_a_state_of_other_timeframes_is_refused() -> None:
    state = LaneState(LiveConfig(timeframes_s=(60, 300)))
    state.apply(now(START_NS))
    with pytest.raises(BadMessage, match="timeframes"):
        STATES.split([state.take_snapshot()], lambda _: 0, 1)
