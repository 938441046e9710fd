"""Strategies in numbers, and what does not fit into the limit."""

from __future__ import annotations

import pytest

from tapeline.core.config import FeedConfig
from tapeline.core.errors import ConfigError
from tapeline.feed.plan import Pace, can_reread, check_feasible, pace_of, step_ns_of


@pytest.mark.parametrize(
    ("strategy", "pace"),
    [
        ("sequential", Pace(1, 1)),
        ("concurrent", Pace(1, 4)),
        ("batch", Pace(400, 1)),
        ("hybrid", Pace(400, 4)),
    ],
)
def test_each_strategy_of_the_document_has_its_size_and_its_workers(strategy: str, pace: Pace) -> None:
    assert pace_of(FeedConfig(strategy=strategy)) == pace  # type: ignore[arg-type]


def test_a_batch_holds_no_more_symbols_than_one_page_has_bars_for() -> None:
    assert pace_of(FeedConfig(cycle_s=1_800, batch_size=1_000)).batch_size == 10_000 // 30
    assert pace_of(FeedConfig(batch_size=1_000)).batch_size == 1_000


def test_a_cycle_below_a_minute_is_taken_as_it_is_and_a_longer_one_in_whole_minutes() -> None:
    assert step_ns_of(FeedConfig(cycle_s=6)) == 6 * 10**9
    assert step_ns_of(FeedConfig(cycle_s=90)) == 120 * 10**9


def test_six_thousand_symbols_every_six_seconds_fit_and_every_four_do_not() -> None:
    sizes = [400] * 15
    check_feasible(sizes, FeedConfig(cycle_s=6))
    with pytest.raises(ConfigError, match=r"need 15 requests every 4 s, .* allows 12"):
        check_feasible(sizes, FeedConfig(cycle_s=4))


def test_a_second_reading_needs_room_for_as_many_requests_again() -> None:
    assert can_reread([400] * 15, FeedConfig(requests_per_minute=30))
    assert not can_reread([400] * 15, FeedConfig(requests_per_minute=29))
