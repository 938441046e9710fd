"""Ticks in columns: what many entries say at once, and the words for what is wrong with one.

In: the fields of an entry, or the payload of a frame of ticks.  Out: ``TickRows``.
The grammar of an entry: ``symbol`` or ``tradingsymbol``; ``last_price`` or ``price``; ``bucket_incremental_volume`` or
``volume`` (what traded since the last tick); ``exchange_timestamp`` (epoch in s, ms, us or ns, or ISO 8601 with its
zone); optionally ``bid``, ``ask``, ``oi``, ``feed`` and ``label``. Numbers may be wrapped as numpy prints them:
``np.float64(1.2)``. Everything else is refused with ``BadMessage``.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadMessage
from tapeline.core.types import F64, I64, Label

EARLIEST_NS = 631_152_000_000_000_000
"""1990-01-01. An earlier event time is a zero or a wrong unit, not a market."""
LATEST_NS = 4_102_444_800_000_000_000
"""2100-01-01."""
MAX_ENTRY_BYTES = 8 * 1024 * 1024
"""Larger entries are refused unread."""
MAX_SYMBOL_BYTES = 64
MOST = 1e12
"""No price, volume or open interest of a single tick is larger."""
NUMBERS = ("price", "volume", "bid", "ask", "oi")
"""Columns of ``TickRows.numbers``."""
NO_FEED = "ticks"
"""Feed of a tick that names none."""

Origin = tuple[str, Label]
"""Feed and label of a row. They are never mixed inside a bar frame."""


@dataclass(frozen=True, slots=True)
class TickRows:
    """Trades in the order in which they are applied.

    Attributes
    ----------
    symbols
        Names; joined rows may hold one several times.
    origins
        Feeds and labels.
    symbol, origin
        int64 (n,) index into ``symbols`` and ``origins``.
    event_ns
        int64 (n,) when it traded, in UTC nanoseconds.
    numbers
        float64 (n, 5): ``NUMBERS``. Bid, ask and open interest are NaN where they are not known.
    """

    symbols: tuple[str, ...]
    origins: tuple[Origin, ...]
    symbol: I64
    origin: I64
    event_ns: I64
    numbers: F64

    def __len__(self) -> int:
        return self.event_ns.size

    def take(self, rows: I64) -> TickRows:
        """Return the given rows, in that order, with the names that they need."""
        kept, symbol = np.unique(self.symbol[rows], return_inverse=True)
        names = tuple(self.symbols[i] for i in kept.tolist())
        return TickRows(names, self.origins, symbol, self.origin[rows], self.event_ns[rows], self.numbers[rows])

    def some(self, rows: I64 | slice) -> TickRows:
        """Return the given rows, in that order, with all names."""
        return TickRows(
            self.symbols,
            self.origins,
            self.symbol[rows],
            self.origin[rows],
            self.event_ns[rows],
            self.numbers[rows],
        )

    @staticmethod
    def concat(parts: Sequence[TickRows]) -> TickRows:
        """Join rows in their order."""
        if len(parts) == 1:
            return parts[0]
        names: list[str] = []
        origins: dict[Origin, int] = {}
        symbol, origin = [], []
        for part in parts:
            symbol.append(part.symbol + len(names))
            names += part.symbols
            to_origin = np.array([origins.setdefault(each, len(origins)) for each in part.origins], np.int64)
            origin.append(to_origin[part.origin])
        return TickRows(
            tuple(names),
            tuple(origins),
            np.concatenate(symbol),
            np.concatenate(origin),
            np.concatenate([part.event_ns for part in parts]),
            np.concatenate([part.numbers for part in parts]),
        )


def tick_reasons(rows: TickRows) -> dict[str, NDArray[np.bool_]]:
    """Return reason -> ticks it applies to, each of which may not touch a bar."""
    price, volume, *quotes = rows.numbers.T
    bad_quote = np.logical_or.reduce([(quote < 0) | (quote > MOST) for quote in quotes])  # NaN: there is none
    return {
        "a price that is not a positive number of a possible size": ~((price > 0) & (price <= MOST)),
        "a volume that is not a number of at least zero": ~((volume >= 0) & (volume <= MOST)),
        "a bid, ask or open interest below zero or impossibly large": bad_quote,
    }


def flaws_of_ticks(rows: TickRows) -> dict[int, str]:
    """Return row -> the first reason for which it may not touch a bar."""
    found: dict[int, str] = {}
    for reason, mask in tick_reasons(rows).items():
        for row in np.flatnonzero(mask).tolist():
            found.setdefault(row, reason)
    return found


def parse_tick(fields: Mapping[bytes, bytes]) -> TickRows:
    """Return the one row that an entry's fields say; raise ``BadMessage`` with the reason when it is none."""
    if sum(map(len, fields.values())) + sum(map(len, fields)) > MAX_ENTRY_BYTES:
        raise BadMessage(f"too large: a tick of more than the {MAX_ENTRY_BYTES:,} bytes that are accepted")
    symbol = _text(fields, b"symbol", b"tradingsymbol")
    if (why := flaw_of_symbol(symbol)) is not None:
        raise BadMessage(f"symbol {symbol[:20]!r} {why}")
    numbers = [_number(fields, b"last_price", b"price"), _number(fields, b"bucket_incremental_volume", b"volume")]
    numbers += [_number(fields, name) if fields.get(name) else math.nan for name in (b"bid", b"ask", b"oi")]
    event_ns = _moment_ns(_text(fields, b"exchange_timestamp"))
    check_times(np.array([event_ns], np.int64))
    zero = np.zeros(1, np.int64)
    origin = origin_of(fields.get(b"feed"), fields.get(b"label"))
    rows = TickRows((symbol,), (origin,), zero, zero, np.array([event_ns], np.int64), np.array([numbers]))
    for reason in flaws_of_ticks(rows).values():
        raise BadMessage(reason)
    return rows


