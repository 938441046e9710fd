"""Failures by their cause: what tells two apart, and what does not."""

from __future__ import annotations

import pytest

from tapeline.feed.breaker import NOT_ASKED
from tapeline.loop.causes import Failures, cause_of
from tapeline.loop.desk import Tally


def test_a_cause_is_told_without_that_nobody_asks_any_more() -> None:
    assert cause_of(f"/rss answered 503: busy{NOT_ASKED} 59.6 s)") == "/rss answered 503: busy"
    assert cause_of("connection refused") == "connection refused"


@pytest.mark.parametrize(
    ("first", "second", "is_new"),
    [
        ("/v10/AAPL answered 503", "/v10/MSFT answered 503", False),
        ("/v10/AAPL answered 503", "/v10/AAPL answered 429", True),
        ("no answer within 5 s", "no answer within 4.25 s", False),
        ("cut at byte 17", "cut at byte 171", False),
        ("/rss answered 503", f"/rss answered 503{NOT_ASKED} 59.6 s)", False),
        ("connection refused", "no answer", True),
    ],
)
def test_the_same_failure_counts_once(first: str, second: str, is_new: bool) -> None:
    failures = Failures()
    assert failures.is_new("yahoo", first)
    assert failures.is_new("yahoo", second) is is_new
    assert failures.is_new("reddit", first)
    assert sum(failures.counts.values()) == 3


def test_a_tally_has_one_error_for_each_cause_and_one_sentence_for_each_part() -> None:
    tally = Tally()
    for symbol in ("AAA", "BBB"):
        tally.fail("yahoo", f"/v10/{symbol} answered 503")
        tally.degrade("yahoo", f"yahoo: {symbol}")
    assert tally.errors == ["yahoo: /v10/AAA answered 503"]
    assert tally.degraded == ["yahoo: AAA"]
