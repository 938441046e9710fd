"""Channels: bounded, first in first out, ended by the last sender, and never holding time still."""

from __future__ import annotations

import random
from functools import partial

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.runs import BACKENDS, jitter, run

from tapeline.core.clock import LogicalClock, sleep_s, together
from tapeline.core.types import NS_PER_S
from tapeline.flow.channel import Inlet, Outlet, channel


def make(clock: LogicalClock, capacity: int) -> tuple[Inlet[int], Outlet[int]]:
    return channel(clock, capacity)


async def take_all(outlet: Outlet[int], seen: list[int]) -> None:
    while True:
        try:
            seen.append(await outlet.receive())
        except anyio.EndOfStream:
            return


@pytest.mark.parametrize("backend", BACKENDS)
def test_items_arrive_in_order_and_the_end_comes_after_the_last(backend: str) -> None:
    async def main(clock: LogicalClock) -> list[int]:
        inlet, outlet = make(clock, 2)
        seen: list[int] = []

        async def send() -> None:
            with inlet:
                for item in range(7):
                    await inlet.send(item)

        with outlet:
            await together(clock, [send, partial(take_all, outlet, seen)])
        return seen

    assert run(main, backend) == list(range(7))


@pytest.mark.parametrize("backend", BACKENDS)
def test_time_moves_while_a_receiver_waits_and_while_a_sender_waits(backend: str) -> None:
    async def main(clock: LogicalClock) -> list[tuple[str, int]]:
        inlet, outlet = make(clock, 1)
        seen: list[tuple[str, int]] = []

        async def send() -> None:
            with inlet:
                await sleep_s(clock, 5)
                for item in range(3):
                    await inlet.send(item)
                    seen.append((f"sent {item}", clock.now_ns() // NS_PER_S))

        async def receive() -> None:
            for _ in range(3):
                item = await outlet.receive()
                seen.append((f"got {item}", clock.now_ns() // NS_PER_S))
                await sleep_s(clock, 10)

        with outlet:
            await together(clock, [send, receive])
        return sorted(seen, key=lambda row: (row[1], row[0]))

    times = [("got 0", 5), ("sent 0", 5), ("sent 1", 5), ("got 1", 15), ("sent 2", 15), ("got 2", 25)]
    assert run(main, backend) == times


def test_the_end_comes_with_the_last_of_several_senders() -> None:
    async def main(clock: LogicalClock) -> list[int]:
        inlet, outlet = make(clock, 4)
        seen: list[int] = []

        async def send(sender: Inlet[int], after_s: float, item: int) -> None:
            with sender:
                await sleep_s(clock, after_s)
                await sender.send(item)

        with outlet:
            senders = [partial(send, inlet.clone(), 1.0, 1), partial(send, inlet, 3.0, 2)]
            await together(clock, [*senders, partial(take_all, outlet, seen)])
        return seen

    assert run(main) == [1, 2]


def test_a_sender_without_a_receiver_is_told() -> None:
    async def main(clock: LogicalClock) -> None:
        inlet, outlet = make(clock, 1)
        with inlet:
            outlet.close()
            with pytest.raises(anyio.BrokenResourceError):
                await inlet.send(1)

    run(main)


def test_a_sender_that_waits_for_room_is_told_when_the_receiver_goes() -> None:
    async def main(clock: LogicalClock) -> None:
        inlet, outlet = make(clock, 1)

        async def send() -> None:
            with inlet:
                await inlet.send(1)
                with pytest.raises(anyio.BrokenResourceError):
                    await inlet.send(2)
                assert clock.now_ns() == NS_PER_S

        async def leave() -> None:
            await sleep_s(clock, 1.0)
            outlet.close()

        await together(clock, [send, leave])

    run(main)


def test_a_channel_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity 0"):
        channel(LogicalClock(0), 0)


@given(
    n_items=st.integers(1, 30),
    capacity=st.integers(1, 5),
    receivers=st.integers(1, 4),
    kill_after=st.integers(0, 60),
    seed=st.integers(0, 2**16),
)
def test_whatever_is_cancelled_put_equals_got_and_left(
    n_items: int, capacity: int, receivers: int, kill_after: int, seed: int
) -> None:
    async def main(clock: LogicalClock) -> None:
        draw = random.Random(seed)
        inlet, outlet = make(clock, capacity)
        put: list[int] = []
        got: list[int] = []
        most = [0]

        async def send() -> None:
            with inlet:
                for item in range(n_items):
                    await jitter(draw)
                    await inlet.send(item)
                    put.append(item)
                    most[0] = max(most[0], outlet.waiting)

        async def receive() -> None:
            while True:
                try:
                    got.append(await outlet.receive())
                except anyio.EndOfStream:
                    return
                await sleep_s(clock, draw.randrange(3))

        async def killer(scope: anyio.CancelScope) -> None:
            for _ in range(kill_after):
                await anyio.lowlevel.checkpoint()
            scope.cancel()

        with anyio.CancelScope() as scope, outlet:
            async with anyio.create_task_group() as group:
                group.start_soon(killer, scope)
                await together(clock, [send, *[receive] * receivers])
                group.cancel_scope.cancel()
        assert len(put) == len(got) + outlet.waiting
        assert sorted(got) == list(range(len(got)))
        assert most[0] <= capacity
        if len(put) == n_items and not scope.cancel_called:
            assert len(got) == n_items
        await sleep_s(clock, 1)  # hangs, or raises, when the count of actors is wrong

    run(main)
