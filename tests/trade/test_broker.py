"""Orders meet the bars that came after them, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trade.accounts import CONFIG, MINUTE_NS, NAN, NOW_NS, account, config, frame, order

from tapeline.core.types import BarFrame, Fill, Label, Side
from tapeline.store.batch import EndKind, JournalBatch, OrderEnd
from tapeline.trade.broker import PaperBroker, Settlement, fill_orders
from tapeline.trade.portfolio import Portfolio

FREE = config(slippage_bps=0.0, fee_bps=0.0)
"""No costs; an order of NOW_NS (2 s into minute 100) may meet minute 101 first."""


def _settle(portfolio: Portfolio, bars: BarFrame, minute: int | None = None) -> Settlement:
    as_of_ns = bars.as_of_ns if minute is None else minute * MINUTE_NS
    return fill_orders(portfolio, bars, FREE, as_of_ns=as_of_ns)


def _book(portfolio: Portfolio, settled: Settlement) -> Portfolio:
    return portfolio.apply_batch(JournalBatch(fills=settled.fills, ends=settled.ends))


def test_an_order_fills_at_the_open_of_the_next_bar_never_at_one_that_had_begun() -> None:
    waiting = account(orders=[order(qty=10)])
    assert _settle(waiting, frame(100, {"AAA": (9.0, 1e6)})) == Settlement()
    settled = _settle(waiting, frame(101, {"AAA": (11.0, 1e6)}))
    (filled,) = settled.fills
    assert (filled.price, filled.qty, filled.event_ns, filled.label) == (11.0, 10.0, 101 * MINUTE_NS, Label.BRIDGED)
    assert [(end.order_id, end.kind) for end in settled.ends] == [("o1", EndKind.FILLED)]


def test_an_order_of_the_moment_a_bar_begins_meets_that_bar() -> None:
    waiting = account(orders=[order(created_ns=101 * MINUTE_NS)])
    assert _settle(waiting, frame(101, {"AAA": (11.0, 1e6)})).fills


def test_slippage_and_fee_are_against_us_both_ways() -> None:
    held = account({"BBB": (10.0, 10.0)}, orders=[order(qty=10), order("BBB", Side.SELL, 10, key="o2")])
    costly = config(slippage_bps=10.0, fee_bps=20.0)
    settled = fill_orders(held, frame(101, {"AAA": (100.0, 1e6), "BBB": (100.0, 1e6)}), costly, as_of_ns=0)
    assert {f.symbol: f.price for f in settled.fills} == pytest.approx({"AAA": 100.1, "BBB": 99.9})
    assert {f.symbol: f.fee for f in settled.fills} == pytest.approx({"AAA": 2.002, "BBB": 1.998})


def test_a_large_order_takes_its_share_of_each_bar_until_it_is_done() -> None:
    live = account(orders=[order(qty=25)])
    taken = []
    for minute in (101, 102, 103):
        settled = _settle(live, frame(minute, {"AAA": (10.0, 109.0)}))
        taken += [fill.qty for fill in settled.fills]
        live = _book(live, settled)
    assert taken == [10.0, 10.0, 5.0]
    assert (live.open_orders, live.positions["AAA"].qty) == ({}, 25.0)


def test_two_orders_share_the_volume_of_a_bar_the_older_first() -> None:
    young = order(qty=8, key="a", created_ns=NOW_NS + 1)
    settled = _settle(account(orders=[young, order(qty=8, key="b")]), frame(101, {"AAA": (10.0, 100.0)}))
    assert [(fill.order_id, fill.qty) for fill in settled.fills] == [("b", 8.0), ("a", 2.0)]


@pytest.mark.parametrize("row", [(NAN, 1e6), (0.0, 1e6), (10.0, 0.0), (10.0, 9.0), (10.0, NAN)])
def test_a_bar_without_a_price_or_enough_volume_lets_the_order_wait(row: tuple[float, float]) -> None:
    waiting = account(orders=[order(qty=10)])
    assert _settle(waiting, frame(101, {"AAA": row})) == Settlement()
    assert _settle(waiting, frame(102, {"AAA": (10.0, 1e6)})).fills


def test_a_halted_name_waits_and_expires_once_every_bar_it_could_take_was_seen() -> None:
    waiting = account(orders=[order(qty=10)])
    nothing = frame(109, {"BBB": (1.0, 1.0)})
    last = NOW_NS + 600 * 10**9
    assert fill_orders(waiting, nothing, FREE, as_of_ns=last + MINUTE_NS - 1) == Settlement()
    settled = fill_orders(waiting, nothing, FREE, as_of_ns=last + MINUTE_NS)
    assert [(end.kind, end.event_ns) for end in settled.ends] == [(EndKind.EXPIRED, last)]


def test_a_bar_after_the_end_of_an_order_does_not_fill_it() -> None:
    waiting = account(orders=[order(qty=10)])
    assert _settle(waiting, frame(110, {"AAA": (10.0, 1e6)}), 111).fills
    late = _settle(waiting, frame(111, {"AAA": (10.0, 1e6)}), 112)
    assert (late.fills, [end.kind for end in late.ends]) == ((), [EndKind.EXPIRED])


def test_bars_of_other_lengths_are_not_looked_at() -> None:
    assert _settle(account(orders=[order()]), frame(101, {"AAA": (10.0, 1e6)}, timeframe_s=300), 200) == Settlement()


def test_a_second_word_on_a_bar_does_not_fill_again() -> None:
    live = account(orders=[order(qty=100)])
    bars = frame(101, [("AAA", 10.0, 100.0), ("AAA", 12.0, 100.0)])
    settled = _settle(live, bars)
    assert [(fill.price, fill.qty) for fill in settled.fills] == [(10.0, 10.0)]
    live = _book(live, settled)
    assert _settle(live, frame(101, {"AAA": (12.0, 100.0)}, revision=1)) == Settlement()


def test_a_buy_takes_no_more_than_the_cash_that_is_there_sells_of_the_bar_included() -> None:
    gap_up = account(cash=95.0, orders=[order(qty=10)])
    assert [fill.qty for fill in _settle(gap_up, frame(101, {"AAA": (10.0, 1e6)})).fills] == [9.0]
    swap = account({"ZZZ": (2.0, 10.0)}, cash=95.0, orders=[order(qty=10), order("ZZZ", Side.SELL, 2, key="z")])
    settled = _settle(swap, frame(101, {"AAA": (10.0, 1e6), "ZZZ": (10.0, 1e6)}))
    assert [(fill.symbol, fill.qty) for fill in settled.fills] == [("ZZZ", 2.0), ("AAA", 10.0)]


def test_a_later_sell_ends_the_buys_of_its_symbol() -> None:
    leaving = order(side=Side.SELL, qty=5, key="o2", created_ns=NOW_NS + 5)
    torn = account({"AAA": (5.0, 10.0)}, orders=[order(qty=10), leaving])
    settled = _settle(torn, frame(101, {"AAA": (10.0, 1e6)}))
    assert [fill.side for fill in settled.fills] == [Side.SELL]
    assert {end.order_id: end.kind for end in settled.ends} == {"o1": EndKind.CANCELLED, "o2": EndKind.FILLED}
    assert _book(torn, settled).positions == {}


def test_a_fraction_that_a_split_left_is_sold_whole() -> None:
    held = account({"AAA": (1.5, 10.0)}, orders=[order(side=Side.SELL, qty=1.5)])
    assert [fill.qty for fill in _settle(held, frame(101, {"AAA": (10.0, 1e6)})).fills] == [1.5]


def test_the_broker_answers_as_the_function_does() -> None:
    waiting, bars = account(orders=[order(qty=10)]), frame(101, {"AAA": (11.0, 1e6)})

    async def ask() -> Settlement:
        return await PaperBroker(CONFIG).settle(waiting, bars, as_of_ns=bars.as_of_ns)

    assert anyio.run(ask) == fill_orders(waiting, bars, CONFIG, as_of_ns=bars.as_of_ns)


ROW = st.tuples(st.one_of(st.floats(1.0, 50.0), st.just(NAN)), st.floats(0.0, 500.0))


@given(
    minutes=st.lists(st.dictionaries(st.sampled_from(["AAA", "BBB"]), ROW), min_size=1, max_size=14),
    sizes=st.lists(
        st.tuples(st.sampled_from(["AAA", "BBB"]), st.sampled_from(list(Side)), st.integers(1, 90)), max_size=5
    ),
    cash=st.floats(0.0, 3000.0),
)
def test_fills_keep_every_promise_and_do_not_depend_on_how_the_bars_came(
    minutes: list[Mapping[str, tuple[float, float]]], sizes: list[tuple[str, Side, int]], cash: float
) -> None:
    orders = [order(name, side, float(qty), key=f"o{i}") for i, (name, side, qty) in enumerate(sizes)]
    before = account({"AAA": (500.0, 5.0), "BBB": (500.0, 5.0)}, cash=cash, orders=orders)
    bars = [frame(101 + i, rows) for i, rows in enumerate(minutes)]
    live = before
    fills: list[Fill] = []
    ends: list[OrderEnd] = []
    for part in bars:
        settled = fill_orders(live, part, CONFIG, as_of_ns=part.as_of_ns)
        live = _book(live, settled)
        assert live.cash >= -1e-9
        fills += settled.fills
        ends += settled.ends
    whole = fill_orders(before, BarFrame.concat(bars, as_of_ns=bars[-1].as_of_ns), CONFIG, as_of_ns=bars[-1].as_of_ns)
    assert whole.fills == tuple(fills)
    assert set(whole.ends) == set(ends)
    asked = {one.order_id: one.qty for one in orders}
    for key in asked:
        assert sum(fill.qty for fill in fills if fill.order_id == key) <= asked[key]
    for part in bars:
        for row, symbol in enumerate(part.symbols):
            met = [f.qty for f in fills if f.symbol == symbol and f.event_ns == part.event_ns[row]]
            assert not met or sum(met) <= part.volume[row] * CONFIG.max_participation_pct / 100.0
    assert all(fill.event_ns >= NOW_NS for fill in fills)
    assert len({fill.fill_id for fill in fills}) == len(fills)


@given(st.integers(102, 109), st.floats(1.0, 100.0))
def test_a_later_bar_changes_no_earlier_fill(minute: int, price: float) -> None:
    live = account(orders=[order(qty=30)])
    first = frame(101, {"AAA": (10.0, 100.0)})
    both = BarFrame.concat([first, frame(minute, {"AAA": (price, 100.0)})], as_of_ns=0)
    assert _settle(live, both).fills[0] == _settle(live, first).fills[0]
