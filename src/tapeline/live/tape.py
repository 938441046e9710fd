"""Ticks from a file, and ticks through lanes of one's own: what loading and replaying need.

In: a CSV or Parquet file with the names of the tick grammar, or rows of ticks.  Out: ``TickRows`` in chunks; the bars
that a run of them closes, always the same for the same rows.
Refuses a file without symbol, price, volume or time, with the names that it does have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tapeline.core.config import LiveConfig
from tapeline.core.errors import BadMessage, DataError
from tapeline.core.instruments import underlying_of
from tapeline.core.types import F64, I64, BarFrame, Label
from tapeline.live.state import LaneState
from tapeline.streams import frames
from tapeline.streams.lanes import lane_of
from tapeline.streams.processor import Alert, HotRow, LaneOutput
from tapeline.streams.ticks import NUMBERS, TickRows

T = TypeVar("T")

CHUNK_ROWS = 50_000
_MAX_SAID = 200
"""Letters of another library's words that are told on."""
_NAMES = {
    "symbol": ("symbol", "tradingsymbol", "ticker"),
    "price": ("last_price", "price"),
    "volume": ("bucket_incremental_volume", "volume", "size"),
    "time": ("exchange_timestamp", "event_ns", "timestamp", "time"),
    "bid": ("bid",),
    "ask": ("ask",),
    "oi": ("oi",),
}
_NEEDED = ("price", "volume", "time")


def read_ticks(path: Path, *, symbol: str = "", feed: str = "file", label: Label = Label.REAL) -> Iterator[TickRows]:
    """Yield the ticks of a file in its order.

    Parameters
    ----------
    path
        A ``.csv`` or ``.parquet`` file. Times are epochs in s, ms, us or ns by their size, or timestamps in UTC.
    symbol
        Whose ticks they are, for a file that has no column for it.
    feed, label
        Where they come from.

    Raises
    ------
    DataError
        When the file cannot be read, or lacks a column.
    """
    table = _read(path)
    column = {name: _column(table, names) for name, names in _NAMES.items()}
    missing = [name for name in _NEEDED if column[name] is None] + (
        ["symbol"] if column["symbol"] is None and not symbol else []
    )
    if missing:
        raise DataError(f"{path} has no column for {', '.join(missing)}; it has {', '.join(table.column_names)}")
    times = _converted(path, "time", column["time"], _times_ns, "a time: an epoch, or ISO 8601 with its zone")
    columns = [
        _converted(path, name, column[name], _numbers, "a number")
        if column[name] is not None
        else np.full(table.num_rows, np.nan)
        for name in NUMBERS
    ]
    numbers = np.stack(columns, axis=1)
    names, index = _symbols(column["symbol"], symbol, table.num_rows)
    for cut in range(0, table.num_rows, CHUNK_ROWS):
        part = slice(cut, cut + CHUNK_ROWS)
        origin = np.zeros(index[part].size, np.int64)
        yield TickRows(names, ((feed, label),), index[part], origin, times[part], numbers[part])


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path) if path.suffix == ".parquet" else pa_csv.read_csv(path)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except (pa.ArrowException, OSError) as error:
        said = "".join(each if each.isprintable() else "?" for each in str(error)[:_MAX_SAID])
        raise DataError(f"{path} cannot be read: {said}") from error


def _column(table: pa.Table, names: Iterable[str]) -> Any:
    for name in names:
        if name in table.column_names:
            return table[name]
    return None


def _converted(path: Path, what: str, column: Any, convert: Callable[[Any], T], wanted: str) -> T:
    """Return a column as numbers; of one that does not read, name the first row that is to blame."""
    try:
        return convert(column)
    except (pa.ArrowException, ValueError) as error:
        for row in range(len(column)):
            try:
                convert(column.slice(row, 1))
            except (pa.ArrowException, ValueError):
                value = str(column[row].as_py())[:40]
                raise DataError(f"{path}: row {row + 1} has {value!r} for its {what}, which is not {wanted}") from error
        raise DataError(f"{path} has a {what} that does not read: it is of type {column.type}") from error


