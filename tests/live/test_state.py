"""A lane's state: hot values, refusals, and that a restored state continues to the bit."""

from __future__ import annotations

import dataclasses
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.live.rows_of import MINUTE_NS, PLAIN, START_NS, frame_of, minute, session, streams, trade

from tapeline.core.errors import BadMessage
from tapeline.core.types import BarFrame
from tapeline.grid import BarGrid, indicators
from tapeline.live.state import LaneState
from tapeline.streams import frames as codec


def everything(state: LaneState, frame: BarFrame) -> object:
    output = state.apply(frame)
    refused = [(part.reason, codec.encode(part.rows)) for part in output.refused]
    return [codec.encode(bars) for bars in output.closed], refused, state.take_hot()


def without_and_with_two_restarts(frames: list[BarFrame], cut: int) -> tuple[list[object], list[object]]:
    """Return what a lane tells from frame ``cut`` on: undisturbed, and restored there and halfway to the end."""
    straight, before = LaneState(PLAIN), LaneState(PLAIN)
    expected = [everything(straight, frame) for frame in frames]
    for frame in frames[:cut]:
        before.apply(frame)
    after = LaneState(PLAIN)
    parts = {name: part for name, part in before.take_snapshot().items() if part}
    after.restore(parts)
    before.take_hot()
    half = (cut + len(frames)) // 2
    told = [everything(after, frame) for frame in frames[cut:half]]
    parts |= after.take_snapshot()  # what changed since, on top of the first
    last = LaneState(PLAIN)
    last.restore({name: part for name, part in parts.items() if part})
    return expected[cut:], told + [everything(last, frame) for frame in frames[half:]]


@settings(deadline=None, max_examples=40)
@given(streams(), st.integers(0, 8))
def test_a_restored_state_continues_to_the_bit(frames: list[BarFrame], cut: int) -> None:
    undisturbed, restored = without_and_with_two_restarts(frames, min(cut, len(frames)))
    assert restored == undisturbed


@pytest.mark.parametrize("cut", [0, 1, 59, 60, 61, 62, 95, 130])
def test_a_state_restored_after_rows_were_let_go_continues_to_the_bit(cut: int) -> None:
    undisturbed, restored = without_and_with_two_restarts(session(130, [f"S{i}" for i in range(20)]), cut)
    assert len(restored) == 130 - cut
    assert restored == undisturbed


def test_hot_state_holds_the_session_and_the_indicators() -> None:
    frames = session(90, ("A", "B"), seed=3)
    state = LaneState(PLAIN)
    for frame in frames[:-1]:
        state.apply(frame)
    state.take_hot()
    everyone = frame_of([minute("A", 89, 55.0), minute("B", 89, 56.0)], START_NS + 90 * MINUTE_NS)
    state.apply(everyone)
    rows = BarFrame.concat([*frames[:-1], everyone], as_of_ns=everyone.as_of_ns)
    mine = rows.take(np.array([symbol == "A" for symbol in rows.symbols]))
    grid = BarGrid.empty(("A", "B"), 200, 60)
    grid.apply(rows)
    hot = state.take_hot()["A"]
    assert hot["last"] == 55.0
    assert hot["volume"] == mine.volume.sum()
    assert hot["session_vwap"] == pytest.approx((mine.vwap * mine.volume).sum() / mine.volume.sum(), rel=1e-12)
    assert (hot["day_open"], hot["day_high"], hot["day_low"]) == (mine.open[0], mine.high.max(), mine.low.min())
    assert hot["change_pct"] == (55.0 / mine.open[0] - 1.0) * 100.0
    assert hot["bar_ns"] == START_NS + 89 * MINUTE_NS
    assert (hot["feed"], hot["label"]) == ("sip", "bridged")
    for name, values in indicators(grid, PLAIN.indicators).items():
        assert hot[name] == pytest.approx(values[0], rel=1e-9)


