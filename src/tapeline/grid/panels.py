"""Panels on disk: a grid's bars as Arrow and Parquet, and as a file that other processes map without copying.

In: a grid, or a file written here.  Out: the file, or the bars again.  Anchors are not in panels: they are in
``BarGrid.snapshot``. Refuses files without the columns or the timeframe of a panel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tapeline.core.errors import DataError
from tapeline.core.types import BAR_FIELDS, F64, I64
from tapeline.grid.bars import BarGrid

_TIMEFRAME = b"tapeline.timeframe_s"
_UNIVERSE = b"tapeline.symbols"


def to_arrow(grid: BarGrid) -> pa.Table:
    """Return the traded bars of a grid: one row a bar, by time and then in the universe's order."""
    fields = {name: grid.field(name) for name in BAR_FIELDS}
    rows, columns = np.nonzero(~np.isnan(fields["close"]))
    symbols = pa.DictionaryArray.from_arrays(pa.array(columns, pa.int32()), pa.array(grid.symbols, pa.string()))
    data = {"symbol": symbols, "event_ns": grid.event_ns[rows]}
    data |= {name: field[rows, columns] for name, field in fields.items()}
    about = {_TIMEFRAME: str(grid.timeframe_s).encode(), _UNIVERSE: msgspec.json.encode(grid.symbols)}
    return pa.table(data).replace_schema_metadata(about)


def from_arrow(table: pa.Table, *, n_bars: int | None = None) -> BarGrid:
    """Return the grid of a table that ``to_arrow`` made.

    Parameters
    ----------
    table
        Traded bars; rows that are not there become NaN.
    n_bars
        Bars the grid can hold; as many as there are unless said otherwise.
    """
    about = table.schema.metadata or {}
    missing = {"symbol", "event_ns", *BAR_FIELDS} - set(table.column_names)
    if missing or _TIMEFRAME not in about or _UNIVERSE not in about:
        raise DataError(f"not a panel: it lacks {', '.join(sorted(missing)) or 'its timeframe and universe'}")
    symbols = msgspec.json.decode(about[_UNIVERSE], type=tuple[str, ...])
    events, rows = np.unique(table["event_ns"].to_numpy(), return_inverse=True)
    place = {symbol: column for column, symbol in enumerate(symbols)}
    columns = np.array([place[symbol] for symbol in table["symbol"].to_pylist()], np.intp)
    fields = {name: np.full((len(events), len(symbols)), np.nan) for name in BAR_FIELDS}
    for name, field in fields.items():
        field[rows, columns] = table[name].to_numpy()
    return BarGrid.from_arrays(
        symbols,
        events,
        open=fields["open"],
        high=fields["high"],
        low=fields["low"],
        close=fields["close"],
        volume=fields["volume"],
        vwap=fields["vwap"],
        trades=fields["trades"],
        timeframe_s=int(about[_TIMEFRAME]),
        n_bars=n_bars,
    )


def write_parquet(grid: BarGrid, path: Path) -> None:
    """Write a grid's bars as Parquet; a reader sees the old file or the whole new one."""
    part = path.with_name(path.name + ".part")
    pq.write_table(to_arrow(grid), part, compression="zstd")
    part.replace(path)


def read_parquet(path: Path, *, n_bars: int | None = None) -> BarGrid:
    """Return the grid of a Parquet file that ``write_parquet`` wrote."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} is no panel: {error}") from error
    return from_arrow(table, n_bars=n_bars)


@dataclass(frozen=True)
class MappedPanel:
    """Bars in a file that is mapped, not read: processes that open it share its pages.

    ``fields`` is float64 (7, n_bars, n_symbols), read-only, in the order of ``BAR_FIELDS``.
    """

    symbols: tuple[str, ...]
    timeframe_s: int
    event_ns: I64
    fields: F64

    def field(self, name: str) -> F64:
        """Return one field, float64 (n_bars, n_symbols), oldest bar first: a view of the file."""
        return np.asarray(self.fields[BAR_FIELDS.index(name)])


class _Head(msgspec.Struct, frozen=True):
    symbols: tuple[str, ...]
    timeframe_s: int
    event_ns: tuple[int, ...]


def write_mapped(grid: BarGrid, path: Path) -> None:
    """Write a grid's bars for ``open_mapped``: ``path`` and, beside it, ``path`` + ``.json`` with the names."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.save(file, np.stack([grid.field(name) for name in BAR_FIELDS]))
    head = _Head(grid.symbols, grid.timeframe_s, tuple(grid.event_ns.tolist()))
    path.with_name(path.name + ".json").write_bytes(msgspec.json.encode(head))
    part.replace(path)


def open_mapped(path: Path) -> MappedPanel:
    """Return the panel of ``write_mapped`` without reading it: pages come in as they are touched."""
    try:
        head = msgspec.json.decode(path.with_name(path.name + ".json").read_bytes(), type=_Head)
        fields = np.load(path, mmap_mode="r")
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise DataError(f"{path} is no mapped panel: {error}") from error
    return MappedPanel(head.symbols, head.timeframe_s, np.array(head.event_ns, np.int64), fields)
