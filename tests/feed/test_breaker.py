"""The breaker: opens after failures in a row, tries one at a time, believes one success."""

from __future__ import annotations

from tapeline.feed.breaker import Breaker, BreakerState

OPEN_NS = 60


def _opened() -> Breaker:
    breaker = Breaker(failures=3, open_ns=OPEN_NS)
    for _ in range(3):
        breaker.settle(breaker.admit(0), False, 0)
    return breaker


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = Breaker(failures=3, open_ns=OPEN_NS)
    for ok in (False, False, True, False, False):
        breaker.settle(breaker.admit(0), ok, 0)
    assert breaker.state(0) is BreakerState.CLOSED


def test_failures_in_a_row_open_it_for_the_time_that_was_set() -> None:
    breaker = _opened()
    assert breaker.admit(OPEN_NS - 1) is BreakerState.OPEN
    assert breaker.retry_ns == OPEN_NS
    assert breaker.admit(OPEN_NS) is BreakerState.HALF_OPEN


def test_half_open_lets_one_try_through_at_a_time() -> None:
    breaker = _opened()
    trial = breaker.admit(OPEN_NS)
    assert breaker.admit(OPEN_NS) is BreakerState.OPEN
    breaker.settle(trial, None, OPEN_NS)  # the try was cancelled: the next may find out
    assert breaker.admit(OPEN_NS) is BreakerState.HALF_OPEN


def test_a_failed_trial_opens_it_again_and_a_good_one_closes_it() -> None:
    breaker = _opened()
    breaker.settle(breaker.admit(OPEN_NS), False, OPEN_NS)
    assert breaker.state(2 * OPEN_NS - 1) is BreakerState.OPEN
    breaker.settle(breaker.admit(2 * OPEN_NS), True, 2 * OPEN_NS)
    assert breaker.state(2 * OPEN_NS) is BreakerState.CLOSED


def test_an_answer_from_before_it_opened_does_not_end_the_trial() -> None:
    breaker = Breaker(failures=1, open_ns=OPEN_NS)
    early = breaker.admit(0)
    breaker.settle(breaker.admit(0), False, 0)
    breaker.admit(OPEN_NS)
    breaker.settle(early, None, OPEN_NS)
    assert breaker.admit(OPEN_NS) is BreakerState.OPEN


def test_what_says_nothing_of_health_changes_nothing() -> None:
    breaker = Breaker(failures=1, open_ns=OPEN_NS)
    breaker.settle(breaker.admit(0), None, 0)
    assert breaker.state(0) is BreakerState.CLOSED
    assert breaker.retry_ns == 0
