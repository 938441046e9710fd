"""The wire: what goes out comes back to the bit, and nothing else comes in."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.streams.toys import START_NS, frame_of

from tapeline.core.errors import BadMessage
from tapeline.core.types import BAR_FIELDS, BarFrame, Label
from tapeline.streams import frames
from tapeline.streams.ticks import EARLIEST_NS, LATEST_NS, MAX_ENTRY_BYTES, parse_tick

raw_floats = st.integers(0, 2**64 - 1)
"""Any bits at all: every NaN, infinity and subnormal."""


@st.composite
def bar_frames(draw: st.DrawFn) -> BarFrame:
    """Draw frames whose columns hold any bits."""
    n = draw(st.integers(0, 5))
    texts = st.lists(st.text(min_size=1), min_size=n, max_size=n)
    times = draw(st.lists(st.integers(EARLIEST_NS, LATEST_NS), min_size=n, max_size=n))
    bits = draw(st.lists(raw_floats, min_size=7 * n, max_size=7 * n))
    columns = np.array(bits, np.uint64).view(np.float64).reshape(7, n)
    revision = np.array(draw(st.lists(st.integers(0, 9), min_size=n, max_size=n)), np.int64)
    timeframe_s, feed, label = draw(st.integers(0, 86_400)), draw(st.text()), draw(st.sampled_from(Label))
    values: dict[str, Any] = dict(zip(BAR_FIELDS, columns, strict=True))
    event_ns = np.array(times, np.int64)
    return BarFrame(timeframe_s, feed, label, START_NS, tuple(draw(texts)), event_ns, **values, revision=revision)


@given(bar_frames())
def test_a_frame_comes_back_to_the_bit(frame: BarFrame) -> None:
    back = frames.decode(frames.to_fields(frame)[b"frame"])
    for name in ("timeframe_s", "feed", "label", "as_of_ns", "symbols"):
        assert getattr(back, name) == getattr(frame, name)
    for name in ("event_ns", *BAR_FIELDS, "revision"):
        assert getattr(back, name).tobytes() == getattr(frame, name).tobytes()
    assert frames.encode(back) == frames.encode(frame)


def changed(**changes: object) -> bytes:
    """Return a frame's bytes with parts of its wire form replaced."""
    wire = msgspec.msgpack.decode(frames.encode(frame_of(0)))
    names = ("version", "kind", "timeframe_s", "feed", "label", "as_of_ns", "symbols", "columns")
    return msgspec.msgpack.encode([changes.get(name, value) for name, value in zip(names, wire, strict=True)])


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not a frame"),
        (b"\xff\xfe rubbish", "not a frame"),
        (frames.encode(frame_of(0))[:-3], "not a frame"),
        (changed(version=2), "schema version 2"),
        (changed(kind="quotes"), "kind 'quotes'"),
        (changed(label="invented"), "does not fit its schema"),
        (changed(symbols="A"), "does not fit its schema"),
        (changed(symbols=["A"]), "column event_ns has 32 bytes"),
        (changed(columns={}), "without its column event_ns"),
        (changed(timeframe_s=-60), "bars of -60 s"),
        (changed(as_of_ns=0), "outside 1990..2100"),
        (bytes(MAX_ENTRY_BYTES + 1), "larger than"),
        (msgspec.msgpack.encode([1, "bars"]), "does not fit its schema"),
        (b"\x92\x01\xa4\xff\xff\xff\xff", "UTF-8"),
    ],
)
def test_a_bad_frame_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(BadMessage, match=reason):
        frames.decode(payload)


@pytest.mark.parametrize(
    ("symbol", "why"), [("A\nB", "control"), ("", "empty"), ("A" * 65, "longer"), ("Ö" * 33, "longer")]
)
def test_a_frame_of_ticks_with_what_is_no_name_is_refused(symbol: str, why: str) -> None:
    rows = parse_tick({b"symbol": b"A", b"price": b"1", b"volume": b"1", b"exchange_timestamp": b"1273152600"})
    payload = frames.encode_ticks(dataclasses.replace(rows, symbols=(symbol,)))
    with pytest.raises(BadMessage, match=f"a frame whose symbol .*{why}"):
        frames.decode_any(payload)


@pytest.mark.parametrize("moment_ns", [0, EARLIEST_NS - 1, LATEST_NS + 1])
def test_event_times_outside_the_markets_days_are_refused(moment_ns: int) -> None:
    frame = frame_of(0)
    columns = {name: getattr(frame, name).tobytes() for name in ("event_ns", *BAR_FIELDS, "revision")}
    columns["event_ns"] = np.full(4, moment_ns, np.int64).tobytes()
    with pytest.raises(BadMessage, match="outside 1990"):
        frames.decode(changed(columns=columns))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_frame_are_refused(payload: bytes) -> None:
    with pytest.raises(BadMessage):
        frames.decode(payload)


@given(st.integers(0, 1_000), st.integers(0, 255))
def test_a_damaged_byte_is_refused_or_stays_in_its_place(at: int, byte: int) -> None:
    payload = bytearray(frames.encode(frame_of(0)))
    payload[at % len(payload)] = byte
    with suppress(BadMessage):  # any other error is one
        assert len(frames.decode(bytes(payload)).event_ns) == len(frame_of(0).event_ns)


def test_a_pack_comes_back_and_rubbish_does_not() -> None:
    assert frames.unpack(frames.pack([b"a", b"\x00"])) == [b"a", b"\x00"]
    with pytest.raises(BadMessage, match="not a pack"):
        frames.unpack(b"\xc1")
