"""Commands packed in one piece: byte for byte what the client library would send."""

from __future__ import annotations

from typing import Any, cast

import pytest
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

from tapeline.streams.requests import packed


@pytest.mark.parametrize("kind", [Connection, SSLConnection, UnixDomainSocketConnection])
@pytest.mark.parametrize(
    "command",
    [
        ("GET", b"key"),
        (b"SCRIPT LOAD", "return 1"),
        ("SET", "k\u00e9y", 7, "PX", 1.5, b""),
        ("EVALSHA", b"\r\n$3\r\n", 0, b"x" * 100_000, "NX"),
    ],
)
def test_a_packed_command_is_what_the_library_would_send(kind: type[Connection], command: tuple[Any, ...]) -> None:
    ours, theirs = packed(kind)(), kind()
    assert isinstance(ours, kind)
    assert b"".join(ours.pack_command(*command)) == b"".join(theirs.pack_command(*command))


def test_a_part_that_is_no_text_and_no_number_is_refused_as_the_library_refuses_it() -> None:
    with pytest.raises(Exception, match="Invalid input of type"):
        packed(Connection)().pack_command("SET", b"key", cast(Any, None))


def test_a_packed_connection_packs_once() -> None:
    once = packed(Connection)
    assert packed(once) is once
