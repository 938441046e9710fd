"""The wire: entries of a stream to frames and back.

In: ``BarFrame``, or the fields of an entry.  Out: bytes, or ``BarFrame``.
A frame travels as msgpack with its columns as raw little-endian bytes, so NaN keeps every bit. A single tick travels as
plain text fields and arrives as a frame of one row and timeframe 0. Refuses everything else with ``BadMessage``.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import DTypeLike

from tapeline.core.errors import BadMessage
from tapeline.core.types import BAR_FIELDS, I64, BarFrame, Label
from tapeline.streams import keys

SCHEMA_VERSION = 1
MAX_ENTRY_BYTES = 8 * 1024 * 1024
"""Larger entries are refused unread. A row takes about 80 bytes."""
MAX_ROWS = 50_000
"""Rows in one entry; the publisher splits larger frames."""
EARLIEST_NS = 631_152_000_000_000_000
"""1990-01-01. An earlier event time is a zero or a wrong unit, not a market."""
LATEST_NS = 4_102_444_800_000_000_000
"""2100-01-01."""

_COLUMNS: tuple[tuple[str, DTypeLike], ...] = (
    ("event_ns", "<i8"),
    *((name, "<f8") for name in BAR_FIELDS),
    ("revision", "<i8"),
)


class _Head(msgspec.Struct, frozen=True, array_like=True):
    """Version and kind come first, so that a later schema can still be recognised."""

    version: int
    kind: str


class _Frame(msgspec.Struct, frozen=True, array_like=True):
    version: int
    kind: str
    timeframe_s: int
    feed: str
    label: Label
    as_of_ns: int
    symbols: list[str]
    columns: dict[str, bytes]


_encoder = msgspec.msgpack.Encoder()
_head_decoder = msgspec.msgpack.Decoder(_Head)
_frame_decoder = msgspec.msgpack.Decoder(_Frame)
_list_decoder = msgspec.msgpack.Decoder(list[bytes])
_KIND = "bars"


def encode(frame: BarFrame) -> bytes:
    """Return a frame as bytes."""
    columns = {name: getattr(frame, name).astype(dtype, copy=False).tobytes() for name, dtype in _COLUMNS}
    head = (SCHEMA_VERSION, _KIND, frame.timeframe_s, frame.feed, frame.label, frame.as_of_ns)
    return _encoder.encode(_Frame(*head, list(frame.symbols), columns))


def decode(payload: bytes) -> BarFrame:
    """Return the frame inside ``payload``; its columns are read-only views.

    Raises
    ------
    BadMessage
        With the reason: too large, not msgpack, another schema version or kind, a missing or short column, event times
        outside 1990..2100.
    """
    if len(payload) > MAX_ENTRY_BYTES:
        raise BadMessage(f"an entry of {len(payload):,} bytes is larger than the {MAX_ENTRY_BYTES:,} that are accepted")
    try:
        head = _head_decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise BadMessage(f"not a frame: {error}") from error
    except UnicodeDecodeError as error:
        raise BadMessage(f"a frame with text that is not UTF-8: {error.reason}") from error
    if head.version != SCHEMA_VERSION:
        raise BadMessage(f"a frame of schema version {head.version}; this worker reads {SCHEMA_VERSION}")
    if head.kind != _KIND:
        raise BadMessage(f"a frame of kind {head.kind!r}; this worker reads {_KIND!r}")
    try:
        wire = _frame_decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise BadMessage(f"a frame that does not fit its schema: {error}") from error
    except UnicodeDecodeError as error:
        raise BadMessage(f"a frame with text that is not UTF-8: {error.reason}") from error
    return _build(wire)


def _build(wire: _Frame) -> BarFrame:
    columns: dict[str, Any] = {}  # named and typed by the table above
    for name, dtype in _COLUMNS:
        raw = wire.columns.get(name)
        if raw is None:
            raise BadMessage(f"a frame without its column {name}")
        if len(raw) != 8 * len(wire.symbols):
            raise BadMessage(f"column {name} has {len(raw)} bytes, {len(wire.symbols)} rows need 8 each")
        columns[name] = np.frombuffer(raw, dtype)
    if wire.timeframe_s < 0:
        raise BadMessage(f"a frame of bars of {wire.timeframe_s} s")
    check_times(columns["event_ns"])
    check_times(np.array([wire.as_of_ns]))
    return BarFrame(wire.timeframe_s, wire.feed, wire.label, wire.as_of_ns, tuple(wire.symbols), **columns)


def check_times(event_ns: I64) -> None:
    """Raise ``BadMessage`` when a time lies outside 1990..2100."""
    outside = (event_ns < EARLIEST_NS) | (event_ns > LATEST_NS)
    if outside.any():
        raise BadMessage(f"time {int(event_ns[outside][0])} ns lies outside 1990..2100: wrong unit, or zero")


def pack(parts: list[bytes]) -> bytes:
    """Return several payloads as one."""
    return _encoder.encode(parts)


def unpack(payload: bytes) -> list[bytes]:
    """Return the payloads inside one; raise ``BadMessage`` when it is not such."""
    try:
        return _list_decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise BadMessage(f"not a pack of frames: {error}") from error


def pack_fields(fields: Mapping[bytes, bytes]) -> bytes:
    """Return an entry's fields as one payload, for the dead letters."""
    return pack([part for pair in fields.items() for part in pair])


