"""The logical clock: still while an actor works, exact jumps, the same order whatever the scheduler does."""

from __future__ import annotations

import random
from functools import partial

import anyio
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.clock import LogicalClock, SystemClock, actor, together


async def _sleepers(plans: dict[str, list[int]], jitter: random.Random | None = None) -> list[tuple[int, str]]:
    """Let each named actor sleep until its moments; return what woke when."""
    clock, seen = LogicalClock(0), []

    async def one(name: str, moments: list[int]) -> None:
        try:
            for moment in moments:
                for _ in range(jitter.randrange(4) if jitter else 0):
                    await anyio.lowlevel.checkpoint()
                await clock.sleep_until(moment)
                seen.append((clock.now_ns(), name))
        finally:
            await clock.leave()

    async with anyio.create_task_group() as group:
        for name, moments in plans.items():
            clock.enter()
            group.start_soon(one, name, moments)
    return seen


@given(
    plans=st.dictionaries(
        st.sampled_from("abcdef"),
        st.lists(st.integers(1, 1000), min_size=1, max_size=6, unique=True).map(sorted),
        min_size=1,
    ),
    seed=st.integers(0, 2**16),
)
def test_every_sleeper_wakes_at_its_moment_in_order_of_time(plans: dict[str, list[int]], seed: int) -> None:
    seen = trio.run(_sleepers, plans, random.Random(seed))
    assert [moment for moment, _ in seen] == sorted(moment for moments in plans.values() for moment in moments)
    for name, moments in plans.items():
        assert [moment for moment, who in seen if who == name] == moments


def test_time_stands_still_while_one_actor_waits_for_real_work() -> None:
    async def main() -> list[int]:
        clock, answer, seen = LogicalClock(0), anyio.Event(), []

        async def sleeper() -> None:
            try:
                await clock.sleep_until(100)
                seen.append(clock.now_ns())
            finally:
                await clock.leave()

        async def worker() -> None:
            try:
                await answer.wait()
                seen.append(clock.now_ns())
            finally:
                await clock.leave()

        async with anyio.create_task_group() as group:
            for task in (sleeper, worker):
                clock.enter()
                group.start_soon(task)
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            seen.append(clock.now_ns())
            answer.set()
        return seen

    assert trio.run(main) == [0, 0, 100]


def test_sleeping_without_being_an_actor_is_refused() -> None:
    async def main() -> None:
        await LogicalClock(0).sleep_until(1)

    with pytest.raises(RuntimeError, match="actor"):
        trio.run(main)


def test_a_cancelled_sleeper_does_not_stop_the_others() -> None:
    async def main() -> int:
        clock = LogicalClock(0)

        async def doomed(scope: anyio.CancelScope) -> None:
            try:
                with scope:
                    await clock.sleep_until(10)
            finally:
                await clock.leave()

        async with anyio.create_task_group() as group, actor(clock):
            scope = anyio.CancelScope()
            clock.enter()
            group.start_soon(doomed, scope)
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            scope.cancel()
            await clock.sleep_until(50)
        return clock.now_ns()

    assert trio.run(main) == 50


def test_time_moves_freely_up_to_what_the_authority_granted() -> None:
    asked: list[int] = []

    async def authority(moment_ns: int) -> int:
        asked.append(moment_ns)
        return moment_ns + 5

    async def main() -> list[int]:
        clock, seen = LogicalClock(0, authority), []
        async with actor(clock):
            for moment_ns in (10, 12, 15, 16):
                await clock.sleep_until(moment_ns)
                seen.append(clock.now_ns())
        return seen

    assert trio.run(main) == [10, 12, 15, 16]
    assert asked == [10, 16]


def test_the_wall_clock_sleeps_to_its_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    wall = iter([0, 0, 7, 12])
    monkeypatch.setattr("tapeline.core.clock.time.time_ns", lambda: next(wall))
    slept: list[float] = []

    async def fake_sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("tapeline.core.clock.anyio.sleep", fake_sleep)
    trio.run(clock.sleep_until, 10)
    assert slept == [10e-9, 10e-9, 3e-9]


@given(naps=st.lists(st.integers(0, 50), max_size=8), other=st.integers(1, 200))
def test_a_parent_goes_on_at_the_moment_its_last_child_ended(naps: list[int], other: int) -> None:
    async def main() -> tuple[int, int]:
        clock = LogicalClock(0)
        woke = []

        async def bystander() -> None:
            try:
                await clock.sleep_until(other)
                woke.append(clock.now_ns())
            finally:
                await clock.leave()

        async with anyio.create_task_group() as group:
            clock.enter()
            group.start_soon(bystander)
            async with actor(clock):
                await together(clock, [partial(clock.sleep_until, nap) for nap in naps])
                back = clock.now_ns()
        return back, woke[0]

    assert trio.run(main) == (max(naps, default=0), other)


def test_an_error_in_one_child_cancels_the_others_and_keeps_the_count() -> None:
    async def main() -> int:
        clock = LogicalClock(0)

        async def fail() -> None:
            raise ValueError("broken")

        async with actor(clock):
            with pytest.RaisesGroup(ValueError):
                await together(clock, [lambda: clock.sleep_until(10), fail, lambda: clock.sleep_until(20)])
            await clock.sleep_until(50)
            return clock.now_ns()

    assert trio.run(main) == 50
