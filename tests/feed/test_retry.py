"""Backing off: doubled, jittered by a hash, and never more than the budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tapeline.feed.retry import RetryBudget, backoff_s


@given(attempt=st.integers(1, 10), seed=st.integers(0, 2**32), identity=st.text(max_size=50))
def test_a_pause_stays_within_its_bounds_and_repeats_itself(attempt: int, seed: int, identity: str) -> None:
    pause_s = backoff_s(0.5, attempt, seed=seed, identity=identity)
    assert 0.5 <= pause_s / (0.5 * 2 ** (attempt - 1)) < 1.5
    assert pause_s == backoff_s(0.5, attempt, seed=seed, identity=identity)


def test_two_requests_do_not_come_back_at_the_same_moment() -> None:
    assert backoff_s(1.0, 1, seed=7, identity="/a") != backoff_s(1.0, 1, seed=7, identity="/b")


def test_the_budget_allows_a_share_of_the_requests() -> None:
    budget = RetryBudget(share=0.25, cap=2.0)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    for _ in range(4):
        budget.earn()
    assert [budget.spend() for _ in range(2)] == [True, False]


def test_a_quiet_hour_saves_no_more_than_the_cap() -> None:
    budget = RetryBudget(share=1.0, cap=3.0)
    for _ in range(100):
        budget.earn()
    assert sum(budget.spend() for _ in range(100)) == 3
