"""A batch says in which order the account is folded."""

from __future__ import annotations

from dataclasses import replace

from tests.store.batches import full_batch, order


def test_a_batch_yields_its_ledger_in_one_order() -> None:
    kinds = [type(event).__name__ for event in full_batch().ledger()]
    assert kinds == ["Split", "Order", "Fill", "OrderEnd", "EquityMark", "EquityMark"]


def test_an_order_named_beside_its_cycle_counts_once() -> None:
    batch = replace(full_batch(), orders=(order(), order("o2")))
    assert [one.order_id for one in batch.all_orders()] == ["o1", "o2"]
