"""Where requests on our key are counted, so that a verb and a running node keep one limit together.

In: settings and a home.  Out: the address of a stream server.  Refuses to believe the note of a node that was killed.
"""

from __future__ import annotations

import os

from tapeline.core.config import Config
from tapeline.core.home import Home


def count_address(config: Config, home: Home) -> str:
    """Return the stream server where requests on our key are counted; empty when no node of ``home`` runs and no
    server is configured: then this process counts for itself."""
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
