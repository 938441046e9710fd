"""The replay's clock: one mind when alone, the slowest one's when many."""

from __future__ import annotations

import datetime as dt

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.sim.clock import ReplayClock, new_york_day, new_york_ns

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_single_participant_gets_what_it_asks_for() -> None:
    clock = ReplayClock(100)
    assert await clock.ask("node", 250) == 250
    assert clock.now_ns() == 250


async def test_a_moment_that_has_passed_is_granted_and_time_stays() -> None:
    clock = ReplayClock(100)
    assert await clock.ask("node", 40) == 100


async def test_time_waits_for_the_slowest_participant() -> None:
    clock = ReplayClock(0)
    clock.join("worker")
    granted: list[tuple[str, int]] = []

    async def ask(name: str, until_ns: int) -> None:
        granted.append((name, await clock.ask(name, until_ns)))

    async with anyio.create_task_group() as group:
        group.start_soon(ask, "node", 60)
        await anyio.wait_all_tasks_blocked()
        assert clock.now_ns() == 0
        await ask("worker", 50)
        assert clock.now_ns() == 50
        await ask("worker", 60)
    assert sorted(granted) == [("node", 60), ("worker", 50), ("worker", 60)]


async def test_time_moves_on_when_the_one_it_waits_for_leaves() -> None:
    clock = ReplayClock(0)
    clock.join("worker")
    async with anyio.create_task_group() as group:
        group.start_soon(clock.ask, "node", 60)
        await anyio.wait_all_tasks_blocked()
        clock.leave("worker")
    assert clock.now_ns() == 60
    assert clock.participants == ("node",)


async def test_an_end_of_the_server_sends_waiting_participants_away() -> None:
    clock = ReplayClock(0)
    clock.join("worker")
    async with anyio.create_task_group() as group:
        group.start_soon(clock.ask, "node", 60)
        await anyio.wait_all_tasks_blocked()
        clock.close()
    assert clock.now_ns() == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1000)), max_size=30))
def test_time_never_goes_back_and_never_passes_a_participant(asks: list[tuple[str, int]]) -> None:
    async def run() -> None:
        clock = ReplayClock(0)
        for name in "abc":
            clock.join(name)
        latest = dict.fromkeys("abc", 0)
        before_ns = 0
        async with anyio.create_task_group() as group:
            for name, until_ns in asks:
                group.start_soon(clock.ask, name, until_ns)
                await anyio.lowlevel.checkpoint()
                await anyio.wait_all_tasks_blocked()
                latest[name] = max(until_ns, before_ns)
                assert before_ns <= clock.now_ns()
                assert clock.now_ns() == max(before_ns, min(latest.values()))
                before_ns = clock.now_ns()
            clock.close()

    anyio.run(run)


def test_a_new_york_day_begins_at_its_own_midnight_in_summer_and_in_winter() -> None:
    assert new_york_ns(dt.date(2010, 5, 6)) == 1_273_118_400_000_000_000  # 04:00 UTC
    assert new_york_ns(dt.date(2010, 1, 6)) == 1_262_754_000_000_000_000  # 05:00 UTC
    assert new_york_day(1_273_118_400_000_000_000 - 1) == dt.date(2010, 5, 5)