def flaw_of_symbol(symbol: str) -> str | None:
    """Return why a text is no name of a symbol, None when it is one."""
    if not symbol:
        return "is empty"
    if not symbol.isprintable():
        return "holds a control character or another that cannot be printed"
    return f"is longer than {MAX_SYMBOL_BYTES} bytes" if len(symbol.encode()) > MAX_SYMBOL_BYTES else None


def check_symbols(symbols: Sequence[str]) -> None:
    """Raise ``BadMessage`` when a frame's symbol is no name."""
    text, lengths = "".join(symbols), {*map(len, symbols)}
    if text.isascii() and text.isprintable() and not (0 in lengths or max(lengths, default=0) > MAX_SYMBOL_BYTES):
        return  # all at once, as nearly always
    for name in symbols:
        if (why := flaw_of_symbol(name)) is not None:
            raise BadMessage(f"a frame whose symbol {name[:20]!r} {why}")


def origin_of(feed: bytes | None, label: bytes | None) -> Origin:
    """Return feed and label as an entry writes them; a tick that says nothing is real and of no named feed."""
    try:
        name = feed.decode().strip() if feed else NO_FEED
    except UnicodeDecodeError as error:
        raise BadMessage("field feed is not UTF-8") from error
    if not label:
        return name, Label.REAL
    try:
        return name, Label(label.decode())
    except ValueError as error:
        raise BadMessage(f"label {label[:40]!r} is none of {', '.join(Label)}") from error


def check_times(event_ns: I64) -> None:
    """Raise ``BadMessage`` when a time lies outside 1990..2100."""
    outside = (event_ns < EARLIEST_NS) | (event_ns > LATEST_NS)
    if outside.any():
        raise BadMessage(f"time {int(event_ns[outside][0])} ns lies outside 1990..2100: wrong unit, or zero")


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


def _moment_ns(text: str) -> int:
    """Return an exchange time in nanoseconds; its unit is told by its size."""
    try:
        whole = int(text) if len(text) <= 40 else _refuse_moment(text)
    except ValueError:
        return _fractional_or_iso_ns(text)
    for limit, unit_ns in ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3)):
        if abs(whole) < limit:
            return _bounded(whole * unit_ns, text)
    return _bounded(whole, text)


def _bounded(event_ns: int, text: str) -> int:
    return event_ns if abs(event_ns) < 2**63 else _refuse_moment(text)


def _fractional_or_iso_ns(text: str) -> int:
    try:
        seconds = float(text)
    except ValueError:
        return _iso_ns(text)
    if not math.isfinite(seconds) or abs(seconds) > 1e11:
        return _refuse_moment(text)
    return _bounded(round(seconds * 1e6) * 1000, text)  # a double holds epoch seconds to the microsecond, no further


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
