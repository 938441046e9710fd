"""Coins: around the clock, the same for every asker, and only of what has ended."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.types import DAY_S, NS_PER_S
from tapeline.sim.crypto import DAY_NS, PAIRS, CryptoTape
from tapeline.sim.tape import CLOSE, HIGH, LOW, OPEN, TRADES, VOLUME, VWAP

TAPE = CryptoTape(7)
SATURDAY_NS = 14_737 * DAY_NS
"""2010-05-08."""
MINUTE_NS = 60 * NS_PER_S
LATE_NS = SATURDAY_NS + 10 * DAY_NS


def test_a_weekend_has_every_minute_and_each_goes_on_where_the_one_before_ended() -> None:
    rows = TAPE.bars(("BTC/USD",), SATURDAY_NS, SATURDAY_NS + 2 * DAY_NS - 1, LATE_NS)
    assert rows.event_ns.tolist() == list(range(SATURDAY_NS, SATURDAY_NS + 2 * DAY_NS, MINUTE_NS))
    bars = rows.values[:, :, 0]
    within_days = np.flatnonzero(rows.event_ns[1:] % DAY_NS != 0)
    assert np.array_equal(bars[OPEN, 1:][within_days], bars[CLOSE, :-1][within_days])
    assert abs(bars[OPEN, 1440] / bars[CLOSE, 1439] - 1.0) < 1e-6
    assert (bars[LOW] <= np.minimum(bars[OPEN], bars[CLOSE])).all()
    assert (bars[HIGH] >= np.maximum(bars[OPEN], bars[CLOSE])).all()


def test_a_minute_without_trade_has_prices_of_quotes_and_no_volume() -> None:
    bars = TAPE.bars(("UNI/USD",), SATURDAY_NS, SATURDAY_NS + DAY_NS - 1, LATE_NS).values[:, :, 0]
    quiet = bars[TRADES] == 0
    assert 0.1 < quiet.mean() < 0.9
    assert (bars[VOLUME][quiet] == 0).all()
    assert (bars[VWAP][quiet] == 0).all()
    assert (bars[CLOSE] > 0).all()
    assert ((bars[LOW] <= bars[VWAP]) & (bars[VWAP] <= bars[HIGH]))[~quiet].all()


def test_a_day_is_what_its_minutes_add_up_to() -> None:
    symbols = ("BTC/USD", "UNI/USD")
    (day,) = np.moveaxis(TAPE.bars(symbols, SATURDAY_NS, SATURDAY_NS, LATE_NS, DAY_S).values, 1, 0)
    minutes = TAPE.bars(symbols, SATURDAY_NS, SATURDAY_NS + DAY_NS - 1, LATE_NS).values
    assert np.array_equal(day[OPEN], minutes[OPEN, 0])
    assert np.array_equal(day[CLOSE], minutes[CLOSE, -1])
    assert np.array_equal(day[HIGH], minutes[HIGH].max(axis=0))
    assert np.allclose(day[VOLUME], minutes[VOLUME].sum(axis=0))


@given(
    now=st.integers(0, 3 * 1440),
    start=st.integers(-10, 3 * 1440),
    length=st.integers(0, 300),
    step=st.sampled_from((1, 5, 60)),
)
def test_any_question_gets_the_same_minutes_and_none_that_has_not_ended(
    now: int, start: int, length: int, step: int
) -> None:
    now_ns, start_ns = SATURDAY_NS + now * MINUTE_NS, SATURDAY_NS + start * MINUTE_NS
    end_ns = start_ns + length * MINUTE_NS
    rows = TAPE.bars(("ETH/USD",), start_ns, end_ns, now_ns, step * 60)
    expected = [t for t in range(start_ns, end_ns + 1, MINUTE_NS) if t % (step * MINUTE_NS) == 0]
    assert rows.event_ns.tolist() == [t for t in expected if t + MINUTE_NS < now_ns]
    for event_ns, close in zip(rows.event_ns.tolist(), rows.values[CLOSE, :, 0].tolist(), strict=True):
        last_ns = min(event_ns + (step - 1) * MINUTE_NS, now_ns - 2 * MINUTE_NS)
        (single,) = TAPE.bars(("ETH/USD",), last_ns, last_ns, LATE_NS).values[CLOSE, :, 0].tolist()
        assert close == single


def test_prices_stay_about_their_home_for_years_and_another_seed_is_another_market() -> None:
    start_ns = SATURDAY_NS - 250 * DAY_NS
    days = TAPE.bars(("DOGE/USD",), start_ns, SATURDAY_NS, LATE_NS, DAY_S).values[CLOSE, :, 0]
    assert 0.02 < np.abs(np.log(days / PAIRS["DOGE/USD"].home)).max() < 1.5
    assert abs(np.diff(np.log(days)).std() / PAIRS["DOGE/USD"].vol - 1.0) < 0.2
    ours, others = (CryptoTape(seed).bars(("BTC/USD",), SATURDAY_NS, SATURDAY_NS, LATE_NS) for seed in (7, 8))
    assert ours.values[CLOSE, 0, 0] != others.values[CLOSE, 0, 0]
