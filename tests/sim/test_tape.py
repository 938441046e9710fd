"""The tape: exact sums, and nothing from after now."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sim.worlds import DAY, SESSIONS, SYMBOLS, at, daily_of, make_market, with_other_future

from tapeline.core.types import NS_PER_S, Label
from tapeline.sim.market import MINUTE_NS, CorporateAction
from tapeline.sim.tape import CLOSE, VOLUME, Tape, aggregate

MARKET = make_market()
ALL = np.arange(len(SYMBOLS))


def test_a_minute_appears_one_second_after_its_end() -> None:
    tape = Tape(MARKET)
    early = tape.minutes(ALL, at("09:30"), at("16:00"), at("09:31") + NS_PER_S - 1)
    assert len(early.event_ns) == 0
    late = tape.minutes(ALL, at("09:30"), at("16:00"), at("09:31") + NS_PER_S)
    assert late.event_ns.tolist() == [at("09:30")]


def test_start_and_end_are_both_inclusive() -> None:
    rows = Tape(MARKET).minutes(ALL, at("10:00"), at("10:02"), at("15:00"))
    assert rows.event_ns.tolist() == [at("10:00"), at("10:01"), at("10:02")]


def test_minutes_run_on_over_sessions() -> None:
    rows = Tape(MARKET).minutes(ALL, at("15:59", SESSIONS[-2]), at("09:30"), at("10:00"))
    assert rows.event_ns.tolist() == [at("15:59", SESSIONS[-2]), at("09:30")]


@pytest.mark.parametrize("step_s", [120, 300, 3600])
def test_longer_bars_add_up_their_minutes(step_s: int) -> None:
    tape = Tape(MARKET)
    rows = tape.minutes(ALL, at("10:00"), at("11:00"), at("15:00"), step_s)
    minutes = MARKET.made[DAY]
    assert rows.event_ns[0] == at("10:00")
    for i, start_ns in enumerate(rows.event_ns.tolist()):
        first = (start_ns - at("09:30")) // MINUTE_NS
        expected = np.array(daily_of(minutes[:, first : first + step_s // 60])).T
        np.testing.assert_array_equal(rows.values[: VOLUME + 1, i], expected)


def test_todays_bar_is_what_the_minutes_so_far_add_up_to() -> None:
    today = Tape(MARKET).today(at("12:00") + NS_PER_S)
    assert today is not None
    np.testing.assert_array_equal(today[: VOLUME + 1], np.array(daily_of(MARKET.made[DAY][:, :150])).T)


def test_after_the_close_todays_bar_is_the_daily_row() -> None:
    rows = Tape(MARKET).daily(ALL, at("00:00"), at("23:00"), at("16:01") + NS_PER_S)
    for field, name in enumerate(("open", "high", "low", "close", "volume")):
        np.testing.assert_array_equal(rows.values[field, 0], MARKET.daily[name][-1])


def test_before_the_first_minute_there_is_no_bar_of_today() -> None:
    tape = Tape(MARKET)
    assert tape.today(at("09:30")) is None
    rows = tape.daily(ALL, at("00:00", SESSIONS[0]), at("23:00"), at("09:30"))
    assert len(rows.event_ns) == len(SESSIONS) - 1


def test_the_newest_minute_of_a_quiet_symbol_may_be_of_the_previous_session() -> None:
    starts, bars = Tape(MARKET).last_minute(at("15:00"))
    silent = SYMBOLS.index("ZZZ")
    assert at("09:30", SESSIONS[-2]) <= starts[silent] < at("16:00", SESSIONS[-2])
    assert starts[SYMBOLS.index("AA")] == at("14:58")  # 14:59 ends at 15:00 and appears a second later
    assert not np.isnan(bars[CLOSE]).any()


@given(st.integers(0, 389), st.integers(0, 60 * 10**9 - 1))
@settings(max_examples=25, deadline=None)
def test_no_view_changes_with_the_future(minute: int, into_ns: int) -> None:
    now_ns = at("09:30") + minute * MINUTE_NS + into_ns
    here, there = Tape(MARKET), Tape(with_other_future(MARKET, minute))
    far_ns = at("23:59")
    for name in ("minutes", "daily"):
        ours = getattr(here, name)(ALL, at("00:00", SESSIONS[0]), far_ns, now_ns)
        theirs = getattr(there, name)(ALL, at("00:00", SESSIONS[0]), far_ns, now_ns)
        np.testing.assert_array_equal(ours.event_ns, theirs.event_ns)
        np.testing.assert_array_equal(ours.values, theirs.values)
    np.testing.assert_array_equal(here.last_minute(now_ns)[0], there.last_minute(now_ns)[0])
    np.testing.assert_array_equal(here.last_minute(now_ns)[1], there.last_minute(now_ns)[1])


def test_splits_scale_the_bars_before_them_once_their_day_has_come() -> None:
    split = CorporateAction("IBM", SESSIONS[3], "split", 0.5, "")
    later = CorporateAction("AA", dt.date(2010, 6, 1), "split", 0.5, "")
    tape = Tape(make_market(actions=(split, later)))
    columns = np.array([SYMBOLS.index("IBM"), SYMBOLS.index("AA")])
    window = at("00:00", SESSIONS[2]), at("00:00", SESSIONS[3]), at("10:00")
    raw, adjusted = tape.daily(columns, *window), tape.daily(columns, *window, "split")
    np.testing.assert_allclose(adjusted.values[CLOSE, :, 0], raw.values[CLOSE, :, 0] * [0.5, 1.0])
    np.testing.assert_allclose(adjusted.values[VOLUME, :, 0], raw.values[VOLUME, :, 0] * [2.0, 1.0])
    np.testing.assert_array_equal(adjusted.values[CLOSE, :, 1], raw.values[CLOSE, :, 1])


def test_a_special_dividend_scales_prices_only_and_only_when_all_is_asked() -> None:
    dividend = CorporateAction("IBM", SESSIONS[3], "special_dividend", 0.8, "")
    tape = Tape(make_market(actions=(dividend,)))
    column = np.array([SYMBOLS.index("IBM")])
    window = at("00:00", SESSIONS[2]), at("00:00", SESSIONS[2]), at("10:00")
    raw, split, everything = (tape.daily(column, *window, kind) for kind in ("raw", "split", "all"))
    np.testing.assert_array_equal(split.values, raw.values)
    np.testing.assert_allclose(everything.values[CLOSE], raw.values[CLOSE] * 0.8)
    np.testing.assert_array_equal(everything.values[VOLUME], raw.values[VOLUME])


def test_minutes_before_a_split_are_adjusted_like_their_day() -> None:
    tape = Tape(make_market(actions=(CorporateAction("IBM", DAY, "split", 0.5, ""),)))
    column = np.array([SYMBOLS.index("IBM")])
    rows = tape.minutes(column, at("15:59", SESSIONS[-2]), at("09:30"), at("10:00"))
    adjusted = tape.adjust_minutes(rows, column, "split", at("10:00"))
    np.testing.assert_allclose(adjusted.values[CLOSE, :, 0], rows.values[CLOSE, :, 0] * [0.5, 1.0])


def test_a_bar_of_nothing_is_nan() -> None:
    assert np.isnan(aggregate(np.full((7, 3, 2), np.nan))).all()


def test_one_resampled_symbol_makes_the_answers_resampled() -> None:
    market = make_market()
    assert Tape(market).label(bridged=True) is Label.BRIDGED
    assert Tape(market).label(bridged=False) is Label.REAL
    market.label[:, 2] = 2
    assert Tape(market).label(bridged=False) is Label.RESAMPLED
