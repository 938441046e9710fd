"""Batches: every symbol in exactly one, none longer than a URL."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.errors import BadInput
from tapeline.core.types import Label
from tapeline.feed.sources import MAX_SYMBOLS_BYTES, batches, least_real

_symbols = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1, max_size=24)


@given(symbols=st.lists(_symbols, max_size=600), size=st.integers(1, 1000))
def test_every_symbol_is_in_exactly_one_batch_that_fits(symbols: list[str], size: int) -> None:
    cut = batches(symbols, size)
    assert [symbol for batch in cut for symbol in batch] == sorted(set(symbols))
    for batch in cut:
        assert 1 <= len(batch) <= size
        assert len(quote(",".join(batch), safe="")) <= MAX_SYMBOLS_BYTES


def test_batches_do_not_depend_on_the_order_of_the_symbols() -> None:
    assert batches(["C", "A", "B"], 2) == batches(["B", "C", "A"], 2) == [("A", "B"), ("C",)]


@pytest.mark.parametrize("symbol", ["", "A,B", "A B", "A\n", "ＡＡＰＬ", "A\u200b"])
def test_a_symbol_that_no_url_carries_is_refused(symbol: str) -> None:
    with pytest.raises(BadInput, match="cannot be a symbol"):
        batches([symbol], 10)


def test_a_mixed_table_is_called_what_promises_least() -> None:
    assert least_real([Label.REAL, Label.RESAMPLED, Label.BRIDGED]) is Label.RESAMPLED
    assert least_real([]) is Label.REAL