def test_a_correction_corrects_the_session() -> None:
    state = LaneState(PLAIN)
    for frame in session(3, ("A",)):
        state.apply(frame)
    rows = [minute("A", k, 10.0 + k) for k in range(3)]
    state.apply(frame_of(rows, START_NS + 3 * MINUTE_NS, revision=1))
    hot = state.take_hot()["A"]
    assert (hot["volume"], hot["day_high"], hot["day_low"], hot["session_vwap"]) == (300.0, 13.0, 9.0, 11.0)


def test_a_new_session_begins_anew() -> None:
    state = LaneState(PLAIN)
    state.apply(frame_of([minute("A", 0, 10.0)], START_NS + MINUTE_NS))
    state.apply(frame_of([minute("A", 1440, 20.0)], START_NS + 1441 * MINUTE_NS))
    hot = state.take_hot()["A"]
    assert (hot["volume"], hot["day_low"], hot["change_pct"]) == (100.0, 19.0, 0.0)


def test_a_missing_number_is_absent_from_hot_state() -> None:
    state = LaneState(PLAIN)
    state.apply(frame_of([trade("A", START_NS, 10.0, 0.0)], START_NS, 0))
    hot = state.take_hot()["A"]
    assert "session_vwap" not in hot
    assert "sma_20" not in hot
    assert "bar_ns" not in hot
    assert not any(isinstance(value, float) and math.isnan(value) for value in hot.values())


def test_hot_state_is_taken_once_per_change() -> None:
    state = LaneState(PLAIN)
    state.apply(frame_of([minute("A", 0), minute("B", 0)], START_NS + MINUTE_NS))
    assert set(state.take_hot()) == {"A", "B"}
    assert state.take_hot() == {}
    state.apply(frame_of([minute("B", 1)], START_NS + 2 * MINUTE_NS))
    assert set(state.take_hot()) == {"B"}


def test_bad_rows_are_refused_and_the_others_applied() -> None:
    good, bad = minute("A", 0), minute("B", 0)
    frame = frame_of([good, (*bad[:2], -1.0, *bad[3:])], START_NS + MINUTE_NS)
    output = LaneState(PLAIN).apply(frame)
    assert [bars.symbols for bars in output.closed] == [("A",)]
    assert [(part.reason, part.rows.symbols) for part in output.refused] == [
        ("a price that is not a positive number", ("B",))
    ]


def test_a_row_whose_bar_is_gone_is_refused_as_too_late() -> None:
    state = LaneState(PLAIN)
    for frame in session(70, ("A",)):
        state.apply(frame)
    output = state.apply(frame_of([minute("A", 0)], START_NS + 70 * MINUTE_NS))
    assert [part.reason[:8] for part in output.refused] == ["too late"]


@pytest.mark.parametrize("timeframe_s", [300, 45])
def test_bars_that_do_not_fit_are_a_bad_message_and_change_nothing(timeframe_s: int) -> None:
    state = LaneState(PLAIN)
    state.take_snapshot()
    before = state.take_snapshot()
    with pytest.raises(BadMessage, match=f"{timeframe_s} s"):
        state.apply(frame_of([minute("A", 0)], START_NS, timeframe_s))
    assert state.take_snapshot() == before


@pytest.mark.parametrize("change", [{"timeframes_s": (60,)}, {"indicators": ("sma_20",)}])
def test_a_state_of_other_settings_is_refused(change: dict[str, object]) -> None:
    other = msgspec.structs.replace(PLAIN, **change)
    with pytest.raises(BadMessage, match="made with"):
        LaneState(PLAIN).restore(LaneState(other).take_snapshot())


def test_bytes_that_are_no_state_are_refused() -> None:
    with pytest.raises(BadMessage, match="not the state of a lane"):
        LaneState(PLAIN).restore({"head": b"\xc1"})


def test_a_lane_without_symbols_survives_a_restart() -> None:
    state = LaneState(PLAIN)
    state.apply(frame_of([], START_NS + MINUTE_NS))
    again = LaneState(PLAIN)
    again.restore(state.take_snapshot())
    assert dataclasses.asdict(again.apply(frame_of([], START_NS + MINUTE_NS)))["closed"] == ()
