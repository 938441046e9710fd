"""Slots: the best of those who wait comes first, never more than there are, and the gate gives them back."""

from __future__ import annotations

import random
from functools import partial

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.runs import BACKENDS, jitter, run

from tapeline.core.clock import LogicalClock, sleep_s, together
from tapeline.loop.slots import Slots
from tapeline.thesis.discovery import Found


def found(symbol: str, score: float) -> Found:
    return Found(symbol, score, ("test",), ("because",))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_best_of_those_who_wait_is_next_and_the_rest_are_left(backend: str) -> None:
    async def main(clock: LogicalClock) -> tuple[list[str], list[str]]:
        slots = Slots(clock, slots=2, room=9)
        for symbol, score in (("A", 3.0), ("C", 5.0), ("B", 5.0), ("D", 4.0)):
            assert await slots.offer(found(symbol, score))
        slots.close()
        taken = [(await slots.receive()).symbol for _ in range(2)]
        for _ in taken:
            slots.settle(keeps=True)
        with pytest.raises(anyio.EndOfStream):
            await slots.receive()
        return taken, [ticker.symbol for ticker in slots.left()]

    assert run(main, backend) == (["B", "C"], ["D", "A"])


def test_a_ticker_that_is_not_worth_it_gives_its_slot_to_the_next() -> None:
    async def main(clock: LogicalClock) -> list[str]:
        slots = Slots(clock, slots=1, room=9)
        taken: list[str] = []

        async def work() -> None:
            while True:
                try:
                    taken.append((await slots.receive()).symbol)
                except anyio.EndOfStream:
                    return
                await sleep_s(clock, 1.0)
                slots.settle(keeps=taken[-1] == "C")

        for symbol in "ABCD":
            await slots.offer(found(symbol, 10.0 - ord(symbol)))
        slots.close()
        await together(clock, [work, work])
        return taken

    assert run(main) == ["A", "B", "C"]


def test_who_offers_waits_for_room_and_is_told_when_no_slot_can_come_free() -> None:
    async def main(clock: LogicalClock) -> tuple[list[tuple[str, bool]], int]:
        slots = Slots(clock, slots=1, room=1)
        offered: list[tuple[str, bool]] = []

        async def offer() -> None:
            for symbol in "ABC":
                offered.append((symbol, await slots.offer(found(symbol, 1.0))))
            slots.close()

        async def work() -> None:
            await sleep_s(clock, 5.0)
            await slots.receive()
            await sleep_s(clock, 5.0)
            slots.settle(keeps=True)

        await together(clock, [offer, work])
        return offered, clock.now_ns() // 10**9

    assert run(main) == ([("A", True), ("B", True), ("C", False)], 10)


@given(
    n_found=st.integers(0, 25),
    n_slots=st.integers(0, 6),
    room=st.integers(1, 5),
    workers=st.integers(1, 4),
    seed=st.integers(0, 2**16),
)
def test_every_ticker_is_kept_refused_or_left_whatever_the_schedule(
    n_found: int, n_slots: int, room: int, workers: int, seed: int
) -> None:
    draw = random.Random(seed)
    taken: list[str] = []
    kept: list[str] = []
    turned_away: list[str] = []

    async def main(clock: LogicalClock) -> list[str]:
        slots = Slots(clock, slots=n_slots, room=room)

        async def offer() -> None:
            for number in range(n_found):
                await jitter(draw)
                if not await slots.offer(found(str(number), draw.random())):
                    turned_away.append(str(number))
            slots.close()

        async def work() -> None:
            while True:
                try:
                    ticker = await slots.receive()
                except anyio.EndOfStream:
                    return
                taken.append(ticker.symbol)
                await sleep_s(clock, draw.randrange(3))
                keeps = draw.random() < 0.6
                kept.extend([ticker.symbol] * keeps)
                slots.settle(keeps=keeps)

        await together(clock, [offer, *[partial(work) for _ in range(workers)]])
        return [ticker.symbol for ticker in slots.left()]

    left = run(main)
    assert sorted([*taken, *turned_away, *left]) == sorted(str(number) for number in range(n_found))
    assert len(kept) <= n_slots
    assert len(kept) == n_slots or not (left or turned_away)
