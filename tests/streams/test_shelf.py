"""A shelf at a real server: blobs come back as they were, all at once, and go when their time is over."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from redis.crc import key_slot

from tapeline.core.errors import Unavailable
from tapeline.streams import keys
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.shelf import ValkeyShelf
from tapeline.streams.valkey import connect


def test_all_blobs_of_a_shelf_share_a_slot_so_that_a_cluster_reads_them_at_once() -> None:
    assert key_slot(keys.shelf("a:1")) == key_slot(keys.shelf("b:2"))
    assert keys.shelf("a") != keys.shelf("b")


@pytest.mark.process
def test_blobs_outlive_a_connection_and_not_their_time(tmp_path: Path) -> None:
    blob = bytes(range(256)) * 400

    async def main() -> None:
        async with embedded_valkey(tmp_path) as server:
            path = str(server.socket_path)
            async with connect(path) as store:
                shelf = ValkeyShelf(store)
                assert await shelf.fetch([]) == []
                await shelf.keep({}, 60.0)
                await shelf.keep({"a": blob, "b": b""}, 60.0)
                await shelf.keep({"c": b"gone"}, 0.001)
            async with connect(path) as store:
                shelf = ValkeyShelf(store)
                assert await shelf.fetch(["b", "nobody", "a"]) == [b"", None, blob]
                while (await shelf.fetch(["c"]))[0] is not None:  # the server's clock decides: a millisecond
                    await anyio.lowlevel.checkpoint()

    anyio.run(main)


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(Unavailable):
            async with connect(str(tmp_path / "nobody.sock")) as store:
                await ValkeyShelf(store).fetch(["a"])

    anyio.run(main)
