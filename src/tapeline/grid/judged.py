"""Rows of a universe file, judged: which symbols can be read, and which of their bars cannot be.

In: a table of rows as it stands in the file.  Out: ``Judged``: rows that can be used, and a reason for all that cannot.
Refuses one symbol, not the file, for a row that stands twice or lacks a cell; refuses the file for columns that are no
dates or no numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tapeline.core.errors import DataError

PRICES = ("open", "high", "low", "close")
FIELDS = (*PRICES, "volume")
NAMELESS = "(no symbol)"
"""Stands for the symbol of rows that have none."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What can be used of a file.

    Attributes
    ----------
    rows
        Rows of symbols that can be read: no empty cell in symbol, session and fields, one row a symbol and session.
    symbols, sessions
        Sorted distinct values, and for each row the position of its value among them.
    refused
        Symbol to the reason why none of its rows is read.
    doubts
        Symbol to what is told of bars that cannot be: a price that is no finite number, a high below the low.
    """

    rows: pa.Table
    symbols: tuple[list[Any], NDArray[np.intp]]
    sessions: tuple[list[Any], NDArray[np.intp]]
    refused: Mapping[str, str]
    doubts: Mapping[str, str]


def typed(table: pa.Table, origin: str) -> pa.Table:
    """Return the table with dates in ``session`` and numbers in the fields; DataError for what is neither."""
    for name, wanted, like in (("session", pa.date32(), "dates such as 2010-05-06"), *_NUMBERS):
        column = table[name]
        if column.type == wanted:
            continue
        is_moment = name == "session" and pa.types.is_temporal(column.type)
        is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        is_number = name != "session" and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type))
        try:
            if not (is_moment or is_text or is_number or pa.types.is_null(column.type)):
                raise pa.ArrowInvalid(f"they are of type {column.type}")
            found = column.cast(wanted, safe=is_text)
        except pa.ArrowException as error:
            raise DataError(f"{origin}: the column {name!r} holds no {like}: {str(error).splitlines()[0]}") from None
        table = table.set_column(table.column_names.index(name), name, found)
    return table


_NUMBERS = tuple((name, pa.float64(), "numbers") for name in FIELDS)


def judge(rows: pa.Table, origin: str) -> Judged:
    """Return what can be used of rows that ``typed`` returned.

    Raises
    ------
    DataError
        When nothing is left; the text has the first reason.
    """
    refused = _with_empty_cells(rows)
    rows = _without(rows, refused)
    symbols, sessions = _codes(rows["symbol"], refused), _codes(rows["session"], {})
    if twice := _with_two_rows(symbols, sessions):
        refused |= twice
        rows = _without(rows, twice)
        symbols, sessions = _codes(rows["symbol"], refused), _codes(rows["session"], {})
    if refused and not rows.num_rows:
        symbol, reason = next(iter(refused.items()))
        raise DataError(f"{origin} has no symbol that can be read; {symbol}: {reason}")
    return Judged(rows, symbols, sessions, refused, _doubts(rows, symbols))


def _with_empty_cells(rows: pa.Table) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in ("symbol", "session", *FIELDS):
        if not rows[name].null_count:
            continue
        lacking = rows.filter(pc.is_null(rows[name]))
        if name == "symbol":
            found[NAMELESS] = f"{lacking.num_rows} rows name no symbol"
            continue
        for symbol, session in zip(lacking["symbol"].to_pylist(), lacking["session"].to_pylist(), strict=True):
            if symbol is not None:
                found.setdefault(symbol, f"its row of {session or 'no session'} has an empty cell for {name}")
    return found


def _with_two_rows(
    symbols: tuple[list[Any], NDArray[np.intp]], sessions: tuple[list[Any], NDArray[np.intp]]
) -> dict[str, str]:
    (names, columns), (days, at) = symbols, sessions
    times = np.bincount(at * len(names) + columns) if len(at) else np.zeros(0, np.intp)
    twice = np.flatnonzero(times > 1)
    return {names[i % len(names)]: f"it has {times[i]} rows for {days[i // len(names)]}" for i in twice[::-1]}


def _doubts(rows: pa.Table, symbols: tuple[list[Any], NDArray[np.intp]]) -> dict[str, str]:
    """Return a sentence for each symbol with a bar that the grid takes as none."""
    names, columns = symbols
    price = {name: rows[name].to_numpy() for name in PRICES}
    cannot_be = price["high"] < price["low"]
    for values in price.values():
        cannot_be |= ~np.isfinite(values)
    places = np.flatnonzero(cannot_be)
    found: dict[str, str] = {}
    for column in np.unique(columns[places]):
        own = places[columns[places] == column]
        days = rows["session"].take(own).to_pylist()
        newest = max(range(len(own)), key=lambda i: days[i])
        bars = "1 bar that cannot be is" if len(own) == 1 else f"{len(own)} bars that cannot be are"
        why = _why({name: float(values[own[newest]]) for name, values in price.items()})
        found[names[column]] = f"{bars} taken as no bar, the newest of {days[newest]}: {why}"
    return found


def _why(bar: dict[str, float]) -> str:
    wild = [name for name, value in bar.items() if not np.isfinite(value)]
    return f"{wild[0]} is {bar[wild[0]]:g}" if wild else f"high {bar['high']:g} is below low {bar['low']:g}"


def _without(rows: pa.Table, refused: Mapping[str, str]) -> pa.Table:
    if not refused:
        return rows
    symbol = rows["symbol"].cast(pa.string())
    out = pc.or_(pc.is_null(symbol), pc.is_in(symbol, pa.array(list(refused), pa.string())))
    return rows.filter(pc.invert(out))


def _codes(column: pa.ChunkedArray, refused: Mapping[str, str]) -> tuple[list[Any], NDArray[np.intp]]:
    """Return the sorted distinct values of a column, and for each row the position of its value among them.

    No row has a value in ``refused``. Others count without a row too: a symbol that has not begun to trade is one.
    """
    coded = (
        column.unify_dictionaries().combine_chunks()
        if pa.types.is_dictionary(column.type)
        else column.combine_chunks().dictionary_encode()
    )
    values, places = coded.dictionary, coded.indices.to_numpy()
    kept = np.array([value not in refused for value in values.to_pylist()], np.bool_)
    if not kept.all():
        values, places = values.filter(pa.array(kept)), (np.cumsum(kept) - 1)[places]
    order = pc.sort_indices(values).to_numpy()
    place = np.empty(len(order), np.intp)
    place[order] = np.arange(len(order))
    return values.take(order).to_pylist(), place[places]
