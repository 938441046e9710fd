"""Entries of a lane as the server wrote them: ids and fields when asked for, columns when worked on.

In: the whole reply to an XREAD of one stream, as bytes.  Out: runs of ticks and frames of bars in the lane's order, and
the reason for every entry that holds neither.
Refuses nothing itself: one bad entry never harms the others of its block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tapeline.core.errors import BadMessage
from tapeline.core.types import I64, NS_PER_S, BarFrame
from tapeline.kernels.ticks import GONE, TICK, Columns, decode_entries, group_spans
from tapeline.streams import frames, keys
from tapeline.streams.ticks import (
    EARLIEST_NS,
    LATEST_NS,
    MAX_ENTRY_BYTES,
    Origin,
    TickRows,
    check_symbols,
    flaw_of_symbol,
    flaws_of_ticks,
    origin_of,
    parse_tick,
)

MAX_AHEAD_NS = 3600 * NS_PER_S
"""A tick may be dated this much after the moment at which the server got its entry; clocks do not differ more."""
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """What is applied at once: ticks of the entries ``first`` to ``last`` of a block, or the bars of one entry.

    ``entries`` int64 (n,) is the number of the entry that each row came in.
    """

    first: int
    last: int
    entries: I64
    rows: TickRows | BarFrame


class Block:
    """Some entries of one stream, in order. ``raw`` is the reply that holds them; empty for none."""

    def __init__(self, raw: bytes = b"") -> None:
        self._raw = raw
        self._looked_at: dict[int, list[bytes]] = {}  # a bad entry is looked at twice: what it is, and for its letter
        at, n = _entries_of(raw)
        self.columns: Columns = decode_entries(np.frombuffer(raw, np.uint8), at, n, MAX_ENTRY_BYTES)

    def __len__(self) -> int:
        return self.columns.kind.size

    def id(self, i: int) -> str:
        """Return the id of an entry."""
        milliseconds, sequence = self.columns.ids[i].tolist()
        return f"{milliseconds}-{sequence}"

    @property
    def n_bytes(self) -> int:
        """Size of the reply."""
        return len(self._raw)

    def parts(self, i: int) -> list[bytes]:
        """Return names and values of an entry's fields in turn; none when it was deleted before it was read."""
        if i not in self._looked_at:
            gone = self.columns.kind[i] == GONE
            self._looked_at[i] = [] if gone else list(_parts(self._raw, int(self.columns.begin[i])))
        return self._looked_at[i]

    def fields(self, i: int) -> dict[bytes, bytes]:
        """Return the fields of an entry; none when it was deleted before it was read."""
        parts = self.parts(i)
        return dict(zip(parts[::2], parts[1::2], strict=True))

    def has_frame(self) -> bool:
        """Tell whether not all entries are single ticks."""
        return bool((self.columns.kind != TICK).any())

    def decode(self) -> tuple[list[Run], dict[int, str]]:
        """Return the runs, and entry -> reason for those that cannot be read."""
        bad: dict[int, str] = {}
        parts = [self._plain_ticks(bad)] if (self.columns.kind == TICK).any() else []
        bars: list[tuple[int, BarFrame]] = []
        for i in np.flatnonzero(self.columns.kind != TICK).tolist():
            try:
                found = self._by_hand(i)
            except BadMessage as error:
                bad[i] = str(error)
                continue
            if isinstance(found, BarFrame):
                bars.append((i, found))
            else:
                parts.append((np.full(len(found), i, np.int64), found))
        return list(_in_order(parts, bars)), bad

    def _by_hand(self, i: int) -> TickRows | BarFrame:
        if self.columns.kind[i] == GONE:
            raise BadMessage("deleted before it was read: whoever trimmed the stream went past what was delivered")
        fields = self.fields(i)
        payload = fields.get(keys.FRAME)
        found = frames.decode_any(payload) if payload is not None else parse_tick(fields)
        if isinstance(found, BarFrame):
            check_symbols(found.symbols)
        elif len(found):
            _check_ahead(int(found.event_ns.max()), int(self.columns.ids[i, 0]))
        return found

    def _plain_ticks(self, bad: dict[int, str]) -> tuple[I64, TickRows]:
        """Return the ticks that were read in bulk; note those whose time or name is impossible."""
        found = self.columns
        entries = np.flatnonzero(found.kind == TICK)
        event_ns = found.event_ns[entries]
        outside = (event_ns < EARLIEST_NS) | (event_ns > LATEST_NS)
        ahead = event_ns > np.minimum(found.ids[entries, 0], LATEST_NS // _NS_PER_MS) * _NS_PER_MS + MAX_AHEAD_NS
        for i in np.flatnonzero(outside | ahead).tolist():
            what = "lies outside 1990..2100: wrong unit, or zero" if outside[i] else "lies in the future"
            bad[int(entries[i])] = f"time {int(event_ns[i])} ns {what}"
        entries = entries[~(outside | ahead)]
        spans, raw = found.spans[entries], self._raw
        index, first = group_spans(np.frombuffer(raw, np.uint8), spans)
        texts = tuple(_name(raw[a:b]) for a, b in spans[first, :2].tolist())
        origin, origins, no_origin = self._origins(spans)
        nameless = np.array([not text for text in texts], np.bool_)
        keep = ~(nameless[index] | no_origin)
        for i in np.flatnonzero(~keep).tolist():
            bad[int(entries[i])] = (
                "field symbol, feed or label is not UTF-8, too long, unknown, or holds a control character"
            )
        entries = entries[keep]
        columns = index[keep], origin[keep], found.event_ns[entries], found.numbers[entries]
        rows = TickRows(texts, origins, *columns)
        flaws = flaws_of_ticks(rows)
        bad.update((int(entries[row]), reason) for row, reason in flaws.items())
        sound = np.setdiff1d(np.arange(len(rows)), list(flaws)) if flaws else None
        return (entries, rows) if sound is None else (entries[sound], rows.some(sound))

    def _origins(self, spans: I64) -> tuple[I64, tuple[Origin, ...], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        """Return each row's origin, the origins, and which rows have none that can be read."""
        n, raw = len(spans), self._raw
        index, nobody = np.zeros(n, np.int64), np.zeros(n, np.bool_)
        if not n or (spans[:, 2:] < 0).all():
            return index, (origin_of(None, None),), nobody
        known: dict[tuple[bytes, bytes], int] = {}
        origins: list[Origin] = []
        for i, (a, b, c, d) in enumerate(spans[:, 2:].tolist()):
            said = (raw[a:b] if a >= 0 else b"", raw[c:d] if c >= 0 else b"")
            if said not in known:
                try:
                    origins.append(origin_of(*said))
                    known[said] = len(origins) - 1
                except BadMessage:
                    known[said] = -1
            index[i] = known[said]
        nobody = index < 0
        return np.maximum(index, 0), tuple(origins), nobody


def _check_ahead(event_ns: int, received_ms: int) -> None:
    if event_ns > received_ms * _NS_PER_MS + MAX_AHEAD_NS:
        raise BadMessage(f"time {event_ns} ns lies in the future")


@lru_cache(maxsize=1 << 16)  # the same symbols come again and again
def _name(raw: bytes) -> str:
    """Return a symbol as text; empty when it is none."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return ""
    return text if flaw_of_symbol(text) is None else ""


def _in_order(parts: list[tuple[I64, TickRows]], bars: list[tuple[int, BarFrame]]) -> Iterator[Run]:
    """Yield runs of ticks as long as they can be, with the frames of bars between them."""
    parts = [part for part in parts if len(part[1])]
    entries = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
    rows = TickRows.concat([part[1] for part in parts]) if parts else None
    if rows is not None and (np.diff(entries) < 0).any():
        order = np.argsort(entries, kind="stable")
        entries, rows = entries[order], rows.some(order)
    done = 0
    for i, frame in (*bars, (None, None)):
        cut = entries.size if i is None else int(np.searchsorted(entries, i))
        if rows is not None and cut > done:
            whole = cut - done == entries.size
            part = rows if whole else rows.some(slice(done, cut))
            yield Run(int(entries[done]), int(entries[cut - 1]), entries[done:cut], part)
            done = cut
        if i is not None and frame is not None:
            yield Run(i, i, np.full(len(frame), i, np.int64), frame)


def _entries_of(raw: bytes) -> tuple[int, int]:
    """Return where the entries begin in a reply of one stream, and how many there are."""
    if not raw or raw.startswith((b"*-1", b"$-1", b"*0")):
        return 0, 0
    at = raw.index(b"$")
    end = raw.index(b"\r\n", at)
    at = end + 2 + int(raw[at + 1 : end]) + 2  # after the name of the stream
    end = raw.index(b"\r\n", at)
    return end + 2, max(int(raw[at + 1 : end]), 0)


def _parts(raw: bytes, at: int) -> Iterator[bytes]:
    """Yield the strings of the flat array that begins at ``at``."""
    end = raw.index(b"\r\n", at)
    for _ in range(int(raw[at + 1 : end])):
        at = end + 2
        end = raw.index(b"\r\n", at)
        start, length = end + 2, int(raw[at + 1 : end])
        yield raw[start : start + length]
        end = start + length


def reply_of(key: bytes, entries: Iterable[tuple[str, Mapping[bytes, bytes]]]) -> bytes:
    """Return the reply in which a server would send these entries."""
    parts = []
    for entry_id, fields in entries:
        flat = [part for pair in fields.items() for part in pair]
        parts.append(b"*2\r\n" + _bulk(entry_id.encode()) + b"*%d\r\n" % len(flat) + b"".join(map(_bulk, flat)))
    return b"*1\r\n*2\r\n" + _bulk(key) + b"*%d\r\n" % len(parts) + b"".join(parts) if parts else b""


def _bulk(part: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(part), part)
