"""What is asked for, and what is refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trade.accounts import CONFIG, NAN, NOW_NS, account, order, signal

from tapeline.core.types import Side, Signal
from tapeline.trade.portfolio import Portfolio
from tapeline.trade.router import SIGNAL, STOP, TARGET, Routed, order_id, route


def _route(signals: list[Signal], portfolio: Portfolio | None = None, prices: dict[str, float] | None = None) -> Routed:
    return route(signals, portfolio or account(), {"AAA": 10.0} if prices is None else prices, CONFIG, NOW_NS)


def test_a_buy_of_a_name_that_is_not_held_asks_for_its_part_of_equity_by_strength() -> None:
    (intent,) = _route([signal(strength=0.5)]).intents
    assert (intent.side, intent.reason, intent.signal_id) == (Side.BUY, SIGNAL, "s-AAA")
    assert intent.qty == pytest.approx(100_000.0 * 0.10 * 0.5 / 10.0)


def test_a_sell_closes_the_whole_position_even_without_a_price() -> None:
    for prices in ({"AAA": 10.0}, {}):
        routed = _route([signal(side=Side.SELL)], account({"AAA": (37.0, 10.0)}), prices)
        assert [(i.side, i.qty, i.reason) for i in routed.intents] == [(Side.SELL, 37.0, SIGNAL)]


@pytest.mark.parametrize(
    ("given", "held", "why"),
    [
        (signal(), True, "already held"),
        (signal(side=Side.SELL), False, "no shorts"),
        (signal(age_s=900.0), False, "expired"),
        (signal(age_s=-1.0), False, "future"),
        (signal("BBB"), False, "no price"),
    ],
)
def test_a_signal_that_can_not_be_traded_is_refused_with_the_reason(given: Signal, held: bool, why: str) -> None:
    routed = _route([given], account({"AAA": (1.0, 10.0)}) if held else account())
    assert routed.intents == ()
    ((symbol, reason),) = routed.refusals
    assert symbol == given.symbol
    assert why in reason


def test_a_signal_one_moment_before_its_end_is_traded() -> None:
    assert _route([signal(age_s=899.999)]).intents


def test_an_entry_is_refused_while_equity_is_unknown_and_an_exit_is_not() -> None:
    held = account({"HALT": (5.0, 10.0), "BBB": (5.0, 10.0)})
    routed = _route([signal(), signal("BBB", Side.SELL)], held, {"AAA": 10.0, "BBB": 10.0})
    assert [intent.symbol for intent in routed.intents] == ["BBB"]
    assert dict(routed.refusals)["AAA"] == "no price for HALT"


@pytest.mark.parametrize(
    ("price", "reason"), [(9.5, STOP), (9.51, None), (11.49, None), (11.5, TARGET), (1.0, STOP), (NAN, None)]
)
def test_marks_alone_leave_a_position_at_its_stop_and_its_target(price: float, reason: str | None) -> None:
    routed = _route([], account({"AAA": (100.0, 10.0)}), {"AAA": price})
    assert [intent.reason for intent in routed.intents] == ([reason] if reason else [])


def test_a_position_that_can_not_be_judged_is_told() -> None:
    assert "can not be judged" in dict(_route([], account({"AAA": (1.0, 10.0)}), {}).refusals)["AAA"]


def test_a_stop_goes_before_the_signal_and_there_is_one_exit() -> None:
    routed = _route([signal(side=Side.SELL)], account({"AAA": (100.0, 10.0)}), {"AAA": 9.0})
    assert [intent.reason for intent in routed.intents] == [STOP]
    assert "already being left" in dict(routed.refusals)["AAA"]


def test_nothing_is_asked_twice_while_an_order_is_open() -> None:
    buying = account(orders=[order()])
    assert _route([signal()], buying).intents == ()
    leaving = account({"AAA": (100.0, 10.0)}, orders=[order(side=Side.SELL)])
    assert _route([signal(side=Side.SELL)], leaving, {"AAA": 9.0}).intents == ()


def test_exits_come_first_then_entries_by_strength_then_by_name() -> None:
    signals = [signal("C", strength=0.6), signal("B", strength=0.9), signal("A", strength=0.6), signal("X", Side.SELL)]
    routed = _route(signals, account({"X": (1.0, 10.0)}), dict.fromkeys("ABCX", 10.0))
    assert [intent.symbol for intent in routed.intents] == ["X", "B", "A", "C"]


def test_of_two_signals_of_a_symbol_the_stronger_counts() -> None:
    routed = _route([signal(strength=0.6, key="weak"), signal(strength=0.7, key="strong")])
    assert [intent.signal_id for intent in routed.intents] == ["strong"]
    assert "another signal" in dict(routed.refusals)["AAA"]


STRENGTHS = {"A": 0.5, "B": 0.5, "C": 0.9, "D": 0.7, "E": 0.7, "F": 1.0}


@given(st.permutations([signal(name, strength=strength) for name, strength in STRENGTHS.items()]))
def test_the_order_of_the_signals_changes_nothing(signals: list[Signal]) -> None:
    prices = dict.fromkeys("ABCDEF", 10.0)
    assert _route(signals, None, prices) == _route(sorted(signals, key=lambda s: s.symbol), None, prices)


def test_the_id_is_of_the_decision() -> None:
    def key(side: Side = Side.BUY, signal_id: str = "s", reason: str = SIGNAL, bar_ns: int = 0) -> str:
        return order_id("AAA", side, signal_id=signal_id, reason=reason, bar_ns=bar_ns)

    assert key() == key(bar_ns=60)
    exits = {key(signal_id="", reason=reason, bar_ns=bar_ns) for reason in (STOP, TARGET) for bar_ns in (0, 60)}
    assert len({key(), key(Side.SELL), key(signal_id="t")} | exits) == 7
