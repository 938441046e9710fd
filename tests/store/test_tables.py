"""Rows of a batch: each key once, numbered in the order of the ledger."""

from __future__ import annotations

import pyarrow as pa
from tests.store.batches import frame, full_batch

from tapeline.store.batch import JournalBatch
from tapeline.store.tables import INSERT, SCHEMAS, bar_table, row_tables


def test_no_frames_make_an_empty_table() -> None:
    assert bar_table(()).num_rows == 0
    assert bar_table(()).schema == SCHEMAS["bars"]


def test_bars_of_two_lanes_become_one_table_in_their_order() -> None:
    table = bar_table((frame(1, ("A", "B")), frame(1, ("C",))))
    assert table["symbol"].to_pylist() == ["A", "B", "C"]


def test_of_one_bar_named_twice_the_higher_revision_is_kept_and_of_equals_the_first() -> None:
    first, late, again = (
        frame(1, ("A",)),
        frame(1, ("A",), revision=1, price=2.0),
        frame(1, ("A",), revision=1, price=3.0),
    )
    for frames in ((first, late, again), (late, first, again)):
        assert bar_table(frames)["open"].to_pylist() == [2.0]


def test_the_ledger_is_numbered_through_all_its_tables() -> None:
    tables: dict[str, pa.Table] = dict(row_tables(full_batch(), 10))
    numbered = {name: tables[name]["seq"].to_pylist() for name in ("splits", "orders", "fills", "order_ends", "marks")}
    assert numbered == {"splits": [10], "orders": [11], "fills": [12], "order_ends": [13], "marks": [14, 15]}


def test_a_silent_source_has_a_reason_and_no_side() -> None:
    votes = dict(row_tables(full_batch(), 1))["votes"].to_pylist()
    assert [(vote["source"], vote["family"], vote["side"]) for vote in votes] == [
        ("trend", "tape", 0.5),
        ("rss", "news", 1.0),
        ("x", None, None),
    ]


def test_an_empty_batch_has_no_rows_at_all() -> None:
    assert list(row_tables(JournalBatch(), 1)) == []


def test_only_bars_offsets_and_facts_of_the_run_are_ever_replaced() -> None:
    assert {name for name, sql in INSERT.items() if "UPDATE" in sql} == {"bars", "offsets", "meta"}
