"""Whatever is asked, the account stays inside its limits, and an exit is never in their way."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trade.accounts import CONFIG, NAN, NOW_NS, account, config, order

from tapeline.core.config import TradeConfig
from tapeline.core.types import NS_PER_S, Side
from tapeline.trade.portfolio import Portfolio
from tapeline.trade.risk import Limit, Limited, apply_limits, unit_cost
from tapeline.trade.router import Intent

NAMES = ("AAA", "BBB", "CCC", "DDD")


def _buy(symbol: str = "AAA", qty: float = 100.0, key: str = "") -> Intent:
    return Intent(key or f"b-{symbol}", symbol, Side.BUY, qty, "signal", "s")


def _sell(symbol: str = "AAA", qty: float = 100.0, key: str = "") -> Intent:
    return Intent(key or f"s-{symbol}", symbol, Side.SELL, qty, "stop")


def _limit(
    intents: list[Intent],
    portfolio: Portfolio | None = None,
    prices: dict[str, float] | None = None,
    tuned: TradeConfig = CONFIG,
) -> Limited:
    marks = dict.fromkeys(NAMES, 10.0) if prices is None else prices
    return apply_limits(intents, portfolio or account(), marks, tuned, NOW_NS)


def _limits(limited: Limited) -> list[str]:
    return [clamp.limit for clamp in limited.clamps]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Intent], Portfolio, dict[str, float], TradeConfig]:
    """Draw anything that could be asked of any account, unknown prices and absurd sizes included."""
    price = st.one_of(st.floats(0.5, 900.0), st.floats(0.5, 900.0), st.sampled_from([NAN, 0.0, math.inf]))
    prices = {name: draw(price) for name in draw(st.sets(st.sampled_from(NAMES)))}
    held = {
        name: (float(draw(st.integers(1, 900))), draw(st.floats(1.0, 500.0)))
        for name in draw(st.sets(st.sampled_from(NAMES)))
    }
    side = st.sampled_from([Side.BUY, Side.SELL])
    opened = [
        order(draw(st.sampled_from(NAMES)), draw(side), float(draw(st.integers(1, 300))), key=f"open{i}")
        for i in range(draw(st.integers(0, 3)))
    ]
    intents = [
        Intent(f"i{i % 7}", draw(st.sampled_from(NAMES)), draw(side), draw(st.floats(0.0, 1e7)), "signal")
        for i in range(draw(st.integers(1, 10)))
    ]
    portfolio = account(
        held,
        cash=draw(st.floats(0.0, 500_000.0)),
        orders=opened,
        entries_today=draw(st.integers(0, 4)),
        last_sell_ns={
            name: NOW_NS - draw(st.integers(0, 7200)) * NS_PER_S for name in draw(st.sets(st.sampled_from(NAMES)))
        },
        previous_close_equity=draw(st.floats(1000.0, 500_000.0)),
    )
    risk = {"max_position_pct": draw(st.floats(1.0, 100.0)), "max_invested_pct": draw(st.floats(1.0, 100.0))}
    return intents, portfolio, prices, config(risk=risk | {"max_entries_per_day": 4})


@given(case=cases())
def test_no_limit_is_ever_broken(case: tuple[list[Intent], Portfolio, dict[str, float], TradeConfig]) -> None:
    intents, before, prices, tuned = case
    limited = apply_limits(intents, before, prices, tuned, NOW_NS)
    buys = [one for one in limited.orders if one.side is Side.BUY]
    assert all(one.qty > 0.0 for one in limited.orders)
    assert all(one.qty == int(one.qty) for one in buys)
    assert len({one.order_id for one in limited.orders}) == len(limited.orders)
    assert before.entries_today + len(buys) <= tuned.risk.max_entries_per_day or not buys
    if not buys:
        return
    equity = before.equity(prices).unwrap()
    assert equity > before.previous_close_equity * (1.0 - tuned.risk.daily_loss_limit_pct / 100.0)
    pending = [(o.order.symbol, o.remaining) for o in before.open_orders.values() if o.order.side is Side.BUY]
    asked = [*pending, *((one.symbol, one.qty) for one in buys)]
    spent = {
        name: sum(qty * unit_cost(prices[name], tuned) for symbol, qty in asked if symbol == name) for name in NAMES
    }
    worth = {
        name: spent[name] + (before.positions[name].qty * prices[name] if name in before.positions else 0.0)
        for name in NAMES
    }
    slack = 1.0 + 1e-9
    assert sum(spent.values()) <= before.cash * slack
    assert sum(worth.values()) <= equity * tuned.risk.max_invested_pct / 100.0 * slack
    for one in buys:
        assert worth[one.symbol] <= equity * tuned.risk.max_position_pct / 100.0 * slack
        assert NOW_NS - before.last_sell_ns.get(one.symbol, 0) >= tuned.risk.cooldown_s * NS_PER_S


@given(case=cases())
def test_exits_get_everything_that_is_free_whatever_the_limits_say(
    case: tuple[list[Intent], Portfolio, dict[str, float], TradeConfig],
) -> None:
    intents, before, prices, tuned = case
    shut = config(risk={"max_entries_per_day": 1, "daily_loss_limit_pct": 0.001})
    for limits in (tuned, shut):
        sold = {
            o.order_id: o for o in apply_limits(intents, before, prices, limits, NOW_NS).orders if o.side is Side.SELL
        }
        for name in NAMES:
            held = before.positions[name].qty if name in before.positions else 0.0
            free = max(0.0, held - before.pending(name, Side.SELL))
            ids = {i.order_id: i for i in reversed(intents)}
            asked = sum(i.qty for i in ids.values() if i.symbol == name and i.side is Side.SELL)
            got = sum(one.qty for one in sold.values() if one.symbol == name)
            assert got <= free * (1 + 1e-12)
            if all(i.side is Side.SELL for i in intents):
                assert got == pytest.approx(min(asked, free))


@given(case=cases())
def test_what_is_not_ordered_in_full_has_a_clamp(
    case: tuple[list[Intent], Portfolio, dict[str, float], TradeConfig],
) -> None:
    intents, before, prices, tuned = case
    limited = apply_limits(intents, before, prices, tuned, NOW_NS)
    clamped = {clamp.symbol for clamp in limited.clamps}
    ordered = {one.order_id: one.qty for one in limited.orders}
    for intent in intents:
        assert intent.symbol in clamped or ordered.get(intent.order_id, -1.0) >= math.floor(intent.qty)
    assert all(clamp.allowed <= clamp.asked for clamp in limited.clamps)


def test_an_entry_inside_all_limits_is_given_whole_and_unclamped() -> None:
    limited = _limit([_buy(qty=100.7)])
    assert [(one.qty, one.created_ns, one.signal_id) for one in limited.orders] == [(100.0, NOW_NS, "s")]
    assert limited.clamps == ()


@pytest.mark.parametrize(
    ("risk", "limit", "qty"),
    [
        ({"max_position_pct": 1.0}, Limit.POSITION, 99.0),
        ({"max_invested_pct": 2.0}, Limit.INVESTED, 199.0),
    ],
)
def test_a_limit_cuts_an_entry_and_says_so(risk: dict[str, float], limit: Limit, qty: float) -> None:
    limited = _limit([_buy(qty=500.0)], tuned=config(risk=risk))
    assert [one.qty for one in limited.orders] == [qty]
    assert [(c.limit, c.asked, c.allowed) for c in limited.clamps] == [(limit, 500.0, qty)]


def test_an_entry_never_spends_cash_that_is_not_there() -> None:
    poor = account({"BBB": (1000.0, 10.0)}, cash=500.0)
    limited = _limit([_buy(qty=80.0)], poor, tuned=config(risk={"max_invested_pct": 100.0}))
    assert [one.qty for one in limited.orders] == [49.0]
    assert _limits(limited) == [Limit.CASH]


def test_what_one_entry_leaves_is_all_the_next_one_has() -> None:
    limited = _limit([_buy("AAA", 150.0), _buy("BBB", 150.0)], tuned=config(risk={"max_invested_pct": 2.0}))
    assert [(one.symbol, one.qty) for one in limited.orders] == [("AAA", 150.0), ("BBB", 49.0)]


def test_open_buys_count_as_held() -> None:
    waiting = account(orders=[order(qty=90.0)])
    limited = _limit([_buy(qty=90.0)], waiting, tuned=config(risk={"max_position_pct": 1.0}))
    assert [one.qty for one in limited.orders] == [9.0]


def test_open_buys_keep_their_cash() -> None:
    waiting = account(cash=1_000.0, orders=[order("BBB", qty=90.0)])
    limited = _limit(
        [_buy(qty=50.0)], waiting, tuned=config(risk={"max_position_pct": 100.0, "max_invested_pct": 100.0})
    )
    assert [one.qty for one in limited.orders] == [9.0]
    assert _limits(limited) == [Limit.CASH]


def test_an_order_that_is_still_open_after_the_close_is_not_given_again() -> None:
    limited = _limit([_buy()], account(orders=[order(key=_buy().order_id)]))
    assert (limited.orders, _limits(limited)) == ((), [Limit.ONCE])


def test_the_loss_of_the_day_is_measured_at_the_marks_and_a_buy_is_no_loss() -> None:
    bought = account({"AAA": (5000.0, 10.0)}, cash=50_000.0, previous_close_equity=100_000.0)
    assert _limit([_buy("BBB")], bought).orders
    limited = _limit([_buy("BBB"), _sell("AAA")], bought, {"AAA": 9.0, "BBB": 10.0})
    assert [one.symbol for one in limited.orders] == ["AAA"]
    assert _limits(limited) == [Limit.DAILY_LOSS]


def test_after_a_sell_the_name_rests_until_the_cooldown_is_over() -> None:
    hour_ns = 3600 * NS_PER_S
    for sold_ns, limits in ((NOW_NS - hour_ns + 1, [Limit.COOLDOWN]), (NOW_NS - hour_ns, [])):
        assert _limits(_limit([_buy()], account(last_sell_ns={"AAA": sold_ns}))) == limits


def test_entries_of_a_day_are_counted_and_exits_are_not() -> None:
    full = account({"DDD": (5.0, 10.0)}, entries_today=19)
    limited = _limit([_buy("AAA"), _buy("BBB"), _sell("DDD", 5.0)], full)
    assert [one.symbol for one in limited.orders] == ["DDD", "AAA"]
    assert _limits(limited) == [Limit.ENTRIES]


def test_an_unknown_price_anywhere_stops_entries_and_no_exit() -> None:
    held = account({"HALT": (5.0, 10.0)}, orders=[order("BBB", qty=5.0)])
    for prices in ({"AAA": 10.0, "BBB": 10.0}, {"AAA": 10.0, "HALT": 10.0}, {"BBB": 10.0, "HALT": 10.0}):
        limited = _limit([_buy("AAA"), _sell("HALT", 5.0)], held, prices)
        assert [one.symbol for one in limited.orders] == ["HALT"]
        assert _limits(limited) == [Limit.UNMEASURED]


def test_less_than_a_share_is_no_order_and_is_recorded() -> None:
    limited = _limit([_buy(qty=0.9)])
    assert (limited.orders, _limits(limited)) == ((), [Limit.WHOLE_SHARES])


def test_deciding_twice_is_one_order() -> None:
    first = _limit([_buy(), _buy()])
    assert _limits(first) == [Limit.ONCE]
    after = account().apply(first.orders[0])
    assert _limit([_buy()], after).orders == ()


def test_no_more_is_sold_than_is_free() -> None:
    held = account({"AAA": (100.0, 10.0)}, orders=[order(side=Side.SELL, qty=60.0)])
    limited = _limit([_sell(qty=100.0)], held)
    assert [one.qty for one in limited.orders] == [40.0]
    assert _limits(limited) == [Limit.NO_SHORT]


def test_what_is_left_of_an_entry_below_the_floor_is_not_ordered_and_an_exit_is() -> None:
    held = account({"BBB": (5.0, 10.0)}, cash=1_000_000.0)
    room = config(risk={"max_position_pct": 0.05}, min_entry=1_000.0)
    limited = _limit([_buy(qty=80.0), _sell("BBB", 5.0)], held, tuned=room)
    assert [(one.symbol, one.side, one.qty) for one in limited.orders] == [("BBB", Side.SELL, 5.0)]
    assert [clamp.limit for clamp in limited.clamps] == ["position_pct", "min_entry"]


def test_an_entry_of_exactly_the_floor_is_ordered() -> None:
    tuned = config(min_entry=1_000.0, slippage_bps=0.0, fee_bps=0.0)
    assert [one.qty for one in _limit([_buy(qty=100.0)], tuned=tuned).orders] == [100.0]
    assert _limits(_limit([_buy(qty=99.0)], tuned=tuned)) == [Limit.TOO_SMALL]
