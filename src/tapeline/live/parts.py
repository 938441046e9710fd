"""A lane's state as named parts, so that a snapshot moves only what changed.

In: the parts of a lane's state.  Out: name -> bytes, and the state again.
``head`` and ``quotes`` change with every tick, a ``row:<start>`` with its bars, ``revisions`` and ``grid`` when a bar
closes. Refuses parts of another version, or made with other timeframes or indicators.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TypeVar

import msgspec
import numpy as np

from tapeline.core.config import LiveConfig
from tapeline.core.errors import BadMessage
from tapeline.core.types import Label
from tapeline.grid.wire import grid_of, head_of
from tapeline.live.bars import BarFold, widened
from tapeline.live.indicators import LaneIndicators
from tapeline.live.quotes import Quotes
from tapeline.live.session import Totals

T = TypeVar("T")

SNAPSHOT_VERSION = 3
_ROW = "row:"
"""Of the panel of open bars."""
_BAR = "bar:"
"""Of the grid of closed ones."""


class _Head(msgspec.Struct, frozen=True, array_like=True):
    version: int
    timeframes_s: tuple[int, ...]
    indicators: tuple[str, ...]
    origins: list[tuple[str, Label]]
    watermark_ns: int
    closed_upto_ns: int
    floor_ns: int
    session_start_ns: int


def to_parts(
    config: LiveConfig, fold: BarFold, indicators: LaneIndicators, quotes: Quotes, stale: Set[str]
) -> dict[str, bytes]:
    """Return the parts that are never up to date, those in ``stale``, and the rows that were touched."""
    panel, session, wide = fold.panel, fold.session, len(fold.panel.symbols)
    encode = msgspec.msgpack.encode
    head = _Head(
        *(SNAPSHOT_VERSION, config.timeframes_s, config.indicators, fold.origins),
        *(fold.watermark_ns, fold.closed_upto_ns, fold.floor_ns, session.anchor_start_ns),
    )
    parts = {
        "head": encode(head),
        "quotes": encode([quotes.values[:, :wide].tobytes(), quotes.times[:wide].tobytes()]),
    }
    parts |= {f"{_ROW}{start_ns}": panel.row(start_ns) for start_ns in sorted(panel.touched)}
    panel.touched.clear()
    if "symbols" in stale:
        parts["symbols"] = encode(panel.symbols)
    if "revisions" in stale:
        kept = {t: {s: widened(r, wide).tobytes() for s, r in rows.items()} for t, rows in fold.revisions.items()}
        parts["revisions"] = encode(kept)
    if "session" in stale:
        anchor = session.anchor.table if session.anchor is not None else ()
        parts["session"] = encode([values[:wide].tobytes() for values in anchor])
    if "grid" in stale:
        parts["grid"] = head_of(indicators.grid)
        parts |= {f"{_BAR}{start_ns}": row for start_ns, row in indicators.take_rows().items()}
    return parts


def load_parts(
    parts: Mapping[str, bytes], config: LiveConfig, fold: BarFold, indicators: LaneIndicators, quotes: Quotes
) -> None:
    """Put a saved state in place of the empty one; see ``LaneState.restore``."""
    head = _decode(parts, "head", _Head)
    made_with = (head.version, head.timeframes_s, head.indicators)
    ours = (SNAPSHOT_VERSION, config.timeframes_s, config.indicators)
    if made_with != ours:
        raise BadMessage(
            f"the lane's state was made with version, timeframes and indicators {made_with}, and we have {ours}: "
            "set live.timeframes_s and live.indicators back, or use an empty stream server"
        )
    symbols, session = _decode(parts, "symbols", list[str]), fold.session
    fold.panel.load(symbols, _rows_of(parts, _ROW))
    fold.origins = list(head.origins)
    fold.watermark_ns, fold.closed_upto_ns, fold.floor_ns = head.watermark_ns, head.closed_upto_ns, head.floor_ns
    fold.revisions = {
        t: {start: np.frombuffer(raw, np.int64) for start, raw in kept.items()}
        for t, kept in _decode(parts, "revisions", dict[int, dict[int, bytes]]).items()
    }
    anchor = _decode(parts, "session", list[bytes])
    session.anchor_start_ns = head.session_start_ns
    session.anchor = Totals(np.stack([np.frombuffer(raw) for raw in anchor])) if anchor else None
    bars = _rows_of(parts, _BAR)
    indicators.replace(grid_of(parts.get("grid", b""), bars), saved=bars)
    quotes.grow(symbols, fold.panel.n_columns)
    values, times = _decode(parts, "quotes", tuple[bytes, bytes])
    wide = len(times) // 8
    quotes.values[:, :wide] = np.frombuffer(values).reshape(len(quotes.values), wide)
    quotes.times[:wide] = np.frombuffer(times, np.int64)


def _rows_of(parts: Mapping[str, bytes], prefix: str) -> dict[int, bytes]:
    return {int(name.removeprefix(prefix)): part for name, part in parts.items() if name.startswith(prefix)}


def _decode(parts: Mapping[str, bytes], name: str, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(parts.get(name, b""), type=kind)
    except msgspec.DecodeError as error:
        raise BadMessage(f"not the state of a lane, in its part {name}: {error}") from error
