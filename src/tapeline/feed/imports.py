"""A person's own bars and ticks, from CSV or Parquet.

In: a file.  Out: frames of bars; ticks are folded into minute bars.
Refuses a file with a missing column, a moment that cannot be read or a row that cannot be a bar, by row: nothing of
such a file is taken. Numbers are the person's own and labelled real.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tapeline.core.errors import DataError
from tapeline.core.types import F64, I64, MINUTE_S, NS_PER_S, BarFrame, Label
from tapeline.store.batch import IMPORTED

NAMES = {
    "symbol": ("symbol", "ticker", "s"),
    "time": ("event_ns", "time", "timestamp", "datetime", "date", "t"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "vwap": ("vwap", "vw"),
    "trades": ("trades", "trade_count", "n"),
    "price": ("price", "p"),
    "size": ("size", "volume", "qty", "v", "s"),
}
"""Column -> the names it may have, in any case."""
_NS_ABOVE, _US_ABOVE, _MS_ABOVE = 10**17, 10**14, 10**11
"""Whole numbers above these are nano-, micro- and milliseconds since 1970; below, seconds."""
_MAX_NS = 2**62


def read_bars(path: Path, timeframe_s: int) -> BarFrame:
    """Return the bars of a file by (event_ns, symbol).

    Parameters
    ----------
    path
        CSV with a header line, or Parquet. Columns: symbol, time, open, high, low, close, volume; vwap and trades may
        be absent.
    timeframe_s
        Length of every bar in seconds.
    """
    table = _read(path)
    symbols, starts = _symbols(table, path), _moments(table, path)
    columns = {name: _numbers(table, name, path) for name in ("open", "high", "low", "close", "volume")}
    for name in ("vwap", "trades"):
        columns[name] = _numbers(table, name, path) if _has(table, name) else np.full(len(symbols), np.nan)
    _check_bars(columns, path)
    order = np.lexsort((symbols, starts))
    _check_once(symbols[order], starts[order], path)
    picked = {name: column[order] for name, column in columns.items()}
    return _frame(timeframe_s, symbols[order], starts[order], picked)


def read_ticks(path: Path) -> BarFrame:
    """Return the minute bars of a file of trades: symbol, time, price, size.

    Trades of one moment are taken in the order of the file.
    """
    table = _read(path)
    symbols, moments = _symbols(table, path), _moments(table, path)
    price, size = _numbers(table, "price", path), _numbers(table, "size", path)
    _refuse(~(price > 0) | ~(size >= 0), "a price that is not positive, or a size below zero", path)
    starts = moments - moments % (MINUTE_S * NS_PER_S)
    order = np.lexsort((np.arange(len(moments)), moments, symbols))
    symbols, starts, price, size = symbols[order], starts[order], price[order], size[order]
    first = np.flatnonzero(np.r_[True, (symbols[1:] != symbols[:-1]) | (starts[1:] != starts[:-1])])
    volume = np.add.reduceat(size, first)
    with np.errstate(invalid="ignore", divide="ignore"):
        vwap = np.add.reduceat(price * size, first) / volume
    columns = {
        "open": price[first],
        "high": np.maximum.reduceat(price, first),
        "low": np.minimum.reduceat(price, first),
        "close": price[np.r_[first[1:], len(price)] - 1],
        "volume": volume,
        "vwap": np.where(volume > 0, vwap, np.nan),
        "trades": np.diff(np.r_[first, len(price)]).astype(np.float64),
    }
    by_time = np.lexsort((symbols[first], starts[first]))
    picked = {name: column[by_time] for name, column in columns.items()}
    return _frame(MINUTE_S, symbols[first][by_time], starts[first][by_time], picked)


def _frame(timeframe_s: int, symbols: np.ndarray[Any, Any], starts: I64, columns: dict[str, F64]) -> BarFrame:
    end_ns = int(starts.max()) + timeframe_s * NS_PER_S
    return BarFrame(
        timeframe_s,
        IMPORTED,
        Label.REAL,
        end_ns,
        tuple(symbols.tolist()),
        starts,
        open=columns["open"],
        high=columns["high"],
        low=columns["low"],
        close=columns["close"],
        volume=columns["volume"],
        vwap=columns["vwap"],
        trades=columns["trades"],
    )


def _read(path: Path) -> pa.Table:
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            table = pq.read_table(path)
        else:
            with path.open("rb") as file:
                table = pa_csv.read_csv(file)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except pa.ArrowException as error:
        raise DataError(f"cannot read {path}: {str(error).splitlines()[0]}") from None
    table = table.rename_columns([name.strip().lower() for name in table.column_names])
    if not table.num_rows:
        raise DataError(f"{path} holds no row")
    return table


def _has(table: pa.Table, name: str) -> bool:
    return any(known in table.column_names for known in NAMES[name])


def _column(table: pa.Table, name: str, path: Path) -> tuple[str, pa.ChunkedArray]:
    for known in NAMES[name]:
        if known in table.column_names:
            return known, table[known]
    raise DataError(f"{path} has no column {name}: it may be called {', '.join(NAMES[name])}")


def _symbols(table: pa.Table, path: Path) -> np.ndarray[Any, Any]:
    _, column = _column(table, "symbol", path)
    names = [str(name).strip().upper() if name is not None else "" for name in column.to_pylist()]
    _refuse(np.array([not name for name in names]), "no symbol", path)
    return np.array(names, dtype=np.str_)


def _numbers(table: pa.Table, name: str, path: Path) -> F64:
    found, column = _column(table, name, path)
    try:
        return np.asarray(pc.cast(column, pa.float64()).to_numpy(), np.float64)
    except pa.ArrowException:
        raise DataError(f"the column {found} of {path} holds something that is no number") from None


def _moments(table: pa.Table, path: Path) -> I64:
    """Return UTC nanoseconds of the column of times: whole numbers by their size, dates, or ISO 8601 text."""
    found, column = _column(table, "time", path)
    try:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = pc.cast(column, pa.timestamp("ns", tz="UTC"))
        if pa.types.is_temporal(column.type):
            stamps = pc.cast(column, pa.timestamp("ns", tz=getattr(column.type, "tz", None)))
            moments = pc.cast(stamps, pa.int64())
        else:
            moments = pc.cast(column, pa.int64())
    except pa.ArrowException as error:
        raise DataError(
            f"the column {found} of {path} cannot be read as moments: {str(error).splitlines()[0]}"
        ) from None
    if moments.null_count:
        raise DataError(f"the column {found} of {path} has empty cells")
    values: I64 = moments.to_numpy().astype(np.int64)
    if not pa.types.is_temporal(column.type):
        values = values * np.select(
            [values > _NS_ABOVE, values > _US_ABOVE, values > _MS_ABOVE], [1, 1_000, 1_000_000], NS_PER_S
        )
    _refuse(np.less_equal(values, 0), "a moment before 1970", path)
    _refuse(np.greater(values, _MAX_NS), "a moment after 2116", path)
    return values


def _check_bars(columns: dict[str, F64], path: Path) -> None:
    prices = np.stack([columns[name] for name in ("open", "high", "low", "close")])
    with np.errstate(invalid="ignore"):
        good: NDArray[np.bool_] = np.logical_and.reduce((prices > 0) & np.isfinite(prices))
        _refuse(~good, "a price that is not a positive number", path)
        low, high = prices.min(axis=0), prices.max(axis=0)
        _refuse((columns["low"] > low) | (columns["high"] < high), "an open or close outside low to high", path)
        _refuse(~(columns["volume"] >= 0), "a volume that is not a number of at least zero", path)


def _check_once(symbols: np.ndarray[Any, Any], starts: I64, path: Path) -> None:
    twice = np.flatnonzero((symbols[1:] == symbols[:-1]) & (starts[1:] == starts[:-1]))
    if twice.size:
        row = int(twice[0])
        raise DataError(f"{path} has two bars of {symbols[row]} at {starts[row]}: keep one of them")


def _refuse(bad: NDArray[np.bool_], what: str, path: Path) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        raise DataError(
            f"row {int(rows[0]) + 1} of {path} has {what}; {rows.size} rows are like that, nothing is taken"
        )
