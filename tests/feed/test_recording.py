"""Traffic on record: the same bytes again, without a network and without a secret."""

from __future__ import annotations

import gzip
from pathlib import Path

import anyio
import httpx2
import pytest
from tests.feed.test_poller import CALENDAR, CONFIG, EVERY_MINUTE, SYMBOLS, _minutes
from tests.feed.worlds import KEYS, OPEN_NS, FakeVendor, bars_of, run

from tapeline.core.clock import LogicalClock
from tapeline.core.errors import BadInput, DataError
from tapeline.core.outcome import Kind
from tapeline.feed.gateway import Gateway
from tapeline.feed.poller import Poller
from tapeline.feed.recording import RecordingTransport, ReplayTransport, read_recording
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


@pytest.mark.parametrize(
    "text", ["{", '{"version":2,"method":"GET","url":"/","asked":"","status":200,"headers":[],"content":""}']
)
def test_a_recording_that_cannot_be_read_is_refused_by_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="line 1 of the recording"):
        ReplayTransport(path)
    with pytest.raises(DataError, match="No such file"):
        ReplayTransport(tmp_path / "absent")
    with pytest.raises(BadInput, match="cannot write the recording"):
        RecordingTransport(httpx2.MockTransport(lambda _: httpx2.Response(200)), tmp_path)
