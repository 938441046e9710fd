"""The vendor's rate limit and the count of requests, on logical time."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.types import NS_PER_S
from tapeline.sim.limits import WINDOW_NS, SlidingLimit, Stats

gaps = st.lists(st.integers(0, 20 * NS_PER_S), min_size=1, max_size=120)


@given(gaps, st.integers(1, 8))
def test_no_window_of_60_seconds_ever_serves_more_than_the_limit(gaps: list[int], limit: int) -> None:
    sliding = SlidingLimit(limit)
    served = [now_ns for now_ns in accumulate(gaps) if sliding.take(now_ns).served]
    for now_ns in served:
        assert sum(now_ns - WINDOW_NS < other <= now_ns for other in served) <= limit


@given(gaps, st.integers(1, 8))
def test_a_request_is_refused_only_when_the_window_is_full(gaps: list[int], limit: int) -> None:
    sliding = SlidingLimit(limit)
    served: list[int] = []
    for now_ns in accumulate(gaps):
        verdict = sliding.take(now_ns)
        in_window = sum(other > now_ns - WINDOW_NS for other in served)
        assert verdict.served == (in_window < limit)
        assert verdict.remaining == limit - in_window - verdict.served
        if verdict.served:
            served.append(now_ns)


def test_a_refusal_names_the_second_at_which_a_slot_is_free_again() -> None:
    sliding = SlidingLimit(2)
    sliding.take(1_000 * NS_PER_S + 1)
    sliding.take(1_010 * NS_PER_S)
    refused = sliding.take(1_020 * NS_PER_S)
    assert refused.headers() == {
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1061",
    }
    assert sliding.take(1_061 * NS_PER_S).served


def test_a_limit_may_have_another_window() -> None:
    sliding = SlidingLimit(2, NS_PER_S)
    assert [sliding.take(5).served for _ in range(3)] == [True, True, False]
    assert sliding.take(NS_PER_S + 5).served


def test_the_peak_is_counted_over_sliding_windows_and_per_family() -> None:
    stats = Stats()
    for second in (0, 59, 59, 61, 200):
        stats.arrived("/v2/stocks/bars", "data", second * NS_PER_S)
    stats.arrived("/rss/search", "news", 0)
    stats.answered(429, 10, None)
    stats.answered(200, 30, "truncate")
    assert stats.as_dict() == {
        "requests": {"/rss/search": 1, "/v2/stocks/bars": 5},
        "statuses": {"200": 1, "429": 1},
        "refused_429": 1,
        "faults": {"truncate": 1},
        "peak_requests_per_60_s": {"data": 3, "news": 1},
        "bytes": 40,
    }
