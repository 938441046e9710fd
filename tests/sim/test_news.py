"""The newsroom: real moves make the news, after they happened and never before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sim.worlds import (
    DAY,
    SESSIONS,
    SYMBOLS,
    MadeMarket,
    at,
    make_market,
    make_minutes,
    market_of,
    with_other_future,
)

from tapeline.core.types import F64, NS_PER_S
from tapeline.sim.market import MINUTE_NS, CorporateAction
from tapeline.sim.news import Newsroom, Story
from tapeline.sim.tape import Tape

IBM = SYMBOLS.index("IBM")
LATE = at("23:00")


def market_with_course(moves: dict[int, float], symbol: int = IBM) -> MadeMarket:
    """Return a market in which one symbol stands at these moves since its previous close, from these minutes on.

    All other symbols stand still on the last day, so that no group makes news.
    """
    made = make_minutes(1)
    before = np.array([_last_close(made[SESSIONS[-2]][3, :, column]) for column in range(len(SYMBOLS))])
    for column in range(len(SYMBOLS)):
        price = np.full(390, before[column])
        for minute, move in sorted(moves.items()):
            if column == symbol:
                price[minute:] = before[column] * (1 + move)
        made[DAY][:, :, column] = [price, price, price, price, price * 0 + 100, price, price * 0 + 1]
    return market_of(made)


def _last_close(close: F64) -> float:
    return float(close[~np.isnan(close)][-1])


def moves_of(market: MadeMarket, now_ns: int = LATE) -> list[Story]:
    marks = ("%", "return", "low", "high")
    found = Newsroom(Tape(market), 7).of_symbol("IBM", now_ns)
    return [s for s in reversed(found) if at("09:31") < s.event_ns < at("16:05") and s.title.startswith("IBM (IBM)")
            and any(mark in s.title for mark in marks)]  # fmt: skip


def test_a_move_makes_news_when_it_crosses_a_threshold_and_only_then() -> None:
    found = moves_of(market_with_course({30: -0.021, 60: -0.022, 90: -0.045, 120: -0.065, 150: -0.11}))
    assert len(found) == 4
    for story, minute, size in zip(found, (30, 90, 120, 150), ("2.1%", "4.5%", "6.5%", "11.0%"), strict=True):
        assert size in story.title
        ended_ns = at("09:30") + (minute + 1) * MINUTE_NS
        assert ended_ns + 30 * NS_PER_S <= story.event_ns < ended_ns + 180 * NS_PER_S


def test_a_gap_over_several_thresholds_is_one_story() -> None:
    found = moves_of(market_with_course({0: 0.07}))
    assert len(found) == 1
    assert "7.0%" in found[0].title


def test_a_recovery_of_half_the_loss_makes_news_of_its_own() -> None:
    found = moves_of(market_with_course({30: -0.05, 60: -0.024}))
    assert len(found) == 2
    assert any(word in found[1].title for word in ("rebounds", "bounces"))


def test_a_quiet_day_makes_no_news_of_moves() -> None:
    assert moves_of(market_with_course({30: -0.019, 60: 0.019})) == []


def test_a_split_is_no_crash() -> None:
    halved = market_with_course({0: -0.5})
    split = market_of(halved.made, (CorporateAction("IBM", DAY, "split", 0.5, ""),))
    assert len(moves_of(halved)) == 1
    assert moves_of(split) == []


def test_sectors_and_the_market_make_news_that_reaches_their_members() -> None:
    made = market_with_course({}).made
    for column in (1, 3, 4):  # all of Technology falls by 4 %; the six symbols' mean by 2 %
        made[DAY][:4, 60:, column] *= 0.96
        made[DAY][5, 60:, column] *= 0.96
    room = Newsroom(Tape(market_of(made)), 7)
    ibm = [story.title for story in room.of_symbol("IBM", LATE)]
    alcoa = [story.title for story in room.of_symbol("AA", LATE)]
    assert any(title.startswith("Technology sector") for title in ibm)
    assert not any(title.startswith("Technology sector") for title in alcoa)
    assert any(title.startswith("Wall Street") and "2.0%" in title for title in alcoa)
    market = [story.title for story in room.of_market(LATE)]
    assert {title.split()[0] for title in market} == {"Technology", "Wall"}


def test_the_day_before_is_told_after_its_close() -> None:
    made = make_minutes(1)
    made[SESSIONS[-2]][:4, :, IBM] *= 1.1
    found = [s for s in Newsroom(Tape(market_of(made)), 7).of_symbol("IBM", at("09:00")) if "%" in s.title]
    assert found
    assert all(at("16:20", SESSIONS[-2]) <= s.event_ns <= at("18:00", SESSIONS[-2]) for s in found[:1])
    assert "higher" in found[0].title or "up" in found[0].title


def test_stories_come_newest_first_and_each_once() -> None:
    found = Newsroom(Tape(market_with_course({30: -0.05, 60: -0.11, 90: 0.03})), 7).of_symbol("IBM", LATE)
    times = [story.event_ns for story in found]
    assert times == sorted(times, reverse=True)
    assert len({story.guid for story in found}) == len(found)


def test_the_seed_chooses_words_and_times_but_no_direction() -> None:
    market = market_with_course({30: -0.05})
    titles = {Newsroom(Tape(market), seed).of_symbol("IBM", at("10:10"))[0].title for seed in range(12)}
    assert len(titles) > 1
    again = [Newsroom(Tape(market), 3).of_symbol("IBM", LATE) for _ in range(2)]
    assert again[0] == again[1]


def test_what_a_newsroom_was_asked_before_changes_nothing() -> None:
    market = make_market(3)
    fresh, used = Newsroom(Tape(market), 7), Newsroom(Tape(market), 7)
    for moment in ("09:00", "09:45", "12:00"):
        for symbol in reversed(SYMBOLS):
            used.of_symbol(symbol, at(moment))
    assert fresh.of_symbol("IBM", at("14:00")) == used.of_symbol("IBM", at("14:00"))


@given(st.integers(0, 389), st.integers(0, 60 * 10**9 - 1))
@settings(max_examples=20, deadline=None)
def test_no_story_changes_with_the_future(minute: int, into_ns: int) -> None:
    market = market_with_course({20: -0.03, 100: -0.07, 200: 0.01, 300: 0.05})
    now_ns = at("09:30") + minute * MINUTE_NS + into_ns
    here, there = (Newsroom(Tape(m), 7) for m in (market, with_other_future(market, minute)))
    for symbol in SYMBOLS:
        assert here.of_symbol(symbol, now_ns) == there.of_symbol(symbol, now_ns)
    assert here.of_market(now_ns) == there.of_market(now_ns)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_nothing_is_published_from_after_now(symbol: str) -> None:
    room = Newsroom(Tape(make_market()), 7)
    for moment in ("09:00", "09:31", "12:00", "16:30"):
        assert all(story.event_ns <= at(moment) for story in room.of_symbol(symbol, at(moment)))
