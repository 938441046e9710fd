"""The limiter, seen from the server: no sliding window holds more than the limit, and everyone has a turn."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feed.worlds import BACKENDS, run

from tapeline.core.clock import LogicalClock, sleep_s
from tapeline.core.types import NS_PER_S
from tapeline.feed.handover import share_out
from tapeline.feed.limiter import NoSlot, SlidingWindowLimiter

Plan = list[tuple[float, float, float]]
"""Of each request: seconds before it asks, from sending to the server, from the server to the answer."""

_seconds = st.floats(0, 90).map(lambda s: round(s, 3))


async def _send_all(clock: LogicalClock, limiter: SlidingWindowLimiter, plan: Plan) -> list[int]:
    arrivals: list[int] = []

    async def send(step: tuple[float, float, float]) -> None:
        await sleep_s(clock, step[0])
        async with limiter.slot():
            await sleep_s(clock, step[1])
            arrivals.append(clock.now_ns())
            await sleep_s(clock, step[2])

    await share_out(clock, plan, len(plan), send)
    return arrivals


@pytest.mark.parametrize("backend", BACKENDS)
@given(limit=st.integers(1, 6), plan=st.lists(st.tuples(_seconds, _seconds, _seconds), min_size=1, max_size=25))
@settings(max_examples=60, deadline=None)
def test_no_window_at_the_server_ever_holds_more_than_the_limit(backend: str, limit: int, plan: Plan) -> None:
    async def main(clock: LogicalClock) -> list[int]:
        return await _send_all(clock, SlidingWindowLimiter(limit, clock=clock), plan)

    arrivals = run(main, start_ns=0, backend=backend)
    assert len(arrivals) == len(plan)  # nobody starves
    for first in arrivals:
        assert sum(first <= other <= first + 60 * NS_PER_S for other in arrivals) <= limit


def test_the_first_second_lets_no_more_through_than_the_limit() -> None:
    async def main(clock: LogicalClock) -> list[int]:
        return await _send_all(clock, SlidingWindowLimiter(5, clock=clock), [(0.0, 0.1, 0.1)] * 12)

    arrivals = run(main, start_ns=0)
    assert [sum(a // (60 * NS_PER_S) == minute for a in arrivals) for minute in range(3)] == [5, 5, 2]


@pytest.mark.parametrize("backend", BACKENDS)
def test_slots_come_in_the_order_of_asking(backend: str) -> None:
    async def main(clock: LogicalClock) -> list[int]:
        limiter, served = SlidingWindowLimiter(2, clock=clock), []

        async def send(number: int) -> None:
            await sleep_s(clock, number)  # asks in the order of numbers
            async with limiter.slot():
                served.append(number)
                await sleep_s(clock, 10 - number)

        await share_out(clock, range(9), 9, send)
        return served

    assert run(main, start_ns=0, backend=backend) == list(range(9))


def test_a_slot_counts_until_a_window_after_its_answer() -> None:
    async def main(clock: LogicalClock) -> int:
        limiter = SlidingWindowLimiter(1, clock=clock)
        async with limiter.slot():
            await sleep_s(clock, 25)
        async with limiter.slot():
            return clock.now_ns()

    assert run(main, start_ns=0) == 85 * NS_PER_S + 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cancelled_waiter_gives_its_turn_to_the_next(backend: str) -> None:
    async def main(clock: LogicalClock) -> list[str]:
        limiter, served = SlidingWindowLimiter(1, clock=clock), []
        scope = anyio.CancelScope()

        async def give_up() -> None:
            with scope:
                async with limiter.slot():
                    served.append("cancelled")

        async def patient() -> None:
            await sleep_s(clock, 1)
            async with limiter.slot():
                served.append("patient")

        async def canceller() -> None:
            await sleep_s(clock, 5)
            scope.cancel()

        async with limiter.slot():
            await sleep_s(clock, 1)
        await share_out(clock, [give_up, patient, canceller], 3, lambda job: job())
        assert clock.now_ns() == 61 * NS_PER_S + 1
        return served

    assert run(main, start_ns=0, backend=backend) == ["patient"]


def test_a_deadline_that_no_slot_meets_is_refused_at_once() -> None:
    async def main(clock: LogicalClock) -> int:
        limiter = SlidingWindowLimiter(1, clock=clock)
        async with limiter.slot():
            pass
        with pytest.raises(NoSlot, match="all 1 requests of 60 s are used"):
            async with limiter.slot(deadline_ns=59 * NS_PER_S):
                raise AssertionError
        async with limiter.slot(deadline_ns=61 * NS_PER_S):
            return clock.now_ns()

    assert run(main, start_ns=0) == 60 * NS_PER_S + 1


def test_requests_of_others_on_the_key_are_believed_until_the_reset() -> None:
    async def main(clock: LogicalClock) -> list[int]:
        limiter, seen = SlidingWindowLimiter(10, clock=clock), []
        async with limiter.slot():
            pass
        limiter.reconcile(remaining=50)  # the server allows more than we use: no constraint
        seen.append(limiter.used)
        limiter.reconcile(remaining=2, reset_ns=30 * NS_PER_S)
        seen.append(limiter.used)
        limiter.reconcile(remaining=2, reset_ns=30 * NS_PER_S)
        seen.append(limiter.used)
        await sleep_s(clock, 30)
        seen.append(limiter.used)
        return seen

    assert run(main, start_ns=0) == [1, 8, 8, 1]


def test_a_server_that_counts_beyond_its_limit_and_our_window_stops_us_for_a_window() -> None:
    async def main(clock: LogicalClock) -> list[int]:
        limiter, seen = SlidingWindowLimiter(10, clock=clock), []
        limiter.reconcile(remaining=-3, reset_ns=900 * NS_PER_S)
        for seconds in (59, 1):
            seen.append(limiter.used)
            await sleep_s(clock, seconds)
        return [*seen, limiter.used]

    assert run(main, start_ns=0) == [10, 10, 0]


def test_a_pause_holds_everyone_back() -> None:
    async def main(clock: LogicalClock) -> int:
        limiter = SlidingWindowLimiter(10, clock=clock)
        limiter.pause(17 * NS_PER_S)
        limiter.pause(5 * NS_PER_S)  # of another answer: the longer one stands
        async with limiter.slot():
            return clock.now_ns()

    assert run(main, start_ns=0) == 17 * NS_PER_S


def test_what_counted_before_a_restart_counts_after_it() -> None:
    async def main(clock: LogicalClock) -> int:
        limiter = SlidingWindowLimiter(2, clock=clock)
        async with limiter.slot():
            await sleep_s(clock, 4)
        async with limiter.slot():
            reborn = SlidingWindowLimiter(2, clock=clock)
            reborn.load(limiter.dump())
        assert reborn.used == 2
        async with reborn.slot():
            return clock.now_ns()

    assert run(main, start_ns=0) == 64 * NS_PER_S + 1


@pytest.mark.parametrize(("limit", "window_s"), [(0, 60.0), (-1, 60.0), (5, 0.0)])
def test_a_limit_that_lets_nothing_through_is_refused(limit: int, window_s: float) -> None:
    with pytest.raises(ValueError, match="lets nothing through"):
        SlidingWindowLimiter(limit, clock=LogicalClock(0), window_s=window_s)
