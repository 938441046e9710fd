"""A door that speaks TLS before a real stream server that wants a password."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from redis.asyncio import Redis

from tapeline.streams.embedded import embedded_valkey

CERTIFICATE = Path(__file__).with_name("localhost.pem")
PASSWORD = "hush-7f3a"
"""What must never be seen."""


@asynccontextmanager
async def guarded_valkey(folder: Path) -> AsyncIterator[tuple[int, int]]:
    """Run a server that wants ``PASSWORD``; yield the ports at which it speaks TLS and plainly."""
    async with embedded_valkey(folder) as running:
        where = str(running.socket_path)
        async with Redis(unix_socket_path=where) as client:
            await client.config_set("requirepass", PASSWORD)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        async with _door(where, context) as secret, _door(where, None) as plain:
            yield secret, plain


@asynccontextmanager
async def _door(where: str, context: ssl.SSLContext | None) -> AsyncIterator[int]:
    open_pipes: set[asyncio.Task[None]] = set()

    async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_pipes.add(task)
        try:
            inside, into = await asyncio.open_unix_connection(where)
            await asyncio.gather(_pump(reader, into), _pump(inside, writer))
        finally:
            open_pipes.discard(task)

    door = await asyncio.start_server(enter, "127.0.0.1", 0, ssl=context)
    try:
        yield door.sockets[0].getsockname()[1]
    finally:
        door.close()
        for task in open_pipes:
            task.cancel()
        await asyncio.gather(*open_pipes, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes until either end is closed."""
    try:
        while some := await reader.read(1 << 16):
            writer.write(some)
            await writer.drain()
    except OSError:
        return  # whoever was there has gone
    finally:
        writer.close()
