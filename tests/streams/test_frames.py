"""The wire: what goes out comes back to the bit, and nothing else comes in."""

from __future__ import annotations

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

raw_floats = st.integers(0, 2**64 - 1)
"""Any bits at all: every NaN, infinity and subnormal."""


@st.composite
def bar_frames(draw: st.DrawFn) -> BarFrame:
    """Draw frames whose columns hold any bits."""
    n = draw(st.integers(0, 5))
    texts = st.lists(st.text(min_size=1), min_size=n, max_size=n)
    times = draw(st.lists(st.integers(frames.EARLIEST_NS, frames.LATEST_NS), min_size=n, max_size=n))
    bits = draw(st.lists(raw_floats, min_size=7 * n, max_size=7 * n))
    columns = np.array(bits, np.uint64).view(np.float64).reshape(7, n)
    revision = np.array(draw(st.lists(st.integers(0, 9), min_size=n, max_size=n)), np.int64)
    timeframe_s, feed, label = draw(st.integers(0, 86_400)), draw(st.text()), draw(st.sampled_from(Label))
    values: dict[str, Any] = dict(zip(BAR_FIELDS, columns, strict=True))
    event_ns = np.array(times, np.int64)
    return BarFrame(timeframe_s, feed, label, START_NS, tuple(draw(texts)), event_ns, **values, revision=revision)


@given(bar_frames())
def test_a_frame_comes_back_to_the_bit(frame: BarFrame) -> None:
    back = frames.from_fields(frames.to_fields(frame))
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
        (bytes(frames.MAX_ENTRY_BYTES + 1), "larger than"),
        (msgspec.msgpack.encode([1, "bars"]), "does not fit its schema"),
        (b"\x92\x01\xa4\xff\xff\xff\xff", "UTF-8"),
    ],
)
def test_a_bad_frame_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(BadMessage, match=reason):
        frames.decode(payload)


@pytest.mark.parametrize("moment_ns", [0, frames.EARLIEST_NS - 1, frames.LATEST_NS + 1])
def test_event_times_outside_the_markets_days_are_refused(moment_ns: int) -> None:
    frame = frame_of(0)
    columns = {name: getattr(frame, name).tobytes() for name in ("event_ns", *BAR_FIELDS, "revision")}
    columns["event_ns"] = np.full(4, moment_ns, np.int64).tobytes()
    with pytest.raises(BadMessage, match="outside 1990"):
        frames.decode(changed(columns=columns))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_bad_message(payload: bytes) -> None:
    with suppress(BadMessage):
        assert isinstance(frames.decode(payload), BarFrame)


TICK = {b"symbol": b"AAPL", b"last_price": b"12.5", b"volume": b"100", b"exchange_timestamp": b"1273152600"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {b"exchange_timestamp": b"1273152600000"},
        {b"exchange_timestamp": b"1273152600000000"},
        {b"exchange_timestamp": b"1273152600000000000"},
        {b"exchange_timestamp": b"1273152600.0"},
        {b"exchange_timestamp": b"2010-05-06T13:30:00+00:00"},
        {b"exchange_timestamp": b"2010-05-06T19:00:00+05:30"},
        {b"last_price": b"np.float64(12.5)"},
        {b"last_price": b"", b"price": b"12.5"},
        {b"symbol": b" ", b"tradingsymbol": b"AAPL"},
        {b"volume": b"7", b"bucket_incremental_volume": b"100"},
    ],
)
def test_a_tick_in_every_spelling_is_the_same_row(change: dict[bytes, bytes]) -> None:
    frame = frames.from_fields({**TICK, **change})
    row = (frame.symbols, frame.event_ns[0], frame.open[0], frame.close[0], frame.volume[0], frame.vwap[0])
    assert row == (("AAPL",), START_NS, 12.5, 12.5, 100.0, 12.5)
    assert (frame.timeframe_s, frame.as_of_ns, frame.trades[0]) == (0, START_NS, 1.0)


def test_microseconds_of_a_fractional_timestamp_are_kept() -> None:
    frame = frames.from_fields({**TICK, b"exchange_timestamp": b"1273152600.123456"})
    assert frame.event_ns[0] == START_NS + 123_456_000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({b"symbol": b"\xff"}, "symbol is not UTF-8"),
        ({b"symbol": b""}, "without symbol or tradingsymbol"),
        ({b"last_price": b"NaN"}, "not a finite number"),
        ({b"last_price": b"twelve"}, "not a number"),
        ({b"volume": b"inf"}, "not a finite number"),
        ({b"exchange_timestamp": b"yesterday"}, "neither an epoch nor ISO"),
        ({b"exchange_timestamp": b"2010-05-06 13:30:00"}, "no time zone"),
        ({b"exchange_timestamp": b"0"}, "outside 1990"),
        ({b"exchange_timestamp": b"9" * 40}, "neither an epoch"),
        ({b"exchange_timestamp": b"nan"}, "neither an epoch"),
        ({b"label": b"invented"}, "is none of"),
        ({b"label": b"\xff"}, "is none of"),
        ({b"noise": bytes(frames.MAX_ENTRY_BYTES)}, "larger than"),
    ],
)
def test_a_bad_tick_is_refused_with_its_reason(change: dict[bytes, bytes], reason: str) -> None:
    with pytest.raises(BadMessage, match=reason):
        frames.from_fields({**TICK, **change})


def test_a_pack_comes_back_and_rubbish_does_not() -> None:
    assert frames.unpack(frames.pack([b"a", b"\x00"])) == [b"a", b"\x00"]
    with pytest.raises(BadMessage, match="not a pack"):
        frames.unpack(b"\xc1")
