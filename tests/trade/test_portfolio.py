"""The account is the sum of its fills, and a position without a price has no value, not a value of zero."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from pathlib import Path

import anyio
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trade.accounts import MINUTE_NS, NAN, NOW_NS, account, fill, order

from tapeline.core.outcome import Kind, NoValue
from tapeline.core.types import CycleRecord, Fill, Order, Side
from tapeline.data import CORPORATE_ACTIONS, DAILY, shipped
from tapeline.store.batch import EndKind, JournalBatch, LedgerEvent, OrderEnd, Split
from tapeline.store.journal import Journal
from tapeline.trade.portfolio import Portfolio, fold, known_price

PRICES = st.floats(0.01, 5000.0)


@st.composite
def histories(draw: st.DrawFn) -> list[LedgerEvent]:
    """Draw a ledger that a broker could have made: buys, partial fills, sells of what is there, splits, closes."""
    events: list[LedgerEvent] = []
    held: dict[str, float] = {}
    for step in range(draw(st.integers(1, 25))):
        symbol = draw(st.sampled_from(["AAA", "BBB", "CCC"]))
        kind = draw(st.sampled_from(["buy", "buy", "sell", "split", "close"]))
        at_ns = step * MINUTE_NS
        if kind == "split":
            ratio = draw(st.sampled_from([2.0, 0.1, 1.5]))
            held[symbol] = held.get(symbol, 0.0) * ratio
            events.append(Split(symbol, ratio, at_ns))
        elif kind == "close":
            events.append(
                fold(1e6, events).mark(dict.fromkeys(held, 10.0), mark_id=f"m{step}", event_ns=at_ns, is_close=True)
            )
        else:
            side = Side.BUY if kind == "buy" else Side.SELL
            qty = float(draw(st.integers(1, 500))) if side is Side.BUY else held.get(symbol, 0.0)
            if qty > 0.0:
                one = Order(f"o{step}", symbol, side, qty, at_ns, "signal")
                parts = [qty] if draw(st.booleans()) else [qty / 2, qty / 2]
                fills = [
                    fill(one, part, draw(PRICES), fee=draw(st.floats(0, 5)), key=f"f{step}-{i}", event_ns=at_ns + i)
                    for i, part in enumerate(parts)
                ]
                held[symbol] = held.get(symbol, 0.0) + side.sign * qty
                events += [one, *fills, OrderEnd(one.order_id, EndKind.FILLED, at_ns)]
    return events


def _fills(events: list[LedgerEvent]) -> list[Fill]:
    return [event for event in events if isinstance(event, Fill)]


@given(events=histories())
def test_cash_and_holdings_are_the_sum_of_the_fills(events: list[LedgerEvent]) -> None:
    end = fold(1e6, events)
    spent = math.fsum(f.side.sign * f.qty * f.price + f.fee for f in _fills(events))
    assert end.cash == pytest.approx(1e6 - spent, rel=1e-9)
    shares: dict[str, float] = {}
    for event in events:
        if isinstance(event, Split):
            shares[event.symbol] = shares.get(event.symbol, 0.0) * event.new_per_old
        elif isinstance(event, Fill):
            shares[event.symbol] = shares.get(event.symbol, 0.0) + event.side.sign * event.qty
    assert {symbol: p.qty for symbol, p in end.positions.items()} == pytest.approx(
        {symbol: qty for symbol, qty in shares.items() if qty > 1e-9}
    )


@given(events=histories(), price=PRICES)
def test_equity_is_the_start_plus_what_was_won_minus_fees(events: list[LedgerEvent], price: float) -> None:
    end = fold(1e6, events)
    prices = dict.fromkeys(end.positions, price)
    open_won = math.fsum(p.qty * (price - p.avg_price) for p in end.positions.values())
    expected = 1e6 + end.realised_pnl + open_won - end.fees
    assert end.equity(prices).unwrap() == pytest.approx(expected, rel=1e-6)


@given(events=histories(), cut=st.integers(0, 60))
def test_folding_in_pieces_is_folding_at_once_and_changes_no_earlier_account(
    events: list[LedgerEvent], cut: int
) -> None:
    before = fold(1e6, events[:cut])
    seen = repr(before)
    after = before
    for event in events[cut:]:
        after = after.apply(event)
    assert after == fold(1e6, events)
    assert repr(before) == seen


def test_a_position_without_a_price_makes_equity_unknown_and_names_it() -> None:
    held = account({"AAA": (10, 5.0), "BBB": (1, 1.0)})
    for prices in ({"BBB": 1.0}, {"AAA": NAN, "BBB": 1.0}, {"AAA": 0.0, "BBB": 1.0}, {"AAA": math.inf, "BBB": 1.0}):
        found = held.equity(prices)
        assert (found.kind, found.value) == (Kind.NO_DATA, None)
        assert "AAA" in found.reason
    assert math.isnan(held.mark({"BBB": 1.0}, mark_id="m", event_ns=1).equity)


def test_a_close_without_equity_is_refused() -> None:
    with pytest.raises(NoValue, match="AAA"):
        account({"AAA": (10, 5.0)}).mark({}, mark_id="m", event_ns=1, is_close=True)
    unknown = replace(account().mark({}, mark_id="m", event_ns=1, is_close=True), equity=NAN)
    with pytest.raises(ValueError, match="no equity"):
        account().apply(unknown)


def test_a_buy_averages_in_and_a_sell_keeps_the_average() -> None:
    first, second = order(key="a", qty=10), order(key="b", qty=30)
    leaving = order(side=Side.SELL, qty=20, key="c")
    end = fold(
        1000.0,
        [first, second, fill(first, 10, 10.0), fill(second, 30, 20.0), leaving, fill(leaving, 20, 30.0, fee=1.0)],
    )
    assert (end.positions["AAA"].qty, end.positions["AAA"].avg_price) == (20.0, 17.5)
    assert (end.realised_pnl, end.fees, end.cash) == (250.0, 1.0, 1000.0 - 100.0 - 600.0 + 600.0 - 1.0)
    assert end.last_sell_ns == {"AAA": NOW_NS + 1}


def test_an_order_given_twice_is_open_once_also_after_it_was_filled() -> None:
    one = order(qty=10)
    opened = account().apply(one)
    assert opened.apply(one) is opened
    filled = opened.apply(fill(one, 10, 5.0))
    assert filled.apply(one) is filled
    assert filled.entries_today == 1


def test_a_fill_booked_twice_is_refused() -> None:
    one = order(qty=10)
    half = account().apply(one).apply(fill(one, 5, 5.0))
    for again in (fill(one, 5, 5.0), fill(one, 6, 5.0, event_ns=NOW_NS + 2)):
        with pytest.raises(ValueError, match="booked twice"):
            half.apply(again)
    with pytest.raises(ValueError, match="booked twice"):
        account().apply(fill(one, 5, 5.0))


def test_more_than_is_held_is_not_sold() -> None:
    leaving = order(side=Side.SELL, qty=20)
    with pytest.raises(ValueError, match="no shorts"):
        account({"AAA": (10, 5.0)}, orders=[leaving]).apply(fill(leaving, 20, 5.0))


def test_the_last_sell_of_every_name_is_remembered() -> None:
    held = account({"AAA": (5.0, 10.0), "BBB": (5.0, 10.0)})
    for key, symbol in enumerate(held.positions):
        sold = order(symbol, Side.SELL, 5.0, key=symbol)
        held = held.apply(sold).apply(fill(sold, 5.0, 9.0, event_ns=NOW_NS + key))
    assert held.last_sell_ns == {"AAA": NOW_NS, "BBB": NOW_NS + 1}


def test_an_expired_order_is_no_longer_open_and_still_counts_as_an_entry() -> None:
    one = order()
    ended = account().apply(one).apply(OrderEnd(one.order_id, EndKind.EXPIRED, 1))
    assert (ended.open_orders, ended.entries_today) == ({}, 1)
    assert ended.apply(OrderEnd(one.order_id, EndKind.EXPIRED, 1)) is ended


def test_a_close_begins_a_new_day_and_another_statement_does_not() -> None:
    one = account().apply(order())
    statement = one.mark({}, mark_id="m", event_ns=1)
    assert one.apply(statement) is one
    closed = one.apply(replace(statement, is_close=True, equity=123.0))
    assert (closed.entries_today, closed.ordered_today, closed.previous_close_equity) == (0, frozenset(), 123.0)


def test_a_split_restates_shares_price_and_open_orders_and_twice_is_once() -> None:
    held = account({"AAA": (10, 80.0)}, orders=[order(side=Side.SELL, qty=10)])
    after = held.apply_split("AAA", 2.0, NOW_NS + 1)
    assert (after.positions["AAA"].qty, after.positions["AAA"].avg_price) == (20.0, 40.0)
    assert (after.open_orders["o1"].remaining, after.open_orders["o1"].order.qty) == (20.0, 20.0)
    assert after.apply_split("AAA", 2.0, NOW_NS + 1) is after


def test_an_order_given_after_the_split_is_not_restated() -> None:
    held = account({"AAA": (10, 80.0)}, orders=[order(side=Side.SELL, qty=10)])
    assert held.apply_split("AAA", 2.0, NOW_NS).open_orders["o1"].remaining == 10.0


def test_a_split_ratio_must_be_above_zero() -> None:
    for ratio in (0.0, -2.0, math.inf, NAN):
        with pytest.raises(ValueError, match="above zero"):
            account().apply_split("AAA", ratio, 1)


def test_trading_through_the_split_of_dhr_keeps_the_value() -> None:
    """Danaher split 2:1 on 14 June 2010: 78.67 at Friday's close, 39.79 at Monday's open."""
    actions = pq.read_table(shipped(CORPORATE_ACTIONS)).to_pylist()
    action = next(row for row in actions if row["symbol"] == "DHR" and row["kind"] == "split")
    rows = pq.read_table(shipped(DAILY), filters=[("symbol", "=", "DHR")]).to_pylist()
    close = next(row["close"] for row in rows if row["session"] == dt.date(2010, 6, 11))
    opened = next(row["open"] for row in rows if row["session"] == action["ex_date"])
    bought = order("DHR", qty=100)
    friday = fold(10_000.0, [bought, fill(bought, 100, close)])
    monday = friday.apply_split("DHR", 1.0 / action["ratio"], NOW_NS + 1)
    assert monday.positions["DHR"].avg_price == friday.positions["DHR"].avg_price / 2
    assert monday.equity({"DHR": close / 2}).unwrap() == friday.equity({"DHR": close}).unwrap()
    leaving = order("DHR", Side.SELL, qty=200, key="o2")
    gone = monday.apply(leaving).apply(fill(leaving, 200, opened))
    assert gone.cash == pytest.approx(10_000.0 + 200 * (opened - close / 2))
    assert abs(gone.realised_pnl) < 0.02 * 100 * close


def test_known_prices_are_above_zero_and_finite() -> None:
    prices = {"a": 1.0, "b": NAN, "c": -1.0, "d": math.inf}
    assert [math.isnan(known_price(prices, name)) for name in "abcde"] == [False, True, True, True, True]


def test_the_account_after_a_restart_is_the_account_before_it(tmp_path: Path) -> None:
    one, two = order(key="a", qty=10), order("BBB", key="b", qty=30)
    batches = [
        JournalBatch(cycles=(CycleRecord("c1", NOW_NS, "BULL", 1.0, 1.0, orders=(one, two)),)),
        JournalBatch(fills=(fill(one, 4, 10.1, fee=0.3, key="f1"), fill(two, 30, 7.7, key="f2"))),
        JournalBatch(splits=(Split("AAA", 2.0, NOW_NS + 9),), ends=(OrderEnd("a", EndKind.EXPIRED, NOW_NS + 10),)),
    ]

    async def live_and_restarted() -> tuple[Portfolio, Portfolio]:
        live = Portfolio.empty(1000.0)
        async with await Journal.open(tmp_path / "t.duckdb") as journal:
            for batch in batches:
                live = live.apply_batch(batch)
                await journal.write(batch)
            mark = live.mark({"AAA": 5.0, "BBB": 7.0}, mark_id="m", event_ns=NOW_NS + 11, is_close=True)
            live = live.apply(mark)
            await journal.write(JournalBatch(marks=(mark,)))
        async with await Journal.open(tmp_path / "t.duckdb") as journal:
            return live, fold(1000.0, await journal.read_ledger())

    live, restarted = anyio.run(live_and_restarted)
    assert live == restarted
    assert live.positions["AAA"].qty == 8.0
