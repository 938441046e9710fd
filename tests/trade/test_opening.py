"""A replay begins with positions that were bought honestly at the previous close."""

from __future__ import annotations

import pytest
from tests.trade.accounts import CONFIG, NAN, NOW_NS, config

from tapeline.core.types import Label
from tapeline.store.batch import JournalBatch
from tapeline.trade.opening import OPENING, open_account
from tapeline.trade.portfolio import Portfolio, fold

NAMES = tuple(f"S{i:02d}" for i in range(15))
CLOSES = {name: 10.0 + i for i, name in enumerate(NAMES)}


def _open(names: tuple[str, ...] = NAMES, closes: dict[str, float] = CLOSES) -> tuple[Portfolio, JournalBatch]:
    return open_account(names, closes, CONFIG, close_ns=NOW_NS, label=Label.REAL)


def test_the_best_names_are_bought_in_equal_parts_and_half_of_what_may_be_invested_is_left() -> None:
    opened, _ = _open()
    assert tuple(opened.positions) == NAMES[:10]
    worth = [held.qty * CLOSES[name] for name, held in opened.positions.items()]
    assert worth == pytest.approx([40_000.0] * 10, rel=1e-3)
    assert sum(worth) <= 400_000.0


def test_the_day_starts_at_the_close_with_nothing_counted_and_nothing_open() -> None:
    opened, batch = _open()
    assert (opened.entries_today, opened.ordered_today, opened.open_orders) == (0, frozenset(), {})
    assert opened.previous_close_equity == opened.equity(CLOSES).unwrap()
    assert opened.previous_close_equity < CONFIG.initial_cash  # slippage and fees were paid
    assert {order.reason for order in batch.orders} == {OPENING}


def test_the_batch_folds_to_the_account() -> None:
    opened, batch = _open()
    assert fold(CONFIG.initial_cash, batch.ledger()) == opened


def test_a_name_without_a_close_is_passed_over_and_one_named_twice_is_bought_once() -> None:
    opened, _ = _open(("S00", "S00", "S01", "S02"), {"S00": 10.0, "S01": NAN, "S02": 12.0})
    assert tuple(opened.positions) == ("S00", "S02")
    assert opened.positions["S00"].qty * 10.0 <= 100_000.0


def test_no_name_or_no_position_wanted_opens_an_account_of_cash() -> None:
    none, _ = open_account(NAMES, CLOSES, config(opening_positions=0), close_ns=NOW_NS, label=Label.REAL)
    empty, batch = _open(())
    assert none == empty
    assert (empty.cash, empty.positions, len(batch.marks)) == (CONFIG.initial_cash, {}, 1)
