"""Frames: rows stay together, and what must not be mixed is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tapeline.core.types import BAR_FIELDS, BarFrame, Label, Side, Vote


def _frame(symbols: tuple[str, ...], feed: str = "sip", start: int = 0) -> BarFrame:
    n = len(symbols)
    columns: dict[str, Any] = {name: np.arange(n, dtype=float) + start for name in BAR_FIELDS}
    return BarFrame(60, feed, Label.BRIDGED, 99, symbols, np.arange(n) + start, **columns)


def test_take_keeps_rows_whole() -> None:
    frame = _frame(("A", "B", "C")).take(np.array([True, False, True]))
    assert frame.symbols == ("A", "C")
    assert [bar.close for bar in frame.bars()] == [0.0, 2.0]
    assert frame.take(np.array([1])).symbols == ("C",)


def test_concat_joins_in_order() -> None:
    joined = BarFrame.concat([_frame(("A",)), _frame(("B",), start=5)], as_of_ns=7)
    assert (joined.symbols, joined.as_of_ns, joined.event_ns.tolist()) == (("A", "B"), 7, [0, 5])


def test_feeds_are_never_mixed() -> None:
    with pytest.raises(ValueError, match="never mixed"):
        BarFrame.concat([_frame(("A",)), _frame(("B",), feed="iex")], as_of_ns=0)


def test_a_column_of_another_length_is_refused() -> None:
    columns: dict[str, Any] = {name: np.zeros(2) for name in BAR_FIELDS}
    with pytest.raises(ValueError, match="column event_ns"):
        BarFrame(60, "sip", Label.REAL, 0, ("A", "B"), np.zeros(1, np.int64), **columns)


def test_a_vote_without_confidence_cannot_exist() -> None:
    with pytest.raises(ValueError, match="out of range"):
        Vote("tape", "tape", 0.5, 0.0, 0, "none")


def test_sides_have_signs() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
