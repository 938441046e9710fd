"""One limit for several processes on one key, whatever each of them does and whenever it dies."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feed.test_limiter import Plan, _seconds
from tests.feed.worlds import BACKENDS, run

from tapeline.core.clock import LogicalClock, sleep_s
from tapeline.core.errors import Unavailable
from tapeline.core.types import NS_PER_S
from tapeline.feed.handover import share_out
from tapeline.feed.limiter import NoSlot, SlidingWindowLimiter
from tapeline.feed.shared_limit import MAX_FLIGHT_NS, MemoryLimiterState


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    limit=st.integers(1, 5),
    processes=st.integers(1, 4),
    restarts=st.booleans(),
    plan=st.lists(st.tuples(_seconds, _seconds, st.just(0.1)), min_size=1, max_size=20),
)
@settings(max_examples=40, deadline=None)
def test_no_window_holds_more_than_the_limit_of_all_processes_together(
    backend: str, limit: int, processes: int, restarts: bool, plan: Plan
) -> None:
    arrivals: list[int] = []

    async def main(clock: LogicalClock) -> None:
        state = MemoryLimiterState()

        def limiter() -> SlidingWindowLimiter:
            return SlidingWindowLimiter(limit, clock=clock, state=state, key="k")

        running = [limiter() for _ in range(processes)]

        async def send(job: tuple[int, tuple[float, float, float]]) -> None:
            number, (after_s, there_s, back_s) = job
            await sleep_s(clock, after_s)
            mine = limiter() if restarts else running[number % processes]
            async with mine.slot():
                await sleep_s(clock, min(there_s, 50.0))
                arrivals.append(clock.now_ns())
                await sleep_s(clock, back_s)

        await share_out(clock, list(enumerate(plan)), len(plan), send)

    run(main, start_ns=0, backend=backend)
    assert len(arrivals) == len(plan)  # nobody starves
    for first in arrivals:
        assert sum(first <= other <= first + 60 * NS_PER_S for other in arrivals) <= limit


def test_a_process_that_died_in_the_middle_counts_as_if_its_request_had_timed_out() -> None:
    async def main(clock: LogicalClock) -> int:
        state = MemoryLimiterState()
        assert await state.reserve("k", "dead", now_ns=0, window_ns=60 * NS_PER_S, limit=1) is None
        async with SlidingWindowLimiter(1, clock=clock, state=state, key="k").slot():
            return clock.now_ns()

    assert run(main, start_ns=0) == MAX_FLIGHT_NS + 60 * NS_PER_S


def test_other_keys_have_their_own_slots_and_a_deadline_is_told_at_once() -> None:
    async def main(clock: LogicalClock) -> None:
        state = MemoryLimiterState()
        async with SlidingWindowLimiter(1, clock=clock, state=state, key="a").slot():
            pass
        async with SlidingWindowLimiter(1, clock=clock, state=state, key="b").slot():
            pass
        with pytest.raises(NoSlot, match="after the deadline"):
            async with SlidingWindowLimiter(1, clock=clock, state=state, key="a").slot(30 * NS_PER_S):
                raise AssertionError
        assert clock.now_ns() == 0

    run(main, start_ns=0)


def test_nothing_is_sent_when_the_count_cannot_be_reached_and_its_loss_at_the_end_harms_nobody() -> None:
    class Gone(MemoryLimiterState):
        async def reserve(self, key: str, token: str, *, now_ns: int, window_ns: int, limit: int) -> int | None:
            raise Unavailable("the shared count of requests cannot be reached: refused")

    class Forgetful(MemoryLimiterState):
        async def settle(self, key: str, token: str, *, until_ns: int) -> None:
            raise Unavailable("gone")

    async def main(clock: LogicalClock) -> None:
        with pytest.raises(NoSlot, match="cannot be reached"):
            async with SlidingWindowLimiter(5, clock=clock, state=Gone()).slot():
                raise AssertionError
        async with SlidingWindowLimiter(5, clock=clock, state=Forgetful()).slot():
            pass

    run(main, start_ns=0)
