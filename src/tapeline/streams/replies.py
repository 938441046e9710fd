"""Replies as the server wrote them: arrays are handed over as bytes, not as an object per field.

In: a connection of the client library.  Out: the bytes of each array; every other reply as the library reads it.
For connections that read streams and do nothing else.
"""

from __future__ import annotations

from asyncio import IncompleteReadError
from typing import Any

import numpy as np
from redis._parsers import _AsyncRESP2Parser  # the base of every parser that a connection takes; there is no public one
from redis.exceptions import ConnectionError as Gone

from tapeline.kernels.ticks import scan_reply

_READ_BYTES = 1 << 20


class RawArrays(_AsyncRESP2Parser):
    """Reads one reply at a time, as ``disable_decoding`` would, and leaves arrays unread."""

    async def read_response(self, disable_decoding: bool = False) -> Any:
        """Return the bytes of an array, or any other reply."""
        if not self._connected or self._stream is None:
            raise Gone("the connection is closed")
        try:
            line = await self._stream.readuntil(b"\r\n")
        except IncompleteReadError as error:
            raise Gone("the server closed the connection") from error
        if not line.startswith(b"*"):
            self._buffer, self._chunks = line, []
            return await super().read_response(disable_decoding)
        found = bytearray(line)
        at, pending = scan_reply(np.frombuffer(line, np.uint8), 0, 1)
        while pending:
            chunk = await self._stream.read(_READ_BYTES)
            if not chunk:
                raise Gone("the server closed the connection")
            found += chunk
            at, pending = scan_reply(np.frombuffer(found, np.uint8), at, pending)
        return bytes(found)