def _times_ns(column: Any) -> I64:
    """Return UTC nanoseconds; the unit of a number is told by its size."""
    if pa.types.is_timestamp(column.type):
        return np.asarray(column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()).to_numpy(), np.int64)
    if pa.types.is_floating(column.type):
        return np.round(np.asarray(column.to_numpy()) * 1e6).astype(np.int64) * 1000
    if pa.types.is_string(column.type) and not pc.all(pc.utf8_is_digit(column)).as_py():
        column = column.cast(pa.timestamp("ns", "UTC"))
        return np.asarray(column.cast(pa.int64()).to_numpy(), np.int64)
    whole: I64 = np.asarray(column.cast(pa.int64()).to_numpy(), np.int64)
    unit = np.select([whole < 10**11, whole < 10**14, whole < 10**17], [10**9, 10**6, 10**3], 1)
    return np.asarray(whole * unit, np.int64)


def _numbers(column: Any) -> F64:
    return np.asarray(pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(), np.float64)


def _symbols(column: Any, symbol: str, n: int) -> tuple[tuple[str, ...], I64]:
    if column is None:
        return (symbol,), np.zeros(n, np.int64)
    coded = pa.chunked_array([column.combine_chunks().cast(pa.string()).dictionary_encode()]).combine_chunks()
    coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    return tuple(coded.dictionary.to_pylist()), np.asarray(coded.indices.to_numpy(zero_copy_only=False), np.int64)


@dataclass(slots=True)
class Replay:
    """What a run of ticks through fresh lanes made.

    Attributes
    ----------
    config, n_lanes
        What lanes do, and how many share the symbols.
    ticks, refused, bars, alerts
        Counts. A row of a frame of bars counts as a tick.
    """

    config: LiveConfig
    n_lanes: int = 1
    ticks: int = 0
    refused: int = 0
    bars: int = 0
    alerts: int = 0
    _states: dict[int, LaneState] = field(default_factory=dict)
    _hashes: dict[int, Any] = field(default_factory=dict)
    _lane_of: dict[str, int] = field(default_factory=dict)

    def apply(self, rows: TickRows | BarFrame) -> LaneOutput:
        """Take rows in, one after the other; return the bars that they closed and the alerts, lane by lane."""
        self.ticks += len(rows)
        closed: list[BarFrame] = []
        alerts: list[Alert] = []
        for lane, mine in self._split(rows):
            for step in self._steps(lane, mine):
                closed += step.closed
                alerts += step.alerts
                for bars in step.closed:
                    self._hashes[lane].update(frames.encode(bars))
                for alert in step.alerts:
                    self._hashes[lane].update(alert.id.encode())
        self.bars += sum(map(len, closed))
        self.alerts += len(alerts)
        return LaneOutput(tuple(closed), (), tuple(alerts))

    def _split(self, rows: TickRows | BarFrame) -> Iterator[tuple[int, TickRows | BarFrame]]:
        """Yield each lane's share; of bars every lane has one, also without rows: time passes there too."""
        of_name = [self._lane(symbol) for symbol in rows.symbols]
        if isinstance(rows, TickRows):
            lanes = np.array(of_name, np.int64)[rows.symbol]
            for lane in np.unique(lanes).tolist():
                yield lane, rows.take(np.flatnonzero(lanes == lane))
        else:
            for lane in range(self.n_lanes):
                yield lane, rows.take(np.array(of_name, np.int64) == lane)

    def _lane(self, symbol: str) -> int:
        if symbol not in self._lane_of:
            self._lane_of[symbol] = lane_of(symbol, self.n_lanes, underlying_of)
        return self._lane_of[symbol]

    def _steps(self, lane: int, rows: TickRows | BarFrame) -> Iterator[LaneOutput]:
        if lane not in self._states:
            self._states[lane], self._hashes[lane] = LaneState(self.config), hashlib.sha256()
        state = self._states[lane]
        if isinstance(rows, TickRows):
            output = state.apply_ticks(rows)
            self.refused += sum(refused.size for _, refused in output.refused)
            yield from (step for _, step in output.steps)
            return
        try:
            found = state.apply(rows)
        except BadMessage:
            self.refused += len(rows)
            return
        self.refused += sum(len(part.rows) for part in found.refused)
        yield found

    def hot(self) -> dict[str, HotRow]:
        """Return the newest values of every symbol that changed since the last call."""
        return {symbol: row for lane in sorted(self._states) for symbol, row in self._states[lane].take_hot().items()}

    @property
    def digest(self) -> str:
        """Return the digest so far of every lane's bars and alerts, in hexadecimal: the same for the same rows."""
        whole = hashlib.sha256()
        for lane in sorted(self._hashes):
            whole.update(b"%d:" % lane + self._hashes[lane].digest())
        return whole.hexdigest()
