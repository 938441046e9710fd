"""A view served from a thread of its own, so that a test can drive a browser and the node in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from tests.web.scripted import TOKEN, ScriptedView

from tapeline.web.server import build_app, serve


@dataclass
class Served:
    """A served view."""

    base_url: str
    view: ScriptedView
    portal: BlockingPortal

    def do(self, change: Callable[[], None]) -> None:
        """Change the view in the server's own thread."""
        self.portal.call(change)


@contextmanager
def serve_view(view: ScriptedView, port: int = 0) -> Iterator[Served]:
    """Serve a view until the end of the body."""

    async def run(*, task_status: anyio.abc.TaskStatus[str] = anyio.TASK_STATUS_IGNORED) -> None:
        await serve(build_app(view, TOKEN), port, task_status=task_status)

    with start_blocking_portal("asyncio") as portal:
        future, base_url = portal.start_task(run)
        try:
            yield Served(base_url, view, portal)
        finally:
            future.cancel()
