"""Waiting for a task: logical time goes on meanwhile, and every count is right afterwards."""

from __future__ import annotations

import anyio
import pytest
from tests.feed.worlds import BACKENDS, run

from tapeline.core.clock import LogicalClock, actor, sleep_s
from tapeline.core.types import NS_PER_S
from tapeline.feed.handover import Handover, share_out


@pytest.mark.parametrize("backend", BACKENDS)
def test_time_moves_while_one_waits_and_stands_still_from_the_wake_on(backend: str) -> None:
    async def main(clock: LogicalClock) -> list[int]:
        handover, seen = Handover(clock), []

        async def waker() -> None:
            try:
                await sleep_s(clock, 5)
                handover.wake()
            finally:
                await clock.leave()

        clock.enter()
        async with anyio.create_task_group() as group:
            group.start_soon(waker)
            await handover.wait()
            seen.append(clock.now_ns())
        await sleep_s(clock, 1)
        seen.append(clock.now_ns())
        return seen

    assert run(main, start_ns=0, backend=backend) == [5 * NS_PER_S, 6 * NS_PER_S]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_cancelled_waiter_is_an_actor_again(backend: str) -> None:
    async def main(clock: LogicalClock) -> int:
        handover = Handover(clock)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_soon, scope)
                await handover.wait()
        await sleep_s(clock, 3)  # hangs, or raises, when the count is wrong
        return clock.now_ns()

    assert run(main, start_ns=0, backend=backend) == 3 * NS_PER_S


async def _cancel_soon(scope: anyio.CancelScope) -> None:
    await anyio.lowlevel.checkpoint()
    scope.cancel()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("workers", [1, 2, 5, 9])
def test_jobs_are_shared_out_and_results_keep_their_order(backend: str, workers: int) -> None:
    async def main(clock: LogicalClock) -> tuple[list[int], int]:
        flying, peak = 0, 0

        async def work(job: int) -> int:
            nonlocal flying, peak
            flying += 1
            peak = max(peak, flying)
            await sleep_s(clock, 7 - job)
            flying -= 1
            return job * job

        results = await share_out(clock, range(7), workers, work)
        await sleep_s(clock, 1)
        assert peak == min(workers, 7)
        return results, clock.now_ns()

    results, end_ns = run(main, start_ns=0, backend=backend)
    assert results == [job * job for job in range(7)]
    assert end_ns >= 8 * NS_PER_S


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_failing_job_ends_the_others_and_leaves_the_clock_whole(backend: str) -> None:
    async def main(clock: LogicalClock) -> int:
        async def work(job: int) -> None:
            await sleep_s(clock, 1 + job)
            if job == 1:
                raise ArithmeticError

        with pytest.raises(ExceptionGroup):
            await share_out(clock, range(4), 3, work)
        caught_ns = clock.now_ns()
        await sleep_s(clock, 10)
        return clock.now_ns() - caught_ns

    assert run(main, start_ns=0, backend=backend) == 10 * NS_PER_S


def test_nothing_to_do_is_done_at_once() -> None:
    async def main(clock: LogicalClock) -> list[None]:
        async def work(job: int) -> None:
            raise AssertionError

        async with actor(clock):
            pass
        return await share_out(clock, [], 3, work)

    assert run(main) == []
