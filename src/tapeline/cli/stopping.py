"""Stopping on request: Ctrl-C and SIGTERM end a node in order, whatever it is waiting for.

In: the node's work.  Out: its end, or ``KeyboardInterrupt`` once everything is closed.
A request cancels a scope, which holds until the work has ended; the cancellation that Python itself sends on Ctrl-C is
sent once and can be lost in a library that swallows it.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import anyio
from anyio.abc import TaskStatus


async def until_stopped(work: Callable[[], Awaitable[None]]) -> None:
    """Run ``work`` to its end, or until SIGINT or SIGTERM; then let it close and raise ``KeyboardInterrupt``."""
    stopped = False
    async with anyio.create_task_group() as group:

        async def listen(*, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
            nonlocal stopped
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                async for _ in signals:
                    stopped = True
                    group.cancel_scope.cancel()

        await group.start(listen)
        await work()
        group.cancel_scope.cancel()
    if stopped:
        raise KeyboardInterrupt


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, for what waits without an event loop: raise ``KeyboardInterrupt``."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
