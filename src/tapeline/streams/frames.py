"""The wire: frames of bars and of ticks to bytes and back.

In: ``BarFrame`` or ``TickRows``.  Out: bytes, and either of them again.
A frame travels as msgpack with its columns as raw little-endian bytes, so NaN keeps every bit. Refuses everything else
with ``BadMessage``. Single ticks travel as plain text fields (``ticks``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import DTypeLike

from tapeline.core.errors import BadMessage
from tapeline.core.types import BAR_FIELDS, BarFrame, Label
from tapeline.streams import keys
from tapeline.streams.ticks import MAX_ENTRY_BYTES, NUMBERS, Origin, TickRows, check_symbols, check_times

T = TypeVar("T")

SCHEMA_VERSION = 1
MAX_ROWS = 50_000
"""Rows in one entry; the publisher splits larger frames."""

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


class _Ticks(msgspec.Struct, frozen=True, array_like=True):
    version: int
    kind: str
    origins: list[Origin]
    symbols: list[str]
    columns: dict[str, bytes]


_encoder = msgspec.msgpack.Encoder()
_head_decoder = msgspec.msgpack.Decoder(_Head)
_frame_decoder = msgspec.msgpack.Decoder(_Frame)
_ticks_decoder = msgspec.msgpack.Decoder(_Ticks)
_list_decoder = msgspec.msgpack.Decoder(list[bytes])
_BARS, _TICKS = "bars", "ticks"


def encode(frame: BarFrame) -> bytes:
    """Return a frame of bars as bytes."""
    columns = {name: getattr(frame, name).astype(dtype, copy=False).tobytes() for name, dtype in _COLUMNS}
    head = (SCHEMA_VERSION, _BARS, frame.timeframe_s, frame.feed, frame.label, frame.as_of_ns)
    return _encoder.encode(_Frame(*head, list(frame.symbols), columns))


def encode_ticks(rows: TickRows) -> bytes:
    """Return ticks as bytes; quotes that no row has are left out."""
    columns = {
        "symbol": rows.symbol.astype("<i4").tobytes(),
        "origin": rows.origin.astype("u1").tobytes() if len(rows.origins) > 1 else b"",
        "event_ns": rows.event_ns.astype("<i8", copy=False).tobytes(),
    }
    for i, name in enumerate(NUMBERS):
        values = rows.numbers[:, i]
        if i < 2 or not np.isnan(values).all():
            columns[name] = values.astype("<f8", copy=False).tobytes()
    return _encoder.encode(_Ticks(SCHEMA_VERSION, _TICKS, list(rows.origins), list(rows.symbols), columns))


def decode(payload: bytes) -> BarFrame:
    """Return the bars inside ``payload``, as read-only views; raise ``BadMessage`` as ``decode_any`` does."""
    frame = decode_any(payload)
    if not isinstance(frame, BarFrame):
        raise BadMessage("a frame of ticks where one of bars is expected")
    return frame


def decode_any(payload: bytes) -> BarFrame | TickRows:
    """Return the bars or the ticks inside ``payload``.

    Raises
    ------
    BadMessage
        With the reason: too large, not msgpack, another schema version or kind, a missing or short column, event times
        outside 1990..2100.
    """
    if len(payload) > MAX_ENTRY_BYTES:
        raise BadMessage(f"an entry of {len(payload):,} bytes is larger than the {MAX_ENTRY_BYTES:,} that are accepted")
    head = _decoded(_head_decoder, payload, "not a frame")
    if head.version != SCHEMA_VERSION:
        raise BadMessage(f"a frame of schema version {head.version}; this worker reads {SCHEMA_VERSION}")
    if head.kind == _TICKS:
        return _build_ticks(_decoded(_ticks_decoder, payload, "a frame that does not fit its schema"))
    if head.kind == _BARS:
        return _build(_decoded(_frame_decoder, payload, "a frame that does not fit its schema"))
    raise BadMessage(f"a frame of kind {head.kind!r}; this worker reads {_BARS!r} and {_TICKS!r}")


def _decoded(decoder: msgspec.msgpack.Decoder[T], payload: bytes, what: str) -> T:
    try:
        return decoder.decode(payload)
    except msgspec.DecodeError as error:
        raise BadMessage(f"{what}: {error}") from error
    except UnicodeDecodeError as error:
        raise BadMessage(f"a frame with text that is not UTF-8: {error.reason}") from error


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


def _build_ticks(wire: _Ticks) -> TickRows:
    n = len(wire.columns.get("event_ns", b"")) // 8
    if n > MAX_ROWS:
        raise BadMessage(f"a frame of {n:,} ticks; {MAX_ROWS:,} are accepted")
    check_symbols(wire.symbols)
    symbol = _column(wire, "symbol", "<i4", n).astype(np.int64)
    origin = _column(wire, "origin", "u1", n).astype(np.int64) if wire.columns.get("origin") else np.zeros(n, np.int64)
    for index, names, what in ((symbol, wire.symbols, "symbol"), (origin, wire.origins, "origin")):
        if n and not (index.min() >= 0 and index.max() < len(names)):
            raise BadMessage(f"a frame whose column {what} points outside its {len(names)} names")
    numbers = np.full((n, len(NUMBERS)), np.nan)
    for i, name in enumerate(NUMBERS):
        if i < 2 or name in wire.columns:
            numbers[:, i] = _column(wire, name, "<f8", n)
    event_ns = _column(wire, "event_ns", "<i8", n)
    check_times(event_ns)
    return TickRows(tuple(wire.symbols), tuple(wire.origins), symbol, origin, event_ns, numbers)


def _column(wire: _Ticks, name: str, dtype: str, n: int) -> Any:
    """Return a column, typed by the table above it."""
    raw = wire.columns.get(name)
    if raw is None:
        raise BadMessage(f"a frame without its column {name}")
    size = np.dtype(dtype).itemsize
    if len(raw) != size * n:
        raise BadMessage(f"column {name} has {len(raw)} bytes, {n} rows need {size} each")
    return np.frombuffer(raw, dtype)


def ticks_to_fields(rows: TickRows) -> dict[bytes, bytes]:
    """Return the fields of the entry that carries ticks."""
    return {keys.FRAME: encode_ticks(rows)}


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
