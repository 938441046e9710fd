"""The moves of a day: of prefixes only, and over the previous close."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from tests.sim.worlds import DAY, SESSIONS, at, make_market, with_other_future

from tapeline.sim.moves import DayMoves
from tapeline.sim.tape import Tape

MARKET = make_market()


def test_a_move_is_the_last_price_over_the_previous_close() -> None:
    found = DayMoves(Tape(MARKET)).today(at("10:00"))
    assert found is not None
    close, before = MARKET.made[DAY][3, :, 0], MARKET.daily["close"][-2, 0]
    expected, last = [], np.nan
    for price in close:
        last = last if np.isnan(price) else price
        expected.append(last / before - 1)
    np.testing.assert_allclose(found[1][:, 0], expected)


def test_a_symbol_that_does_not_trade_has_no_move() -> None:
    found = DayMoves(Tape(MARKET)).today(at("10:00"))
    assert found is not None
    assert np.isnan(found[1][:, -1]).all()


@pytest.mark.parametrize("minute", [1, 100, 389])
def test_a_prefix_does_not_change_with_the_future(minute: int) -> None:
    here = DayMoves(Tape(MARKET)).today(at("10:00"))
    there = DayMoves(Tape(with_other_future(MARKET, minute))).today(at("10:00"))
    assert here is not None
    assert there is not None
    np.testing.assert_array_equal(here[1][:minute], there[1][:minute])


def test_the_first_session_and_a_day_without_one_have_none() -> None:
    moves = DayMoves(Tape(MARKET))
    assert moves.today(at("10:00", SESSIONS[0])) is None
    assert moves.today(at("10:00", dt.date(2010, 5, 8))) is None
