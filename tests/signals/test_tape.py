"""Tape votes: the noise abstains, a clear move speaks, a missing reading keeps its reason."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S
from tapeline.scan.result import Reading
from tapeline.signals.tape import GROUP, intraday_vote, tape_votes, trend_vote

NOW_NS = 1_273_160_000 * NS_PER_S


def reading(
    trend: float = 0.0, intraday: float = 0.0, momentum_21: float = 0.0, relative_volume: float = 1.0
) -> Outcome[Reading]:
    """Return what a scan would say of ACME."""
    factors = {
        "trend": trend,
        "intraday": intraday,
        "momentum_21": momentum_21,
        "relative_volume": relative_volume,
    }
    return value_of(Reading("ACME", 100.0, 2.0, NOW_NS, 30.0, factors), source="scan")


def test_strong_rise_in_a_trend_is_two_buys_of_one_group() -> None:
    votes = [o.unwrap() for o in tape_votes(reading(trend=3.0, intraday=1.2, momentum_21=0.1, relative_volume=2.0))]
    assert [(v.group, v.side) for v in votes] == [(GROUP, 1.0), (GROUP, 1.0)]
    assert [v.confidence for v in votes] == pytest.approx([0.75, 0.9])
    assert len({v.source for v in votes}) == 2


def test_move_within_half_a_daily_range_abstains() -> None:
    assert [o.kind for o in tape_votes(reading(trend=-0.4, intraday=0.4))] == [Kind.ABSTAINED] * 2


def test_plunge_against_a_rising_trend_silences_the_trend_and_sells() -> None:
    trend, intraday = tape_votes(reading(trend=2.0, intraday=-2.5, momentum_21=0.1))
    assert trend.kind is Kind.ABSTAINED
    assert intraday.unwrap().side == -1.0


def test_dip_within_a_trend_lets_both_speak() -> None:
    trend, intraday = tape_votes(reading(trend=2.0, intraday=-0.8))
    assert trend.unwrap().side == 1.0
    assert intraday.unwrap().side == pytest.approx(-0.8)


def test_symbol_without_a_reading_keeps_kind_and_reason_in_both_votes() -> None:
    halted: Outcome[Reading] = nothing(Kind.STALE, source="scan", reason="halted", as_of_ns=NOW_NS)
    assert [(o.kind, o.reason, o.source) for o in tape_votes(halted)] == [
        (Kind.STALE, "halted", "tape.trend"),
        (Kind.STALE, "halted", "tape.intraday"),
    ]


def test_unknown_factor_is_no_data_and_unknown_volume_confirms_nothing() -> None:
    nan = math.nan
    assert trend_vote(reading(trend=nan)).kind is Kind.NO_DATA
    assert intraday_vote(reading(intraday=nan)).kind is Kind.NO_DATA
    assert intraday_vote(reading(intraday=0.6, relative_volume=nan)).unwrap().confidence == pytest.approx(0.6)
    assert trend_vote(reading(trend=1.0, intraday=nan, momentum_21=nan)).unwrap().confidence == pytest.approx(0.6)


moves = st.floats(-20, 20)


@given(moves, moves, st.floats(-1, 1), st.floats(0, 50))
def test_mirrored_market_gives_mirrored_votes(trend: float, intraday: float, momentum: float, busy: float) -> None:
    up = tape_votes(reading(trend, intraday, momentum, busy))
    down = tape_votes(reading(-trend, -intraday, -momentum, busy))
    for one, other in zip(up, down, strict=True):
        assert one.kind is other.kind
        if one.value is not None:
            assert (one.value.side, one.value.confidence) == (-other.unwrap().side, other.unwrap().confidence)
