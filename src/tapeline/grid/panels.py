"""Panels on disk: a grid's bars as Arrow and Parquet, and as a file that other processes map without copying.

In: a grid, or a file written here.  Out: the file, or the bars again. Rows without a trade, revisions and anchors are
not in panels; ``BarGrid.snapshot`` has them all. Refuses files without the columns or the timeframe of a panel.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tapeline.core.errors import BadArgument, DataError
from tapeline.core.types import BAR_FIELDS, F64, I64
from tapeline.grid.bars import BarGrid

_TIMEFRAME = b"tapeline.timeframe_s"
_UNIVERSE = b"tapeline.symbols"
_MAGIC = b"tapeline panel 1"
_PAGE = 4096


def to_arrow(grid: BarGrid) -> pa.Table:
    """Return the traded bars of a grid: one row a bar, by time and then in the universe's order."""
    with grid.lock:
        fields, events = {name: grid.field(name).copy() for name in BAR_FIELDS}, grid.event_ns
    rows, columns = np.nonzero(~np.isnan(fields["close"]))
    symbols = pa.DictionaryArray.from_arrays(pa.array(columns, pa.int32()), pa.array(grid.symbols, pa.string()))
    data = {"symbol": symbols, "event_ns": events[rows]}
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
    columns = np.array([place.get(symbol, -1) for symbol in table["symbol"].to_pylist()], np.intp)
    if (columns < 0).any():
        raise DataError(f"row {int(columns.argmin())} of the panel is of a symbol that is not in its universe")
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


def write_parquet(grid: BarGrid, path: str | PathLike[str]) -> None:
    """Write a grid's bars as Parquet; a reader sees the old file or the whole new one."""
    part, path = _part(path)
    pq.write_table(to_arrow(grid), part, compression="zstd")
    part.replace(path)


def read_parquet(path: str | PathLike[str], *, n_bars: int | None = None) -> BarGrid:
    """Return the grid of a Parquet file that ``write_parquet`` wrote. Raises DataError for any other file."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; write_parquet makes one") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} is no panel: {error}") from error
    return from_arrow(table, n_bars=n_bars)


def _part(path: str | PathLike[str]) -> tuple[Path, Path]:
    """Return where a file is written before it takes its name, and that name."""
    named = Path(path)
    if not named.parent.is_dir():
        raise DataError(f"{named} cannot be written: there is no folder {named.parent}")
    return named.with_name(named.name + ".part"), named


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
        if name not in BAR_FIELDS:
            raise BadArgument(f"a bar has no field {name!r}; it has {', '.join(BAR_FIELDS)}")
        return np.asarray(self.fields[BAR_FIELDS.index(name)])


class _Head(msgspec.Struct, frozen=True):
    symbols: tuple[str, ...]
    timeframe_s: int
    event_ns: tuple[int, ...]


def write_mapped(grid: BarGrid, path: str | PathLike[str]) -> None:
    """Write a copy of a grid's bars for ``open_mapped``; a reader sees the old file or the whole new one.

    One file: a mark, the length of the head, the head (JSON), and from the next page on the numbers.
    """
    part, path = _part(path)
    with grid.lock, part.open("wb") as file:
        head = msgspec.json.encode(_Head(grid.symbols, grid.timeframe_s, tuple(grid.event_ns.tolist())))
        begins = _numbers_begin(len(head))
        file.write(_MAGIC + len(head).to_bytes(8, "little") + head)
        file.seek(begins)
        for name in BAR_FIELDS:
            file.write(np.ascontiguousarray(grid.field(name)).data)
        file.truncate(begins + 8 * len(BAR_FIELDS) * grid.n_bars * len(grid.symbols))
    part.replace(path)


def open_mapped(path: str | PathLike[str]) -> MappedPanel:
    """Return the panel of ``write_mapped`` without reading it: pages come in as they are touched.

    Raises DataError for a file that is not there, is of another kind, or is shorter than its head says.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise DataError(f"{path} is no mapped panel; write_mapped writes one")
            length = int.from_bytes(file.read(8), "little")
            head = msgspec.json.decode(file.read(length), type=_Head)
            shape = (len(BAR_FIELDS), len(head.event_ns), len(head.symbols))
            fields = (
                np.memmap(file, np.float64, "r", _numbers_begin(length), shape) if 0 not in shape else np.zeros(shape)
            )
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; write_mapped makes one") from None
    except (OSError, ValueError, OverflowError, msgspec.DecodeError) as error:
        raise DataError(f"{path} is no whole mapped panel: {error}") from error
    return MappedPanel(head.symbols, head.timeframe_s, np.array(head.event_ns, np.int64), fields)


def _numbers_begin(head_length: int) -> int:
    """Return the page where the numbers of a mapped panel begin."""
    return -(-(len(_MAGIC) + 8 + head_length) // _PAGE) * _PAGE
