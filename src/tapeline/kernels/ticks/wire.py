"""The reply of a stream server to columns: one pass over its bytes, without an object per field.

In: a whole RESP2 reply to XREAD, as bytes.  Out: the id and the tick of each entry, in columns.
Reads plain decimals and integer times; whatever is written in another way, or is wrong, is left to the caller
(``BY_HAND``), who has the words for it. Numbers are those that ``float`` would give, to the bit.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tapeline.kernels.ticks.exact import loop

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

TICK, HOLDS_FRAME, BY_HAND, GONE = range(4)
"""What an entry is: a tick that was read, a frame, something to look at by hand, an entry that was deleted."""

_NAMES = (b"symbol", b"tradingsymbol", b"last_price", b"price", b"bucket_incremental_volume", b"volume",
          b"exchange_timestamp", b"bid", b"ask", b"oi", b"feed", b"label", b"frame")  # fmt: skip
_SYMBOL, _TRADING, _LAST, _PRICE, _BUCKET, _VOLUME, _TIME, _BID, _ASK, _OI, _FEED, _LABEL, _FRAME = range(13)
_WORDS = np.frombuffer(b"".join(name.ljust(26, b"\0") for name in _NAMES), np.uint8).reshape(13, 26).copy()
_LENGTHS = np.array([len(name) for name in _NAMES], np.int64)
_POWERS = 10.0 ** np.arange(23)
_DIGITS = 15
"""Decimal digits that a double holds whatever they are; more are left to ``float``."""
_CR, _STAR, _DOLLAR, _MINUS, _PLUS, _DOT, _ZERO, _NINE = 13, 42, 36, 45, 43, 46, 48, 57


@dataclass(frozen=True, slots=True)
class Columns:
    """Entries in columns; those of a tick count only where ``kind`` is ``TICK``.

    Attributes
    ----------
    kind : int64 (n,)
        What each entry is.
    ids : int64 (n, 2)
        Milliseconds and sequence of the id.
    begin : int64 (n + 1,)
        Where the fields of each entry begin in the reply.
    spans : int64 (n, 6)
        First and last offset of symbol, feed and label; -1 where there is none.
    event_ns : int64 (n,)
        UTC nanoseconds.
    numbers : float64 (n, 5)
        Price, volume, bid, ask, open interest; NaN where a quote is not given.
    """

    kind: I64
    ids: I64
    begin: I64
    spans: I64
    event_ns: I64
    numbers: F64


def decode_entries(buffer: U8, at: int, n: int, max_bytes: int) -> Columns:
    """Return the ``n`` entries that begin at offset ``at``; those of more than ``max_bytes`` are left to the caller."""
    found = Columns(
        np.empty(n, np.int64),
        np.empty((n, 2), np.int64),
        np.empty(n + 1, np.int64),
        np.empty((n, 6), np.int64),
        np.empty(n, np.int64),
        np.empty((n, 5)),
    )
    _decode(buffer, at, n, max_bytes, found.kind, found.ids, found.begin, found.spans, found.event_ns, found.numbers)
    return found


@njit(nogil=True)
def _line(buffer, at):
    """Return the number behind a type byte at ``at``, and the offset after its line; -1 when the line is not whole."""
    value, sign = 0, 1
    i = at + 1
    while i < buffer.size and buffer[i] != _CR:
        if buffer[i] == _MINUS:
            sign = -1
        else:
            value = value * 10 + (buffer[i] - _ZERO)
        i += 1
    return sign * value, (i + 2 if i + 2 <= buffer.size else -1)


@njit(nogil=True)
def _name(buffer, a, b):
    """Return which of our fields is named, or -1."""
    length = b - a
    for k in range(_LENGTHS.size):
        if _LENGTHS[k] == length and _WORDS[k, 0] == buffer[a] and _WORDS[k, length - 1] == buffer[b - 1]:
            i = 1
            while i < length and _WORDS[k, i] == buffer[a + i]:
                i += 1
            if i >= length:
                return k
    return -1


@njit(nogil=True)
def _number(buffer, a, b):
    """Return (is plain, value) of a decimal."""
    i, sign = a, 1.0
    if i < b and (buffer[i] == _MINUS or buffer[i] == _PLUS):
        sign = -1.0 if buffer[i] == _MINUS else 1.0
        i += 1
    mantissa, digits, places, dotted, seen = 0, 0, 0, False, False
    while i < b:
        c = buffer[i]
        if _ZERO <= c <= _NINE:
            seen = True
            digits += mantissa > 0 or c > _ZERO
            if digits > _DIGITS:
                return False, 0.0
            mantissa = mantissa * 10 + (c - _ZERO)
            places += dotted
        elif c == _DOT and not dotted:
            dotted = True
        else:
            return False, 0.0
        i += 1
    if not seen or places > 22:
        return False, 0.0
    return True, sign * (mantissa / _POWERS[places])


@njit(nogil=True)
def _moment(buffer, a, b):
    """Return (is plain, nanoseconds) of an integer time, whose unit is told by its size."""
    if b == a or b - a > 18 + 1:
        return False, 0
    value = np.int64(0)
    for i in range(a, b):
        c = buffer[i]
        if c < _ZERO or c > _NINE or value > 922337203685477579:
            return False, 0
        value = value * 10 + (c - _ZERO)
    if value < 100_000_000_000:
        return value < 9_000_000_000, value * 1_000_000_000
    if value < 100_000_000_000_000:
        return value < 9_000_000_000_000, value * 1_000_000
    if value < 100_000_000_000_000_000:
        return value < 9_000_000_000_000_000, value * 1_000
    return True, value


@njit(nogil=True)
def _either(at, first, second):
    """Return which of two fields is given and not empty."""
    return first if at[first, 1] > at[first, 0] else second


@njit(nogil=True)
def _tick(buffer, at, spans, numbers):
    """Read one tick out of the spans of its fields; return (is plain, nanoseconds)."""
    symbol, plain = _either(at, _SYMBOL, _TRADING), True
    spans[0], spans[1] = at[symbol, 0], at[symbol, 1]
    if spans[1] <= spans[0] or buffer[spans[0]] <= 32 or buffer[spans[1] - 1] <= 32:
        return False, 0
    for i, field in enumerate((_either(at, _LAST, _PRICE), _either(at, _BUCKET, _VOLUME), _BID, _ASK, _OI)):
        numbers[i] = np.nan
        if at[field, 1] > at[field, 0]:
            plain, numbers[i] = _number(buffer, at[field, 0], at[field, 1])
        elif i < 2:
            plain = False
        if not plain:
            return False, 0
    spans[2], spans[3], spans[4], spans[5] = at[_FEED, 0], at[_FEED, 1], at[_LABEL, 0], at[_LABEL, 1]
    return _moment(buffer, at[_TIME, 0], at[_TIME, 1]) if at[_TIME, 0] >= 0 else (False, 0)


@njit(nogil=True)
def _same(buffer, begin, end, other, other_end):
    """Return whether two spans hold the same bytes."""
    size, k = end - begin, 0
    if size != other_end - other:
        return False
    while k < size and buffer[begin + k] == buffer[other + k]:
        k += 1
    return k == size


def _decode_body(buffer, pos, n, max_bytes, kind, ids, begin, spans, event_ns, numbers):
    at = np.empty((_LENGTHS.size, 2), np.int64)
    for e in range(n):
        _, pos = _line(buffer, pos)  # *2
        length, pos = _line(buffer, pos)  # the id
        ids[e] = 0
        half = 0
        for i in range(pos, pos + length):
            if buffer[i] == _MINUS:
                half = 1
            else:
                ids[e, half] = ids[e, half] * 10 + (buffer[i] - _ZERO)
        pos += length + 2
        begin[e] = pos
        kind[e], event_ns[e] = GONE, 0
        spans[e] = -1
        at[:] = -1
        parts, pos = _line(buffer, pos)
        for _ in range(parts // 2 if parts > 0 else 0):
            length, a = _line(buffer, pos)
            name = _name(buffer, a, a + length)
            length, b = _line(buffer, a + length + 2)
            if name >= 0:
                at[name, 0], at[name, 1] = b, b + length
            pos = b + length + 2
        if parts < 0:
            continue
        if at[_FRAME, 0] >= 0:
            kind[e] = HOLDS_FRAME
            continue
        plain, event_ns[e] = _tick(buffer, at, spans[e], numbers[e])
        kind[e] = TICK if plain and pos - begin[e] <= max_bytes else BY_HAND
    begin[n] = pos


def _scan_body(buffer, pos, pending):
    while pending > 0 and pos < buffer.size:
        number, after = _line(buffer, pos)
        if after < 0:
            break
        if buffer[pos] == _STAR:
            pending += number if number > 0 else 0
        elif buffer[pos] == _DOLLAR and number >= 0:
            after += number + 2
            if after > buffer.size:
                break
        pos, pending = after, pending - 1
    return pos, pending


def _group_body(buffer, spans, number, first):
    size = 2
    while size < 2 * number.size:
        size *= 2
    mask, found = np.uint64(size - 1), 0
    table = np.full(size, -1, np.int64)
    for i in range(number.size):
        begin, end = spans[i, 0], spans[i, 1]
        mixed = np.uint64(14695981039346656037)  # FNV-1a
        for at in range(begin, end):
            mixed = (mixed ^ np.uint64(buffer[at])) * np.uint64(1099511628211)
        slot = np.int64((mixed ^ (mixed >> np.uint64(32))) & mask)
        while table[slot] >= 0:
            other = spans[first[table[slot]]]
            if _same(buffer, begin, end, other[0], other[1]):
                break
            slot = (slot + 1) % size
        if table[slot] < 0:
            table[slot], first[found] = found, i
            found += 1
        number[i] = table[slot]
    return found


_decode: Any = loop(_decode_body)
_group: Any = loop(_group_body)
_scan: Any = loop(_scan_body)


def group_spans(buffer: U8, spans: I64) -> tuple[I64, I64]:
    """Return which spans of a reply hold the same bytes.

    Parameters
    ----------
    buffer : uint8
        The reply.
    spans : int64 (n, at least 2)
        First and last offset of each.

    Returns
    -------
    number : int64 (n,)
        The same for the same bytes, counted from 0 in order of appearance.
    first : int64 (k,)
        Which span each number appeared in first.
    """
    number, first = np.empty(len(spans), np.int64), np.empty(len(spans), np.int64)
    return number, first[: _group(buffer, spans, number, first)]


def scan_reply(buffer: U8, at: int, pending: int) -> tuple[int, int]:
    """Return how far the whole parts of a reply reach, and how many parts are still missing.

    Parameters
    ----------
    buffer : uint8 (n,)
        What has come of the reply.
    at, pending
        What the last call returned; 0 and 1 at first.
    """
    at, pending = _scan(buffer, at, pending)
    return int(at), int(pending)
