"""Features that were computed before: kept outside of the process, so that a node that starts again resumes.

In: a grid, and a shelf that keeps blobs (``streams.shelf``).  Out: the contract's columns, those of unchanged symbols
as they were kept. A value is taken only when a digest of everything it follows from is equal: each bar's bits, what the
ring remembers of dropped bars, the contract, the kernels' code and processor. So a restated bar or a split is a miss,
and what is found is never stale. Refuses to keep what depends on other symbols: that is computed for all, every time.
"""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadMessage, Unavailable
from tapeline.core.types import F64
from tapeline.grid import BarGrid
from tapeline.kernels.columns import code_digest, column_digests
from tapeline.ml.features import CONTRACT, read_columns, refresh_columns

log = logging.getLogger(__name__)

READ_FIELDS = ("open", "high", "low", "close", "volume")
"""What the contract's columns are made of; a test holds them against the kernels."""
SHARDS = 16
"""Blobs: few enough for one round trip, small enough to be kept anew alone."""
FEW = 0.5
"""Share of missing symbols up to which computing them apart is cheaper than computing all."""

U64 = NDArray[np.uint64]


class Shelf(Protocol):
    """Keeps blobs under names for some time."""

    async def fetch(self, names: Sequence[str]) -> list[bytes | None]:
        """Return the blob of each name, None where there is none; ``Unavailable`` when nobody answers."""
        ...

    async def keep(self, blobs: Mapping[str, bytes], ttl_s: float) -> None:
        """Keep blobs for ``ttl_s`` seconds; ``Unavailable`` when nobody answers."""
        ...


class _Blob(msgspec.Struct, frozen=True):
    """Some symbols: uint64 (n, 2) digests and float64 (n_columns, n) values, as bytes."""

    symbols: tuple[str, ...]
    digests: bytes
    values: bytes


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """Values that were computed before: uint64 (n, 2) digests, float64 (n_columns, n) values, a symbol each."""

    symbols: tuple[str, ...]
    digests: U64
    values: F64


class FeatureCache:
    """The contract's columns, looked up by symbol and digest before they are computed.

    ``await load()`` before the first scan, ``await save()`` after one, away from what is urgent; ``columns`` stands in
    for ``read_columns`` wherever that is handed in.

    Parameters
    ----------
    shelf
        Where blobs are kept.
    ttl_s
        For how long.

    Attributes
    ----------
    hits, computed
        Symbols of the last ``columns`` that were known, and that were not.
    """

    def __init__(self, shelf: Shelf, ttl_s: float) -> None:
        self._shelf, self._ttl_s = shelf, ttl_s
        self._names = [f"{CONTRACT.digest}:{code_digest()}:{number}" for number in range(SHARDS)]
        self._known = _Known((), np.empty((0, 2), np.uint64), np.empty((len(CONTRACT.columns), 0)))
        self._unsaved: set[int] = set()
        self.hits = self.computed = 0

    async def load(self) -> None:
        """Read what was kept. A shelf that does not answer, or a blob that cannot be read, means computing."""
        try:
            blobs = await self._shelf.fetch(self._names)
            parts = [_unpack(blob) for blob in blobs if blob is not None]
        except (Unavailable, BadMessage) as error:
            log.warning("features are computed anew: %s", error)
            return
        if parts:
            self._known = _Known(
                tuple(symbol for part in parts for symbol in part.symbols),
                np.concatenate([part.digests for part in parts]),
                np.concatenate([part.values for part in parts], axis=1),
            )

    async def save(self) -> None:
        """Keep what was computed since the last ``save``, whole shards of it."""
        known, shards = self._known, np.fromiter(map(_shard, self._known.symbols), np.intp, len(self._known.symbols))
        blobs = {}
        for number in sorted(self._unsaved):
            cols = np.flatnonzero(shards == number)
            symbols = tuple(known.symbols[int(col)] for col in cols)
            blob = _Blob(symbols, known.digests[cols].tobytes(), known.values[:, cols].tobytes())
            blobs[self._names[number]] = msgspec.msgpack.encode(blob)
        try:
            if blobs:
                await self._shelf.keep(blobs, self._ttl_s)
        except Unavailable as error:
            log.warning("features are not kept: %s", error)
            return
        self._unsaved.clear()

    def columns(self, grid: BarGrid, names: Sequence[str], n_rows: int) -> dict[str, F64]:
        """Return what ``read_columns`` returns, to the bit; only the contract's columns are known."""
        if tuple(names) != CONTRACT.columns or not n_rows:
            return read_columns(grid, names, n_rows)
        with grid.lock:
            grid.track(CONTRACT.indicators)
            digests = input_digests(grid, n_rows)
            place = self._places(grid.symbols, digests)
            missing = np.flatnonzero(place < 0)
            if missing.size > FEW * place.size:
                columns = read_columns(grid, names, n_rows)
                missing = np.arange(place.size)
            else:
                columns = dict(zip(names, self._known.values[:, place], strict=True))
                refresh_columns(grid, columns, missing, n_rows)
        self.hits, self.computed = place.size - missing.size, missing.size
        if missing.size:
            self._known = _Known(grid.symbols, digests, np.stack([columns[name] for name in names]))
            self._unsaved |= {_shard(grid.symbols[int(col)]) for col in missing}
        return columns

    def _places(self, symbols: tuple[str, ...], digests: U64) -> NDArray[np.intp]:
        """Return where each symbol stands among the known, -1 where it does not, or has another digest."""
        if not self._known.symbols:
            return np.full(len(symbols), -1, np.intp)
        if symbols == self._known.symbols:
            place = np.arange(len(symbols))
        else:
            known = {symbol: at for at, symbol in enumerate(self._known.symbols)}
            place = np.fromiter((known.get(symbol, -1) for symbol in symbols), np.intp, len(symbols))
        equal = (self._known.digests[place] == digests).all(axis=1)
        return np.where(equal & (place >= 0), place, -1)


def input_digests(grid: BarGrid, n_rows: int) -> U64:
    """Return a digest of everything that each symbol's columns follow from at the row ``n_rows - 1``, uint64 (n, 2)."""
    panels = [grid.field(name)[:n_rows] for name in READ_FIELDS]
    said: list[object] = [grid.timeframe_s, grid.day_begins_s, int(grid.event_ns[n_rows - 1]), grid.dropped > 0]
    if grid.dropped:  # before that, nothing is remembered
        panels += [grid.anchors.anchor, grid.anchors.cold.astype(np.float64)]
        said += grid.anchors.names
    seed = hashlib.sha256(repr(said).encode()).digest()[:8]
    return column_digests(panels, int.from_bytes(seed, "little"))


def _shard(symbol: str) -> int:
    return zlib.crc32(symbol.encode()) % SHARDS


def _unpack(data: bytes) -> _Known:
    """Return the symbols of a blob; ``BadMessage`` when it is none."""
    try:
        blob = msgspec.msgpack.decode(data, type=_Blob)
        n = len(blob.symbols)
        digests = np.frombuffer(blob.digests, np.uint64).reshape(n, 2)
        return _Known(blob.symbols, digests, np.frombuffer(blob.values).reshape(len(CONTRACT.columns), n))
    except (msgspec.DecodeError, ValueError) as error:
        raise BadMessage(f"a kept blob of features cannot be read: {error}") from None