def to_fields(frame: BarFrame) -> dict[bytes, bytes]:
    """Return the fields of the entry that carries a frame."""
    return {keys.FRAME: encode(frame)}


def from_fields(fields: Mapping[bytes, bytes]) -> BarFrame:
    """Return the frame, or the single tick, that an entry carries; raise ``BadMessage`` when it carries neither."""
    payload = fields.get(keys.FRAME)
    return decode(payload) if payload is not None else tick_frame(fields)


def tick_frame(fields: Mapping[bytes, bytes]) -> BarFrame:
    """Return a single tick as a frame of one row and timeframe 0.

    Parameters
    ----------
    fields
        ``symbol`` or ``tradingsymbol``; ``last_price`` or ``price``; ``bucket_incremental_volume`` or ``volume`` (what
        traded since the last tick); ``exchange_timestamp`` (epoch in s, ms, us or ns, or ISO 8601 with its zone);
        optionally ``feed`` and ``label``. Numbers may be wrapped as numpy prints them: ``np.float64(1.2)``.
    """
    if sum(map(len, fields.values())) > MAX_ENTRY_BYTES:
        raise BadMessage(f"a tick larger than the {MAX_ENTRY_BYTES:,} bytes that are accepted")
    symbol = _text(fields, b"symbol", b"tradingsymbol")
    price = _number(fields, b"last_price", b"price")
    volume = _number(fields, b"bucket_incremental_volume", b"volume")
    event_ns = _moment_ns(_text(fields, b"exchange_timestamp"))
    label = _label(fields[b"label"]) if b"label" in fields else Label.REAL
    feed = _text(fields, b"feed") if b"feed" in fields else "ticks"
    times = np.array([event_ns], np.int64)
    check_times(times)
    prices, ones = np.array([price]), np.ones(1)
    return BarFrame(
        0, feed, label, event_ns, (symbol,), times, prices, prices, prices, prices, np.array([volume]), prices, ones
    )


def _text(fields: Mapping[bytes, bytes], *names: bytes) -> str:
    for name in names:
        if (raw := fields.get(name)) is not None:
            try:
                text = raw.decode().strip()
            except UnicodeDecodeError as error:
                raise BadMessage(f"field {name.decode()} is not UTF-8") from error
            if text:
                return text
    raise BadMessage(f"a tick without {' or '.join(name.decode() for name in names)}")


def _number(fields: Mapping[bytes, bytes], *names: bytes) -> float:
    text = _text(fields, *names)
    bare = text[text.find("(") + 1 : -1] if text.startswith("np.") and text.endswith(")") else text
    try:
        value = float(bare)
    except ValueError as error:
        raise BadMessage(f"{names[0].decode()} is {text[:40]!r}, not a number") from error
    if not math.isfinite(value):
        raise BadMessage(f"{names[0].decode()} is {text[:40]!r}, not a finite number")
    return value


def _label(raw: bytes) -> Label:
    try:
        return Label(raw.decode())
    except ValueError as error:
        raise BadMessage(f"label {raw[:40]!r} is none of {', '.join(Label)}") from error


def _moment_ns(text: str) -> int:
    """Return an exchange time in nanoseconds; its unit is told by its size."""
    try:
        whole = int(text)
    except ValueError:
        return _fractional_or_iso_ns(text)
    for limit, unit_ns in ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3)):
        if abs(whole) < limit:
            return whole * unit_ns
    return whole if abs(whole) < 2**63 else _refuse_moment(text)


def _fractional_or_iso_ns(text: str) -> int:
    try:
        seconds = float(text)
    except ValueError:
        return _iso_ns(text)
    if not math.isfinite(seconds) or abs(seconds) > 1e11:
        return _refuse_moment(text)
    return round(seconds * 1e6) * 1000  # a double holds epoch seconds to the microsecond, no further


def _iso_ns(text: str) -> int:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return _refuse_moment(text)
    if moment.tzinfo is None:
        raise BadMessage(f"exchange_timestamp {text[:40]!r} has no time zone")
    since = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (since // dt.timedelta(microseconds=1)) * 1000


def _refuse_moment(text: str) -> int:
    raise BadMessage(f"exchange_timestamp {text[:40]!r} is neither an epoch nor ISO 8601")
