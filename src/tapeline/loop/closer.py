"""Closer looks at the best candidates beside the session: their options and their companies' figures.

In: the last scan, who can be asked.  Out: ``book.scans.look``. An actor of its own, one look at a time, so no minute
waits for it; it costs requests of the same limits, so it is off unless ``scan.second_every_min`` asks for it.
Refuses to move a decision: it is for those who watch.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from tapeline.core.types import MINUTE_S, NS_PER_S
from tapeline.loop.desk import Book, Desk
from tapeline.scan.result import ScanResult
from tapeline.scan.second import look_closer


class CloserLooks:
    """The closer looks of one session.

    Parameters
    ----------
    group
        Where a look lives.
    on_change
        Called when one has ended.
    """

    def __init__(self, desk: Desk, book: Book, group: TaskGroup, on_change: Callable[[], None]) -> None:
        self._desk, self._book, self._group, self._on_change = desk, book, group, on_change
        self._every_min = desk.config.scan.second_every_min
        self._scope = anyio.CancelScope()
        self._ended: anyio.Event | None = None

    def after_minute(self, as_of_ns: int) -> None:
        """Begin a look when one is due: at the first scan that has had ``second_every_min`` minutes."""
        last, scans = self._book.scans.last, self._book.scans
        since_ns = scans.looked_ns or self._book.session.open_ns
        is_due = as_of_ns - since_ns >= self._every_min * MINUTE_S * NS_PER_S
        if not self._every_min or not is_due or last is None or last.as_of_ns != as_of_ns:
            return
        if self._ended is not None and not self._ended.is_set():
            return  # the one before has not ended
        scans.looked_ns = as_of_ns
        self._scope, self._ended = anyio.CancelScope(), anyio.Event()
        self._desk.clock.enter()
        self._group.start_soon(self._look, last, self._scope, self._ended)

    async def close(self) -> None:
        """Give up a look that is on its way: the session is over."""
        self._scope.cancel()
        if self._ended is not None:
            await self._ended.wait()

    async def _look(self, scanned: ScanResult, scope: anyio.CancelScope, ended: anyio.Event) -> None:
        desk = self._desk
        try:
            with scope:
                self._book.scans.look = await look_closer(
                    scanned.candidates, desk.config.scan, desk.experts, desk.clock
                )
                await anyio.to_thread.run_sync(desk.volatilities.keep)
                self._on_change()
        finally:
            ended.set()
            await desk.clock.leave()
