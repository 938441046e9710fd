"""Run a coroutine on either backend, bounded by the wall, with a jitter that makes every schedule another one."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from tapeline.core.clock import LogicalClock, actor

T = TypeVar("T")

BACKENDS = ("asyncio", "trio")


def run(main: Callable[[LogicalClock], Awaitable[T]], backend: str = "trio") -> T:
    """Run ``main`` as an actor of a clock that begins at 0; it must end within half a minute of the wall."""

    async def limited() -> T:
        clock = LogicalClock(0)
        with anyio.fail_after(30):
            async with actor(clock):
                return await main(clock)

    return anyio.run(limited, backend=backend)


async def jitter(draw: random.Random) -> None:
    """Let others go first, a few times or not at all."""
    for _ in range(draw.randrange(4)):
        await anyio.lowlevel.checkpoint()
