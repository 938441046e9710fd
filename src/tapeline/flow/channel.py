"""A bounded queue between tasks that share a logical clock.

In: items of one or several senders.  Out: the same items, first in first out, each to one receiver.
Refuses more than its capacity: a sender waits. It ends for the receivers once its last sender has closed and it is
empty; there is no sentinel and nothing to join. Who waits for the other side is not counted as working.
"""

from __future__ import annotations

from types import TracebackType
from typing import Generic, Protocol, TypeVar

import anyio
import anyio.lowlevel
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from tapeline.core.clock import Clock
from tapeline.flow.handover import Handover

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)


class Receiver(Protocol[T_co]):
    """Where items come from."""

    async def receive(self) -> T_co:
        """Return the next item. Raises ``anyio.EndOfStream`` when there is none and none can come."""
        ...


class Sender(Protocol[T_contra]):
    """Where items go."""

    async def send(self, item: T_contra) -> None:
        """Hand an item on; waits while there is no room. An item that was cancelled meanwhile was not handed on."""
        ...

    def close(self) -> None:
        """Say that no more come from this sender. Closing twice is closing once."""
        ...


class Inlet(Generic[T]):
    """The sending end of a channel; a context manager that closes it. The callers must be actors of its clock."""

    def __init__(self, stream: MemoryObjectSendStream[T], items: Handover, room: Handover) -> None:
        self._stream, self._items, self._room = stream, items, room

    async def send(self, item: T) -> None:
        """Hand ``item`` on; waits while the channel is full. Cancelled, it was not handed on."""
        await anyio.lowlevel.checkpoint()
        while True:
            try:
                self._stream.send_nowait(item)
                break
            except anyio.WouldBlock:
                await self._room.wait()
        self._items.wake()

    def clone(self) -> Inlet[T]:
        """Return another sender; the channel ends when all have closed."""
        return Inlet(self._stream.clone(), self._items, self._room)

    def close(self) -> None:
        """Say that no more come from this sender."""
        self._stream.close()
        self._items.wake()

    def __enter__(self) -> Inlet[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Outlet(Generic[T]):
    """The receiving end of a channel; a context manager that closes it. The callers must be actors of its clock."""

    def __init__(self, stream: MemoryObjectReceiveStream[T], items: Handover, room: Handover) -> None:
        self._stream, self._items, self._room = stream, items, room

    async def receive(self) -> T:
        """Return the oldest item. Raises ``anyio.EndOfStream`` once all senders have closed and nothing is left."""
        await anyio.lowlevel.checkpoint()
        while True:
            try:
                item = self._stream.receive_nowait()
                break
            except anyio.WouldBlock:
                await self._items.wait()
        self._room.wake()
        return item

    def drain(self) -> list[T]:
        """Take everything that waits, at once. Senders that wait for room go on only with ``make_room``."""
        return [self._stream.receive_nowait() for _ in range(self.waiting)]

    def make_room(self) -> None:
        """Let senders that wait go on."""
        self._room.wake()

    @property
    def waiting(self) -> int:
        """Items that nobody has taken yet."""
        return self._stream.statistics().current_buffer_used

    def close(self) -> None:
        """Take no more; a sender gets ``anyio.BrokenResourceError``."""
        self._stream.close()
        self._room.wake()

    def __enter__(self) -> Outlet[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def channel(clock: Clock, capacity: int) -> tuple[Inlet[T], Outlet[T]]:
    """Return the two ends of a channel that holds at most ``capacity`` items, at least 1."""
    if capacity < 1:
        raise ValueError(f"a channel of capacity {capacity} lets nothing through")
    sending, receiving = anyio.create_memory_object_stream[T](capacity)
    items, room = Handover(clock), Handover(clock)
    return Inlet(sending, items, room), Outlet(receiving, items, room)
