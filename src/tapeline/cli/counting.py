"""Where requests on our key are counted, so that a verb and a running node keep one limit together.

In: settings and a home.  Out: a file of the home, and the stream server of a node that runs or is configured.
Refuses to believe the note of a node that was killed.
"""

from __future__ import annotations

import os
from contextlib import AsyncExitStack

from tapeline.core.config import Config
from tapeline.core.home import Home
from tapeline.feed.file_limit import BothLimiterStates, limits_of
from tapeline.feed.shared_limit import LimiterState
from tapeline.streams.limits import connect_limits


async def open_counts(stack: AsyncExitStack, config: Config, home: Home, simulator: str = "") -> LimiterState:
    """Return where our requests are counted: in the home, which outlives us, and with a node or server that there is.

    A ``simulator`` counts by its own clock, and what is sent to it is counted in the home alone.
    """
    here = limits_of(home, simulator)
    address = "" if simulator else count_address(config, home)
    return BothLimiterStates(here, await stack.enter_async_context(connect_limits(address))) if address else here


def count_address(config: Config, home: Home) -> str:
    """Return the stream server where requests on our key are counted, too; empty when no node of ``home`` runs and no
    server is configured."""
    if config.streams.redis_url:
        return config.streams.redis_url
    note = home.read_note()
    return note.valkey if note is not None and _is_alive(note.pid) else ""


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False  # it was killed, and its note stayed
    except PermissionError:
        pass  # somebody else's process is one
    return True
