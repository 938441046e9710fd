"""Longer bars are the exact sum of the minutes in them, by sessions, whatever the order of arrival."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from tests.kernels.market import DAY_NS, frame_of, random_panel, symbols_of

from tapeline.core.errors import BadArgument, BadInput, BadMessage
from tapeline.core.types import NS_PER_S
from tapeline.grid.timeframes import Timeframes

MINUTE_NS = 60 * NS_PER_S
OPEN_NS = 14 * 60 * MINUTE_NS


@dataclass(frozen=True)
class Span:
    open_ns: int
    close_ns: int


class ShortDays:
    """Sessions of 12 minutes, every day from 14:00 UTC."""

    def next_session(self, moment_ns: int) -> Span:
        day = moment_ns // DAY_NS
        if moment_ns >= day * DAY_NS + OPEN_NS + 12 * MINUTE_NS:
            day += 1
        return Span(day * DAY_NS + OPEN_NS, day * DAY_NS + OPEN_NS + 12 * MINUTE_NS)


def minutes() -> dict[str, np.ndarray]:
    panel = random_panel(24, 4, gaps=0.2)
    panel["event_ns"] = np.array([d * DAY_NS + OPEN_NS + m * MINUTE_NS for d in (0, 1) for m in range(12)])
    return panel


def fed(order: range | list[int]) -> Timeframes:
    panel, frames = minutes(), Timeframes(symbols_of(4), {60: 40, 300: 10, 86_400: 5}, ShortDays())
    for row in order:
        frames.apply(frame_of(panel, row, 60))
    return frames


def test_bars_count_from_the_open_and_the_last_is_short() -> None:
    starts = (fed(range(24))[300].event_ns[:3] - OPEN_NS) // MINUTE_NS
    assert starts.tolist() == [0, 5, 10]
    assert fed(range(24))[86_400].n_bars == 2


def test_long_bar_is_the_sum_of_its_minutes() -> None:
    panel, frames = minutes(), fed(range(24))
    for grid, low, high in ((frames[300], 5, 10), (frames[86_400], 0, 12)):
        row = 1 if high == 10 else 0
        for column in range(4):
            traded = ~np.isnan(panel["close"][low:high, column])
            block = {name: field[low:high, column][traded] for name, field in panel.items() if name != "event_ns"}
            assert grid.field("open")[row, column] == block["open"][0]
            assert grid.field("close")[row, column] == block["close"][-1]
            assert grid.field("high")[row, column] == block["high"].max()
            assert grid.field("low")[row, column] == block["low"].min()
            assert grid.field("volume")[row, column] == block["volume"].sum()
            known = ~np.isnan(block["vwap"])
            dollars, shares = (block["vwap"] * block["volume"])[known].sum(), block["volume"][known].sum()
            np.testing.assert_allclose(grid.field("vwap")[row, column], dollars / shares if shares else np.nan)


def test_order_of_arrival_and_repeats_change_nothing() -> None:
    straight, mixed = fed(range(24)), fed([3, 0, 1, 2, 2, *range(23, 3, -1), 7])
    for timeframe in (60, 300, 86_400):
        np.testing.assert_array_equal(straight[timeframe].field("close"), mixed[timeframe].field("close"))
        np.testing.assert_array_equal(straight[timeframe].field("volume"), mixed[timeframe].field("volume"))


def test_revised_minute_revises_its_long_bars() -> None:
    panel, frames = minutes(), fed(range(24))
    before = frames[86_400].last("volume")
    panel["volume"][23] += 1_000.0
    frames.apply(frame_of(panel, 23, 60, revision=1))
    traded = ~np.isnan(panel["close"][23])
    np.testing.assert_array_equal(frames[86_400].last("volume") - before, np.where(traded, 1_000.0, 0.0))


def test_minutes_outside_sessions_stay_minutes() -> None:
    panel, frames = minutes(), fed(range(12))
    panel["event_ns"][12] = OPEN_NS - 30 * MINUTE_NS
    frames.apply(frame_of(panel, 12, 60))
    assert frames[60].n_bars == 13
    assert frames[300].n_bars == 3


def test_too_few_minutes_for_a_long_bar_are_refused_before_anything_changes() -> None:
    panel, frames = minutes(), Timeframes(symbols_of(4), {60: 4, 86_400: 5}, ShortDays())
    for row in range(4):
        frames.apply(frame_of(panel, row, 60))
    before = frames.snapshot()
    with pytest.raises(BadInput, match="too few"):
        frames.apply(frame_of(panel, 4, 60))
    assert frames.snapshot() == before


@pytest.mark.parametrize(
    ("n_bars", "reason"),
    [
        ({60: 4, 90: 4}, "multiple"),
        ({60: 4, 300: 4}, "too few"),
        ({}, "no timeframe"),
        ({0: 4}, "whole number"),
        ({60: 4, 432_000: 4}, "whole number"),
    ],
)
def test_timeframes_that_cannot_be_built_are_refused(n_bars: dict[int, int], reason: str) -> None:
    with pytest.raises(BadArgument, match=reason):
        Timeframes(["A"], n_bars, ShortDays())


def test_timeframe_that_is_not_kept_is_refused_with_those_that_are() -> None:
    with pytest.raises(BadArgument, match="60, 300"):
        fed(range(1))[77]


def test_sessions_cut_by_the_exchanges_day_are_refused() -> None:
    frames = Timeframes(symbols_of(4), {60: 40, 300: 10}, ShortDays(), day_begins_s=14 * 3600 + 300)
    with pytest.raises(BadInput, match="day_begins_s"):
        frames.apply(frame_of(minutes(), 0, 60))


def test_universe_grows_and_a_split_reaches_every_timeframe() -> None:
    frames = fed(range(24))
    grown = frames.with_symbols([*symbols_of(4), "NEW"])
    assert grown[300].symbols == (*symbols_of(4), "NEW")
    np.testing.assert_array_equal(grown[86_400].field("close")[:, :4], frames[86_400].field("close"))
    grown.adjust("S1", DAY_NS, 0.5)
    for timeframe in (60, 300, 86_400):
        old, new = frames[timeframe], grown[timeframe]
        factor = np.where(old.event_ns < DAY_NS, 0.5, 1.0)
        np.testing.assert_array_equal(new.field("close")[:, 1], old.field("close")[:, 1] * factor)


def test_snapshot_restores_every_timeframe_and_goes_on() -> None:
    frames = fed(range(20))
    twin = Timeframes.restore(frames.snapshot(), ShortDays())
    for row in range(20, 24):
        assert frames.apply(frame_of(minutes(), row, 60)) == twin.apply(frame_of(minutes(), row, 60))
    assert twin.snapshot() == frames.snapshot()
    with pytest.raises(BadMessage):
        Timeframes.restore(b"nonsense", ShortDays())
