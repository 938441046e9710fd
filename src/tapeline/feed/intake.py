"""The lanes' one entrance: what is polled, and what is streamed beside it.

In: reports of the poller, and frames that a listener hears.  Out: both in the lanes, no (symbol, bar, revision) twice;
the streamed bars of minutes that were not polled yet are provisional, and the polled one wins.
Refuses to let a stream move time, to wait for it, and to keep more of it than a few frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import anyio
import numpy as np
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from tapeline.core.calendar import Session
from tapeline.core.errors import BadInput
from tapeline.core.types import BarFrame
from tapeline.feed.provisional import Provisional
from tapeline.feed.report import PollReport
from tapeline.streams.lanes import Publisher

WAITING_FRAMES = 64
"""Frames of the stream that may wait to be published. One that finds no room is dropped: the next poll brings its bars
anyway, and the newest of a stream that is not read in time is as late as the oldest."""
MAX_WORDS = 300
"""Of what is wrong with a stream, shown at most."""

Hear = Callable[[BarFrame], None]
"""Takes closed bars that were streamed, at once."""
Tell = Callable[[str], None]
"""Takes what is wrong with the stream; "" when it works."""


class Listen(Protocol):
    """Listens to a vendor's stream until cancelled, and mends what breaks."""

    async def __call__(self, symbols: Sequence[str], hear: Hear, tell: Tell) -> None:
        """Raise BadInput for what no further try would mend."""
        ...


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream beside the polls.

    Attributes
    ----------
    listen
        Who listens.
    watched
        Whom a person wants to be heard; looked at once a cycle, so that the list may change.
    max_symbols
        As many as the vendor's plan allows; the first of the list are taken.
    """

    listen: Listen
    watched: Callable[[], Sequence[str]]
    max_symbols: int


class Intake:
    """Publishes what was polled and what was streamed, one after the other.

    Parameters
    ----------
    publisher
        To the lanes. Nobody else publishes bars of the poller's symbols.
    session
        The minutes that count; what is streamed of others is left out.
    symbols
        The universe; who is not in it is not listened to.
    stream
        None polls alone.
    covered_ns
        How far the lanes have been told already.
    """

    def __init__(
        self,
        publisher: Publisher,
        session: Session,
        symbols: Sequence[str],
        *,
        stream: Stream | None = None,
        covered_ns: int = 0,
    ) -> None:
        self._publisher, self._session, self._universe = publisher, session, frozenset(symbols)
        self._stream = stream
        self._provisional = Provisional(covered_ns)
        self._reached_ns = max(covered_ns, session.open_ns)
        self._turn = anyio.Lock()
        self._changed = anyio.Event()
        self._wanted: tuple[str, ...] = ()
        self._heard: tuple[str, ...] = ()
        self._trouble = ""
        self.dropped = 0
        """Streamed bars that found no room."""
        self.streamed = 0
        """Streamed bars that were published ahead of their poll."""

    async def polled(self, report: PollReport, marks: Mapping[str, int] | None = None) -> None:
        """Publish what is news in a report: of a cycle with the watermarks, of a second reading without."""
        async with self._turn:
            news = self._provisional.news_of(report)
            for frame in filter(len, news.others):
                await self._publisher.publish(frame)
            if marks is not None or len(news.frame):
                await self._publisher.publish(news.frame, marks)
            self._reached_ns = max(self._reached_ns, report.frame.as_of_ns)
        self._look()

    @property
    def state(self) -> str | None:
        """What is wrong with the stream, or "ok"; None when there is nobody to listen to."""
        if self._stream is None or not (self._wanted or self._trouble):
            return None
        left = len(self._wanted) - len(self._heard)
        troubles = [self._trouble] if self._trouble else []
        if left:
            troubles.append(f"{left} of {len(self._wanted)} watched symbols are polled only: the plan's stream is full")
        if self.dropped:
            troubles.append(f"{self.dropped} streamed bars came too fast and were left to the polls")
        return "; ".join(troubles) or "ok"

    async def run(self) -> None:
        """Listen, until cancelled; without a stream, return at once.

        In: the stream.   Out: its bars in the lanes, as provisional as they are.
        Concurrency: a listener and a publisher. Neither is an actor: no clock waits for a stream.
        Backpressure: none on the stream; at most ``WAITING_FRAMES`` wait, what comes on top is dropped and counted.
        Failure: a stream that breaks, or is refused, is told in ``state``; the polls go on.
        """
        if self._stream is None:
            return
        inlet, outlet = anyio.create_memory_object_stream[BarFrame](WAITING_FRAMES)
        async with inlet, outlet, anyio.create_task_group() as group:
            group.start_soon(self._publish, outlet)
            while True:
                self._look()
                self._changed = anyio.Event()
                async with anyio.create_task_group() as listening:
                    if self._heard:
                        listening.start_soon(self._listen, self._stream, inlet)
                    await self._changed.wait()
                    listening.cancel_scope.cancel()

    async def _listen(self, stream: Stream, inlet: MemoryObjectSendStream[BarFrame]) -> None:
        def hear(frame: BarFrame) -> None:
            try:
                inlet.send_nowait(frame)
            except anyio.WouldBlock:
                self.dropped += len(frame)

        try:
            await stream.listen(self._heard, hear, self._tell)
        except BadInput as error:
            self._tell(f"the stream is off: {error}")

    async def _publish(self, outlet: MemoryObjectReceiveStream[BarFrame]) -> None:
        async for frame in outlet:
            async with self._turn:
                inside = (frame.event_ns >= self._session.open_ns) & (frame.event_ns < self._session.close_ns)
                news = self._provisional.streamed(frame.take(np.flatnonzero(inside)))
                if len(news):
                    self.streamed += len(news)
                    # Time is the polls' to move: a minute closes when everybody in it has been asked for.
                    await self._publisher.publish(replace(news, as_of_ns=min(news.as_of_ns, self._reached_ns)))

    def _tell(self, trouble: str) -> None:
        self._trouble = trouble[:MAX_WORDS]

    def _look(self) -> None:
        """Look whom a person watches now; another list is listened to anew."""
        if self._stream is None:
            return
        try:
            wanted = tuple(symbol for symbol in self._stream.watched() if symbol in self._universe)
        except BadInput as error:  # a list that cannot be read: the one before holds
            self._tell(str(error))
            return
        heard = wanted[: self._stream.max_symbols]
        if heard != self._heard:
            self._trouble = ""
            self._changed.set()
        self._wanted, self._heard = wanted, heard
