"""A real Valkey for tests that are not asynchronous themselves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from anyio.from_thread import BlockingPortal, start_blocking_portal

from tapeline.streams.embedded import embedded_valkey


@contextmanager
def running_valkey() -> Iterator[tuple[BlockingPortal, str]]:
    """Run a server; yield an event loop beside it and the path of its socket."""
    with (
        tempfile.TemporaryDirectory(prefix="tl-") as short,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(embedded_valkey(Path(short))) as running,
    ):
        yield portal, str(running.socket_path)
