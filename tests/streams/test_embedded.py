"""The embedded server: starts, keeps what it was told, and says why it cannot."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapeline.core.errors import BadInput, ProcessDied
from tapeline.streams import embedded
from tapeline.streams.embedded import embedded_valkey, socket_path_in
from tapeline.streams.valkey import connect

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        yield Path(short)


def test_a_path_too_long_for_a_socket_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="unix socket takes at most 103"):
        socket_path_in(tmp_path / ("x" * 120))


@pytest.mark.process
async def test_data_survives_a_restart(folder: Path) -> None:
    for expected in (None, 5):
        async with embedded_valkey(folder / "valkey") as server, connect(f"unix://{server.socket_path}") as store:
            assert await store.watermark(0) == expected
            await store.publish(0, [{b"a": b"1"}], 5)
        assert server.child.poll() is not None


@pytest.mark.process
async def test_a_server_that_dies_at_its_start_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "appendonlydir").write_text("a file where the server wants a folder")
    with pytest.raises(ProcessDied, match="valkey ended with code"):
        async with embedded_valkey(folder):
            raise AssertionError("it started")


@pytest.mark.process
async def test_a_server_that_does_not_answer_in_time_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_answers", lambda _: False)
    with pytest.raises(ProcessDied, match="did not answer"):
        async with embedded_valkey(folder, start_timeout_s=0.05):
            raise AssertionError("it started")
