"""Stages: every item leaves once, failures are the item's own, deadlines and back pressure hold, on any schedule."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.runs import BACKENDS, jitter, run

from tapeline.core.clock import LogicalClock, sleep_s, together
from tapeline.core.errors import StoreError, Unavailable
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S
from tapeline.flow.channel import Inlet, Outlet, channel
from tapeline.flow.stage import Stage, Task

Seen = list[tuple[str, int, Kind | None]]


class Log:
    """Who entered and left which stage."""

    def __init__(self) -> None:
        self.steps: Seen = []

    def __call__(self, stage: str, item: Any, outcome: Outcome[Any] | None) -> None:
        self.steps.append((stage, item, None if outcome is None else outcome.kind))

    def left(self, *kinds: Kind) -> Counter[int]:
        return Counter(item for _, item, kind in self.steps if kind in kinds)


async def line(clock: LogicalClock, stages: list[Stage[int, int]], items: list[int], log: Log, queue: int) -> list[int]:
    """Send ``items`` through all stages; return what came out at the end."""
    ends: list[tuple[Inlet[int], Outlet[int]]] = [channel(clock, queue) for _ in range(len(stages) + 1)]
    done: list[int] = []

    async def feed() -> None:
        with ends[0][0] as inlet:
            for item in items:
                await inlet.send(item)

    async def drain() -> None:
        while True:
            try:
                done.append(await ends[-1][1].receive())
            except anyio.EndOfStream:
                return

    tasks: list[Task] = [feed, drain]
    for place, stage in enumerate(stages):
        tasks += stage.tasks(ends[place][1], ends[place + 1][0], clock, log)
    try:
        await together(clock, tasks)
    finally:
        for inlet, outlet in ends:
            inlet.close()
            outlet.close()
    return done


def judged(item: int) -> Outcome[int]:
    """Of ten items, one is refused and one breaks."""
    if item % 10 == 3:
        return nothing(Kind.ABSTAINED, source="test", reason="not this one")
    if item % 10 == 7:
        raise Unavailable("it broke")
    return value_of(item, source="test")


@given(
    n_items=st.integers(0, 40),
    workers=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    queue=st.integers(1, 4),
    seed=st.integers(0, 2**16),
)
def test_every_item_leaves_exactly_once_whatever_the_schedule(
    n_items: int, workers: list[int], queue: int, seed: int
) -> None:
    draw, log = random.Random(seed), Log()
    at_work: Counter[int] = Counter()

    async def main(clock: LogicalClock) -> list[int]:
        async def work(place: int, item: int) -> Outcome[int]:
            at_work[place] += 1
            assert at_work[place] <= workers[place]
            try:
                await jitter(draw)
                await sleep_s(clock, draw.randrange(3))
                return judged(item) if place == 0 else value_of(item, source="test")
            finally:
                at_work[place] -= 1

        stages = [Stage(f"s{p}", partial(work, p), n, timeout_s=60.0) for p, n in enumerate(workers)]
        return await line(clock, stages, list(range(n_items)), log, queue)

    done = run(main)
    good = [item for item in range(n_items) if item % 10 not in (3, 7)]
    assert sorted(done) == good
    assert sum(log.left(Kind.ABSTAINED).values()) == len([i for i in range(n_items) if i % 10 == 3])
    assert sum(log.left(Kind.ERROR).values()) == len([i for i in range(n_items) if i % 10 == 7])
    assert log.left(Kind.VALUE) == Counter(dict.fromkeys(good, len(workers)))
    assert len(log.steps) == 2 * (n_items + len(good) * (len(workers) - 1))


@given(kill_after=st.integers(0, 120), seed=st.integers(0, 2**16))
def test_a_kill_at_any_await_leaves_every_item_somewhere_once(kill_after: int, seed: int) -> None:
    draw, log = random.Random(seed), Log()
    queued: Counter[int] = Counter()

    async def main(clock: LogicalClock) -> None:
        (first, inbox), (outbox, last) = make(clock, 30), make(clock, 3)

        async def work(item: int) -> Outcome[int]:
            await jitter(draw)
            await sleep_s(clock, 1.0)
            return judged(item)

        async def killer(scope: anyio.CancelScope) -> None:
            for _ in range(kill_after):
                await anyio.lowlevel.checkpoint()
            scope.cancel()

        for item in range(20):
            await first.send(item)
        first.close()
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(killer, scope)
                await together(clock, Stage("s", work, 3, timeout_s=60.0).tasks(inbox, outbox, clock, log))
                group.cancel_scope.cancel()
        outbox.close()
        for end in (inbox, last):
            while end.waiting:
                queued[await end.receive()] += 1
            end.close()
        await sleep_s(clock, 1)  # hangs, or raises, when the count of actors is wrong

    run(main)
    entered = Counter(item for _, item, kind in log.steps if kind is None)
    out = log.left(Kind.ERROR, Kind.ABSTAINED)
    in_hand = entered - out - log.left(Kind.VALUE)
    assert queued + out + in_hand == Counter(range(20))


def make(clock: LogicalClock, capacity: int) -> tuple[Inlet[int], Outlet[int]]:
    return channel(clock, capacity)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_item_that_takes_too_long_is_given_up_and_the_others_go_on(backend: str) -> None:
    log = Log()

    async def main(clock: LogicalClock) -> tuple[list[int], int]:
        async def work(item: int) -> Outcome[int]:
            await sleep_s(clock, 1_000.0 if item == 1 else 1.0)
            return value_of(item, source="test")

        done = await line(clock, [Stage("s", work, 1, timeout_s=10.0)], [0, 1, 2], log, 3)
        return done, clock.now_ns() // NS_PER_S

    assert run(main, backend) == ([0, 2], 12)
    assert log.left(Kind.ERROR) == Counter([1])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_slow_stage_holds_the_one_before_it(backend: str) -> None:
    log = Log()

    async def main(clock: LogicalClock) -> None:
        async def fast(item: int) -> Outcome[int]:
            await anyio.lowlevel.checkpoint()
            return value_of(item, source="test")

        async def slow(item: int) -> Outcome[int]:
            entered = Counter(stage for stage, _, kind in log.steps if kind is None)
            finished = Counter(stage for stage, _, kind in log.steps if kind is not None)
            assert entered["fast"] - finished["slow"] <= 1 + 2 + 1  # in the slow hand, in the queue, in the fast hand
            await sleep_s(clock, 5.0)
            return value_of(item, source="test")

        stages = [Stage("fast", fast, 1, timeout_s=60.0), Stage("slow", slow, 1, timeout_s=60.0)]
        assert await line(clock, stages, list(range(12)), log, 2) == list(range(12))

    run(main, backend)


@pytest.mark.parametrize(("error", "what"), [(StoreError("disk full"), StoreError), (ValueError("a bug"), ValueError)])
def test_a_bug_or_a_store_that_fails_ends_the_whole_flow(error: Exception, what: type[Exception]) -> None:
    async def main(clock: LogicalClock) -> None:
        async def work(_item: int) -> Outcome[int]:
            await sleep_s(clock, 1.0)
            raise error

        await line(clock, [Stage("s", work, 2, timeout_s=60.0)], list(range(5)), Log(), 2)

    with pytest.raises(BaseExceptionGroup) as caught:
        run(main)
    assert caught.group_contains(what)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_list_is_done_whole_before_anything_else(backend: str) -> None:
    log = Log()

    async def main(clock: LogicalClock) -> tuple[list[int], list[int], int]:
        async def work(item: int) -> Outcome[int]:
            await sleep_s(clock, float(10 - item))
            return judged(item)

        stage = Stage("s", work, 4, timeout_s=60.0)
        return await stage.all_of([], clock, log), await stage.all_of([1, 2, 3, 4], clock, log), clock.now_ns()

    assert run(main, backend) == ([], [4, 2, 1], 9 * NS_PER_S)  # 3 is refused
