"""Traffic on record: the same bytes again, without a network and without a secret."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
from pathlib import Path

import anyio
import httpx2
import msgspec
import pytest
from tests.feed.test_poller import CALENDAR, CONFIG, EVERY_MINUTE, SYMBOLS, _minutes
from tests.feed.worlds import KEYS, OPEN_NS, FakeVendor, bars_of, run

from tapeline.core.clock import LogicalClock
from tapeline.core.errors import BadInput, DataError
from tapeline.core.outcome import Kind
from tapeline.feed.gateway import Gateway
from tapeline.feed.poller import Poller
from tapeline.feed.recording import MAX_STRANGE, VERSION, RecordingTransport, ReplayTransport, read_recording
from tapeline.feed.vendors.alpaca import DATA_HOST, alpaca_hosts


def _morning(path: Path, *, record: bool) -> list[bytes]:
    """Poll three minutes, from a vendor on record or from the record; return the columns of the frames."""

    async def main(clock: LogicalClock) -> list[bytes]:
        vendor = FakeVendor(clock, dict.fromkeys(SYMBOLS, EVERY_MINUTE), page_rows=2)
        inner = httpx2.MockTransport(vendor)
        transport = RecordingTransport(inner, path, [KEYS.secret_key]) if record else ReplayTransport(path)
        hosts = alpaca_hosts(CONFIG, KEYS, clock)
        async with Gateway(hosts, config=CONFIG, clock=clock, transport=transport, replay=True) as gateway:
            source = bars_of(gateway, CONFIG)
            poller = Poller(source, SYMBOLS, clock=clock, calendar=CALENDAR, config=CONFIG, since_ns=OPEN_NS)
            reports = await _minutes(poller, clock, 3)
        if isinstance(transport, ReplayTransport):
            assert transport.left == 0
        return [report.frame.close.tobytes() + report.frame.event_ns.tobytes() for report in reports]

    return run(main)


def test_what_was_recorded_comes_again_to_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "morning.jsonl"
    assert _morning(path, record=True) == _morning(path, record=False)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_encoded_answer_is_kept_as_it_came_and_no_secret_with_it(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    body = gzip.compress(b'{"who": "secret-456"}')

    def handler(_request: httpx2.Request) -> httpx2.Response:
        headers = {"content-encoding": "gzip", "set-cookie": "session=secret-456"}
        return httpx2.Response(200, headers=headers, stream=httpx2.ByteStream(body))

    async def ask(transport: httpx2.AsyncBaseTransport) -> bytes:
        headers = {"APCA-API-SECRET-KEY": "secret-456"}
        async with httpx2.AsyncClient(transport=transport, headers=headers, base_url="https://x.test") as client:
            return (await client.post("/a", params={"apikey": "secret-456", "b": "1"}, content=b"q")).content

    first = anyio.run(ask, RecordingTransport(httpx2.MockTransport(handler), path))
    assert first == anyio.run(ask, ReplayTransport(path)) == b'{"who": "secret-456"}'
    assert (
        b"secret-456" not in path.read_bytes()
    )  # what is compressed cannot be searched, what is plain was blotted out
    (exchange,) = read_recording(path)
    assert exchange.url == "/a?apikey=%2A%2A%2A&b=1"


def test_a_secret_that_a_vendor_repeats_is_blotted_out(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    inner = httpx2.MockTransport(lambda _: httpx2.Response(403, content=b"no: secret-456"))

    async def ask(transport: httpx2.AsyncBaseTransport) -> bytes:
        async with httpx2.AsyncClient(transport=transport, base_url="https://x.test") as client:
            return (await client.get("/a")).content

    anyio.run(ask, RecordingTransport(inner, path, ["secret-456"]))
    assert anyio.run(ask, ReplayTransport(path)) == b"no: ***"


def test_what_is_not_on_record_is_an_error_and_no_call(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.touch()

    async def main(clock: LogicalClock) -> None:
        hosts = alpaca_hosts(CONFIG, KEYS, clock)
        async with Gateway(hosts, config=CONFIG, clock=clock, transport=ReplayTransport(path), replay=True) as gateway:
            outcome = await gateway.get(DATA_HOST, "/x")
            assert outcome.kind is Kind.ERROR
            assert "GET /x is not on record" in outcome.reason

    run(main)


def exchange(**changed: object) -> bytes:
    told = {"version": VERSION, "at_ns": 0, "method": "GET", "url": "/a?", "status": 200, "headers": [], "content": ""}
    return msgspec.json.encode({**told, "asked": hashlib.sha256(b"").hexdigest(), **changed})


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"{", "truncated"),
        (exchange()[:-9], "truncated"),
        (exchange(version=1), "is of version 1, and 2 is read here: record it again"),
        (exchange(content="e30"), "Incorrect padding"),
        (exchange(status="ok"), "Expected `int`"),
        (b"\xff", "cut off or changed"),
    ],
)
def test_a_recording_that_cannot_be_read_is_refused_by_line(tmp_path: Path, line: bytes, sentence: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(exchange() + b"\n" + line)
    with pytest.raises(DataError, match=f"line 2 of the recording .*{sentence}"):
        ReplayTransport(path)


def test_a_place_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        ReplayTransport(tmp_path / "absent")
    with pytest.raises(BadInput, match="cannot write the recording"):
        RecordingTransport(httpx2.MockTransport(lambda _: httpx2.Response(200)), tmp_path)


def test_answers_come_at_their_moments_and_the_end_is_told_apart_from_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "two.jsonl"
    path.write_bytes(exchange(at_ns=OPEN_NS + 250) + b"\n" + exchange(at_ns=OPEN_NS + 900))
    ends: list[int] = []

    async def main(clock: LogicalClock) -> list[int]:
        transport = ReplayTransport(path, clock=clock, on_end=lambda: ends.append(transport.left))
        moments = []
        async with httpx2.AsyncClient(transport=transport, base_url="https://x.test") as client:
            for way in ("/b", "/a", "/a", "/a"):
                with contextlib.suppress(httpx2.ConnectError):
                    await client.get(way)
                moments.append(clock.now_ns() - OPEN_NS)
        assert transport.strange == ["GET /b?"]
        return moments

    assert run(main) == [0, 250, 900, 900]
    assert ends == [0]


def test_a_replay_of_nothing_but_strange_questions_ends(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_bytes(exchange())
    ends: list[int] = []

    async def main(_clock: LogicalClock) -> None:
        transport = ReplayTransport(path, on_end=lambda: ends.append(len(transport.strange)))
        async with httpx2.AsyncClient(transport=transport, base_url="https://x.test") as client:
            while not ends:
                with pytest.raises(httpx2.ConnectError):
                    await client.get("/b")

    run(main)
    assert ends == [MAX_STRANGE]


def test_a_crumb_and_a_secret_in_a_header_are_blotted_out(tmp_path: Path) -> None:
    path = tmp_path / "crumb.jsonl"
    inner = httpx2.MockTransport(lambda _: httpx2.Response(200, headers={"x-seen": "secret-456"}, content=b"cRuMb"))

    async def ask(transport: httpx2.AsyncBaseTransport) -> bytes:
        async with httpx2.AsyncClient(transport=transport, base_url="https://x.test") as client:
            return (await client.get("/v1/test/getcrumb", params={"crumb": "cRuMb"})).content

    assert anyio.run(ask, RecordingTransport(inner, path, ["secret-456"])) == b"cRuMb"
    (kept,) = read_recording(path)
    assert base64.b64decode(kept.content) == b"***"
    assert kept.url == "/v1/test/getcrumb?crumb=%2A%2A%2A"
    assert b"secret-456" not in path.read_bytes()
