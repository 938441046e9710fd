"""Server-sent events: which parts have changed, at most a few times a second.

In: the parts of a view.  Out: ``changed`` messages; the first one names every part, so a reader that was away is up to
date again with its first message, and nothing has to be kept for it.
Refuses more than ``MAX_STREAMS`` readers. Nothing is queued: a slow reader waits in its own task and finds the newest
state when it comes back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import msgspec

from tapeline.core.errors import Unavailable
from tapeline.loop.board import NodeView
from tapeline.web.parts import Parts

MAX_STREAMS = 32
"""A tab holds one while it is seen; each costs a socket and a little of the node's time."""
PACE_S = 0.2
"""Real seconds between two messages at least."""
MAX_SHARE = 0.05
"""Share of the node's time that telling one reader may take; a bigger market is told less often."""
HEARTBEAT_S = 10.0
"""Real seconds without news after which a ``here`` message goes out, so that both sides notice a dead connection."""
RETRY_MS = 1_000
"""What a browser waits before it comes back."""


class Changed(msgspec.Struct, frozen=True):
    """The data of a ``changed`` message: the tag of each part that is not what the reader last heard of."""

    version: int
    parts: dict[str, str]


class Events:
    """All event streams of one application."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._open = 0
        self._closing = anyio.Event()

    def close(self) -> None:
        """End every stream, as the node is about to."""
        self._closing.set()

    def stream(self) -> AsyncIterator[bytes]:
        """Return one reader's messages, without end. Raises Unavailable when there are too many readers."""
        if self._open >= MAX_STREAMS:
            raise Unavailable(f"{MAX_STREAMS} readers follow this node already: close a tab and try again")
        return self._messages()

    async def _messages(self) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            heard: dict[str, str] = {}
            while not self._closing.is_set():
                began_s = anyio.current_time()
                version, tags = self._parts.view.version, self._parts.tags()
                spent_s = anyio.current_time() - began_s
                news = {name: tag for name, tag in tags.items() if heard.get(name) != tag}
                heard = tags
                if news:
                    data = msgspec.json.encode(Changed(version, news))
                    yield b"event: changed\ndata: " + data + b"\n\n"
                await self._pause(max(PACE_S, spent_s / MAX_SHARE))
                if not await self._changed(self._parts.view, version):
                    yield b"event: here\ndata: {}\n\n"
        finally:
            self._open -= 1

    async def _pause(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._closing.wait()

    async def _changed(self, view: NodeView, since: int) -> bool:
        """Wait for news, the end or the heartbeat; return whether it was one of the first two."""
        async with anyio.create_task_group() as group:

            async def until_end() -> None:
                await self._closing.wait()
                group.cancel_scope.cancel()

            group.start_soon(until_end)
            with anyio.move_on_after(HEARTBEAT_S) as patience:
                await view.changed(since)
            group.cancel_scope.cancel()
        return not patience.cancelled_caught
