"""Stopping: the work closes in order, and a request is never lost."""

from __future__ import annotations

import os
import signal

import anyio
import pytest

from tapeline.cli.stopping import interrupted_by_sigterm, until_stopped


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_lets_the_work_close_and_is_a_keyboard_interrupt(number: signal.Signals) -> None:
    closed: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await anyio.sleep_forever()
        finally:
            closed.append("closed")

    with pytest.raises(KeyboardInterrupt):
        anyio.run(until_stopped, work)
    assert closed == ["closed"]


def test_a_cancellation_that_a_library_swallows_is_made_again() -> None:
    swallowed = 0

    async def work() -> None:
        nonlocal swallowed
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            try:
                await anyio.sleep_forever()
            except BaseException:
                swallowed += 1
                if swallowed > 2:
                    raise

    with pytest.raises(KeyboardInterrupt):
        anyio.run(until_stopped, work)
    assert swallowed == 3


def test_work_that_ends_by_itself_is_no_interrupt() -> None:
    async def work() -> None:
        await anyio.lowlevel.checkpoint()

    anyio.run(until_stopped, work)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_sigterm_interrupts_what_waits_without_a_loop_and_means_again_what_it_meant() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), interrupted_by_sigterm():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert signal.getsignal(signal.SIGTERM) is before
