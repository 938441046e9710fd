"""Commands as the server reads them, packed in one piece.

In: the parts of a command.  Out: its bytes. The client library looks at the type of each part and joins as it goes,
which for a commit of thousands of hot values took longer than to make them.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio.connection import AbstractConnection


class _Packed:
    """What a connection of the client library becomes a faster one with."""

    encoder: Any

    def pack_command(self, *args: Any) -> list[bytes]:
        """Return the bytes of a command. A name of two words, as ``SCRIPT LOAD``, is two parts."""
        name = args[0].encode() if isinstance(args[0], str) else args[0]
        encode = self.encoder.encode
        parts = [*name.split(), *(part if type(part) is bytes else encode(part) for part in args[1:])]
        return [b"*%d\r\n" % len(parts) + b"".join([b"$%d\r\n%b\r\n" % (len(part), part) for part in parts])]


def packed(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """Return the connection of this kind that packs in one piece."""
    if issubclass(kind, _Packed):
        return kind
    return type(kind.__name__, (_Packed, kind), {})
