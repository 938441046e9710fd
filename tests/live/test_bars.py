"""The fold: what closes, when, and what a late row does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.live.rows_of import (
    MINUTE_NS,
    START_NS,
    NaiveBars,
    frame_of,
    last_words,
    minute,
    session,
    streams,
    trade,
)

from tapeline.core.types import BarFrame, Label
from tapeline.live.bars import BarFold
from tapeline.live.session import Session

FAR_NS = START_NS + 3_600 * 10**9


def fold(frames: list[BarFrame], grace_s: float = 0.0) -> list[BarFrame]:
    bars = BarFold((60, 300), grace_s, Session(18_000))
    return [closed for frame in frames for closed in bars.apply(frame, bars.panel.columns_of(frame.symbols))]


def only(frames: list[BarFrame], timeframe_s: int = 60) -> BarFrame:
    (found,) = [frame for frame in frames if frame.timeframe_s == timeframe_s and len(frame)]
    return found


def test_trades_of_a_minute_become_its_bar_in_exchange_time() -> None:
    rows = [
        trade("A", START_NS + 30, 12.0, 1.0),
        trade("A", START_NS + 10, 10.0, 2.0),
        trade("A", START_NS + 50, 11.0, 1.0),
        trade("A", START_NS + 40, 9.0, 4.0),
    ]
    bar = only(fold([frame_of(rows, START_NS + MINUTE_NS, 0)]))
    values = [float(column[0]) for column in (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.vwap)]
    assert values == [10.0, 12.0, 9.0, 11.0, 8.0, (12.0 + 20.0 + 11.0 + 36.0) / 8.0]
    assert bar.trades[0] == 4.0


def test_of_equal_times_the_first_opens_and_the_last_closes() -> None:
    rows = [trade("A", START_NS, price, 1.0) for price in (3.0, 1.0, 2.0)]
    bar = only(fold([frame_of(rows, START_NS + MINUTE_NS, 0)]))
    assert (bar.open[0], bar.close[0]) == (3.0, 2.0)


def test_nothing_closes_before_its_end_has_passed() -> None:
    closed = fold([frame_of([minute("A", 0)], START_NS + MINUTE_NS - 1)])
    assert [len(frame) for frame in closed] == [0]


def test_a_minute_without_rows_closes_as_an_empty_frame() -> None:
    closed = fold([frame_of([], START_NS), frame_of([], START_NS + MINUTE_NS)])[-1]
    assert (len(closed), closed.timeframe_s, closed.as_of_ns) == (0, 60, START_NS + MINUTE_NS)


def test_a_minute_said_twice_closes_once() -> None:
    again = [frame_of([minute("A", 0)], START_NS + MINUTE_NS)] * 2
    assert len(fold(again)) == 1


def test_a_correction_leaves_with_the_next_revision_in_every_timeframe() -> None:
    frames = [frame_of([minute("A", k)], START_NS + (k + 1) * MINUTE_NS) for k in range(5)]
    frames.append(frame_of([minute("A", 2, close=20.0)], START_NS + 5 * MINUTE_NS, revision=1))
    words = last_words(fold(frames))
    assert words[60, "A", START_NS + 2 * MINUTE_NS] == (1, (20.0, 21.0, 19.0, 20.0, 100.0, 20.0))
    revision, values = words[300, "A", START_NS]
    assert (revision, values[1]) == (1, 21.0)
    assert words[60, "A", START_NS][0] == 0


def test_an_older_revision_changes_nothing() -> None:
    newer = frame_of([minute("A", 0, close=20.0)], START_NS + MINUTE_NS, revision=2)
    older = frame_of([minute("A", 0, close=30.0)], START_NS + MINUTE_NS, revision=1)
    assert last_words(fold([newer, older]))[60, "A", START_NS][1][3] == 20.0


def test_time_may_pass_several_minutes_at_once() -> None:
    frames = [frame_of([minute("A", k) for k in range(7)], START_NS + 7 * MINUTE_NS)]
    closed = fold(frames)
    assert only(closed).event_ns.tolist() == [START_NS + k * MINUTE_NS for k in range(7)]
    assert only(closed, 300).event_ns.tolist() == [START_NS]


def test_a_late_trade_within_grace_merges_without_a_revision() -> None:
    frames = [
        frame_of([trade("A", START_NS, 10.0, 1.0)], START_NS + MINUTE_NS, 0),
        frame_of([trade("A", START_NS + 1, 12.0, 1.0)], START_NS + MINUTE_NS + 10**9, 0),
        frame_of([], START_NS + MINUTE_NS + 5 * 10**9, 0),
    ]
    words = last_words(fold(frames, grace_s=5.0))
    assert words[60, "A", START_NS] == (0, (10.0, 12.0, 10.0, 12.0, 2.0, 11.0))


def test_a_symbol_that_comes_late_to_a_closed_minute_is_its_first_word() -> None:
    frames = [
        frame_of([minute("A", 0)], START_NS + MINUTE_NS),
        frame_of([minute("B", 0)], START_NS + 2 * MINUTE_NS),
    ]
    assert last_words(fold(frames))[60, "B", START_NS][0] == 0


def test_feeds_are_never_mixed_inside_a_frame() -> None:
    one = frame_of([minute("A", 0)], START_NS)
    other = frame_of([minute("B", 0)], START_NS + MINUTE_NS)
    closed = fold([one, replace(other, feed="iex", label=Label.REAL)])
    assert [(frame.feed, frame.label, frame.symbols) for frame in closed if len(frame)] == [
        ("sip", Label.BRIDGED, ("A",)),
        ("iex", Label.REAL, ("B",)),
    ]


@given(streams(), st.sampled_from([0.0, 20.0, 120.0]))
def test_every_minute_ends_as_the_naive_twin_says(frames: list[BarFrame], grace_s: float) -> None:
    naive = NaiveBars()
    for frame in frames:
        naive.apply(frame)
    words = last_words(fold([*frames, frame_of([], FAR_NS)], grace_s))
    ours = {key[1:]: values for key, (_, values) in words.items() if key[0] == 60}
    np.testing.assert_equal(ours, naive.bars())


@given(streams())
def test_five_minutes_are_their_minutes(frames: list[BarFrame]) -> None:
    words = last_words(fold([*frames, frame_of([], FAR_NS)]))
    for (timeframe_s, symbol, start_ns), (_, values) in words.items():
        if timeframe_s == 300:
            keys = [(60, symbol, start_ns + k * MINUTE_NS) for k in range(5)]
            parts = [words[key][1] for key in keys if key in words]
            assert values[0] == parts[0][0]
            assert values[1] == max(part[1] for part in parts)
            assert values[2] == min(part[2] for part in parts)
            assert values[3] == parts[-1][3]
            np.testing.assert_allclose(values[4], sum(part[4] for part in parts), rtol=1e-12)


@given(streams())
def test_how_rows_are_cut_into_frames_changes_no_bit(frames: list[BarFrame]) -> None:
    cut = []
    for frame in frames:
        cut += [replace(frame.take(np.array([i])), as_of_ns=START_NS) for i in range(len(frame))]
        cut.append(frame_of([], frame.as_of_ns))
    end = [frame_of([], FAR_NS)]
    whole, parts = last_words(fold([*frames, *end])), last_words(fold([*cut, *end]))
    np.testing.assert_equal({k: v[1] for k, v in parts.items()}, {k: v[1] for k, v in whole.items()})


@given(streams())
def test_a_symbol_in_company_is_the_symbol_alone(frames: list[BarFrame]) -> None:
    alone = [frame.take(np.array([symbol == "A" for symbol in frame.symbols], np.bool_)) for frame in frames]
    end = [frame_of([], FAR_NS)]
    company = {key: word for key, word in last_words(fold([*frames, *end])).items() if key[1] == "A"}
    np.testing.assert_equal(last_words(fold([*alone, *end])), company)


def test_rows_go_when_there_are_many_and_whole_bars_stay() -> None:
    bars = BarFold((60, 300), 0.0, Session(18_000))
    for frame in session(200, ("A", "B")):
        bars.apply(frame, bars.panel.columns_of(frame.symbols))
        bars.let_go()
        assert bars.floor_ns % (300 * 10**9) == 0
    assert 30 <= bars.panel.n_rows <= 61
    assert bars.floor_ns == int(bars.panel.times()[0])
    assert all(min(kept) >= bars.floor_ns for kept in bars.revisions.values())


def test_rows_that_are_not_closed_stay() -> None:
    bars = BarFold((60, 300), 0.0, Session(18_000))
    rows = [minute("A", k) for k in range(100)]
    bars.apply(frame_of(rows, START_NS), bars.panel.columns_of(("A",) * 100))
    bars.let_go()
    assert bars.panel.n_rows == 100
