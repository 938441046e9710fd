"""Stream and poll side by side: each bar is told once, the polled one wins, and a late streamed one is dropped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.feed.worlds import MINUTE_NS, OPEN_NS

from tapeline.core.types import BarFrame, Label
from tapeline.feed.provisional import KEPT_NS, Provisional


def _frame(closes: dict[str, float], minute: int = 0, reaches: int | None = None) -> BarFrame:
    """Return the bars of one minute, known when it has ended or when so many minutes have."""
    close = np.array(list(closes.values()))
    as_of_ns = OPEN_NS + (minute + 1 if reaches is None else reaches) * MINUTE_NS
    event_ns = np.full(len(closes), OPEN_NS + minute * MINUTE_NS)
    return BarFrame(
        60, "iex", Label.REAL, as_of_ns, tuple(closes), event_ns, close, close, close, close, close, close, close
    )


def _told(frame: BarFrame) -> list[tuple[str, float, int]]:
    return list(zip(frame.symbols, frame.close.tolist(), frame.revision.tolist(), strict=True))


def test_a_polled_bar_that_was_streamed_alike_is_no_news() -> None:
    both = Provisional()
    assert _told(both.streamed(_frame({"A": 1.0}))) == [("A", 1.0, 0)]
    assert _told(both.polled(_frame({"A": 1.0, "B": 2.0}))) == [("B", 2.0, 0)]


def test_a_polled_bar_that_differs_wins_as_the_next_revision_and_a_second_reading_as_the_one_after() -> None:
    both = Provisional()
    both.streamed(_frame({"A": 1.0, "B": 1.0}))
    assert _told(both.polled(_frame({"A": 1.5, "B": 1.0}))) == [("A", 1.5, 1)]
    again = _frame({"A": 1.75, "B": 1.25})
    assert _told(both.polled(replace(again, revision=np.array([1, 1])))) == [("A", 1.75, 2), ("B", 1.25, 1)]


def test_what_was_polled_before_a_restart_is_not_taken_from_a_stream_after_it() -> None:
    both = Provisional(polled_ns=OPEN_NS + MINUTE_NS)
    assert _told(both.streamed(_frame({"A": 1.0}))) == []
    assert _told(both.streamed(_frame({"A": 1.0}, minute=1))) == [("A", 1.0, 0)]


def test_a_streamed_bar_is_told_once_and_not_after_its_minute_was_polled() -> None:
    both = Provisional()
    both.streamed(_frame({"A": 1.0}))
    assert _told(both.streamed(_frame({"A": 1.0}))) == []
    both.polled(_frame({"A": 1.0}))
    assert _told(both.streamed(_frame({"A": 9.0, "B": 9.0}))) == []
    assert _told(both.streamed(_frame({"B": 9.0}, minute=1))) == [("B", 9.0, 0)]


def test_a_symbol_whose_poll_failed_is_compared_when_it_comes_and_forgotten_when_it_never_does() -> None:
    both = Provisional()
    both.streamed(_frame({"A": 1.0, "B": 1.0}))
    both.polled(_frame({}, reaches=5))
    assert _told(both.polled(_frame({"A": 1.0}, reaches=6))) == []
    both.polled(_frame({}, reaches=KEPT_NS // MINUTE_NS + 1))
    assert _told(both.polled(_frame({"B": 1.0}, reaches=KEPT_NS // MINUTE_NS + 2))) == [("B", 1.0, 0)]
