"""A stream server that says whatever a test wants it to say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

Answer = Callable[[list[bytes]], bytes | None]
"""Returns the reply to a command, None for the usual one, or nothing at all to end the connection."""

PRIMARY = b"# Replication\r\nrole:master\r\nconnected_slaves:0\r\n# Cluster\r\ncluster_enabled:0\r\n"
CLUSTERED = b"# Replication\r\nrole:master\r\n# Cluster\r\ncluster_enabled:1\r\n"


def bulk(text: bytes) -> bytes:
    """Return a string as a server writes it."""
    return b"$%d\r\n%b\r\n" % (len(text), text)


def array(*parts: bytes) -> bytes:
    """Return an array of replies."""
    return b"*%d\r\n" % len(parts) + b"".join(parts)


def slots(*shards: tuple[int, int, list[int]]) -> bytes:
    """Return the reply to CLUSTER SLOTS: first and last slot, ports of the primary and its replicas."""
    found = []
    for begin, end, ports in shards:
        nodes = (array(bulk(b"127.0.0.1"), b":%d\r\n" % port, bulk(b"id"), array()) for port in ports)
        found.append(array(b":%d\r\n" % begin, b":%d\r\n" % end, *nodes))
    return array(*found)


@dataclass
class FakeServer:
    """What a fake server was asked, and what it says.

    Attributes
    ----------
    answer
        Asked first.
    commands
        Every command, in order.
    connections
        How many were made.
    """

    answer: Answer = lambda _: None
    commands: list[list[bytes]] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def reply(self, command: list[bytes]) -> bytes:
        """Return the reply to a command."""
        self.commands.append(command)
        said = self.answer(command)
        if said is not None:
            return said
        usual = {b"INFO": bulk(PRIMARY), b"GET": b"$-1\r\n", b"PING": b"+PONG\r\n", b"WAIT": b":1\r\n"}
        return usual.get(command[0], b"+OK\r\n")

    def asked(self, name: bytes) -> int:
        """Return how often a command came."""
        return sum(command[0] == name for command in self.commands)

    async def _serve(self, stream: SocketStream) -> None:
        self.connections += 1
        async with stream:
            source = BufferedByteReceiveStream(stream)
            try:
                while True:
                    n = int((await source.receive_until(b"\r\n", 65_536))[1:])
                    command = []
                    for _ in range(n):
                        size = int((await source.receive_until(b"\r\n", 65_536))[1:])
                        command.append((await source.receive_exactly(size + 2))[:-2])
                    said = self.reply(command)
                    if not said:
                        return
                    await stream.send(said)
            except (anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
                return


@asynccontextmanager
async def fake_server(answer: Answer = lambda _: None) -> AsyncIterator[FakeServer]:
    """Run a fake server."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        fake = FakeServer(answer)
        fake.port = listener.extra(anyio.abc.SocketAttribute.local_port)
        group.start_soon(listener.serve, fake._serve)
        yield fake
        group.cancel_scope.cancel()
