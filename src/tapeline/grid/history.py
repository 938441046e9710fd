"""Daily history on disk as a grid: the shipped one, or a universe file of ``tapeline sample``.

In: a Parquet file with one row per symbol and session.  Out: a grid of sessions in today's shares, and what is known of
each symbol, with the symbols and bars that could not be read. Refuses files without the columns of a universe.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tapeline.core.errors import DataError
from tapeline.core.types import DAY_S, F64, NS_PER_S
from tapeline.data import CORPORATE_ACTIONS, DAILY, UNIVERSE, shipped
from tapeline.grid.bars import BarGrid
from tapeline.grid.judged import FIELDS, Judged, judge, typed

ROW_COLUMNS = ("symbol", "session", *FIELDS)
ABOUT_COLUMNS = ("symbol", "name", "sector", "industry")
TEXTS = (*ABOUT_COLUMNS, "kind")
DAY_BEGINS_S = 5 * 3600
"""A session is stamped with 05:00 UTC of its day: midnight in New York, before every open and after every close."""
STOCK = "stock"
"""What a symbol is when its file does not say."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known of the symbols of a universe, in the order of its columns; "" where nothing is."""

    names: tuple[str, ...]
    sectors: tuple[str, ...]
    kinds: tuple[str, ...]

    @staticmethod
    def unknown(n_symbols: int) -> About:
        """Return what is known of symbols of which nothing is known."""
        return About(("",) * n_symbols, ("",) * n_symbols, (STOCK,) * n_symbols)


@dataclass(frozen=True, slots=True)
class History:
    """Sessions of a universe.

    Attributes
    ----------
    grid
        Daily bars, splits taken out, oldest first.
    about
        Of the grid's symbols.
    origin
        Where it comes from, in a few words for a person.
    refused
        Symbols of the file that are not in the grid, and why: a row twice, an empty cell.
    doubts
        Symbols of the grid with bars that cannot be and are taken as no bar, and what is wrong with the newest.
    """

    grid: BarGrid
    about: About
    origin: str
    refused: Mapping[str, str] = field(default_factory=dict)
    doubts: Mapping[str, str] = field(default_factory=dict)

    @property
    def days(self) -> NDArray[np.datetime64]:
        """The date of each row, datetime64[D]."""
        return self.grid.event_ns.astype("datetime64[ns]").astype("datetime64[D]")


def day_ns(day: dt.date) -> int:
    """Return the stamp of a session's daily bar, UTC nanoseconds."""
    return ((day.toordinal() - _EPOCH) * DAY_S + DAY_BEGINS_S) * NS_PER_S


def date_of(moment_ns: int) -> dt.date:
    """Return the day that a moment belongs to, as ``day_ns`` stamps it."""
    return dt.date.fromordinal(_EPOCH + (moment_ns // NS_PER_S - DAY_BEGINS_S) // DAY_S)


_EPOCH = dt.date(1970, 1, 1).toordinal()


def load_history(universe: Path | None = None, until: dt.date | None = None) -> History:
    """Return the shipped history, or the one in a universe file.

    Parameters
    ----------
    universe
        A Parquet file as `tapeline sample` writes it; None for the 524 shipped names.
    until
        The last session to read; later ones are left out, and splits after it are not applied.

    Raises
    ------
    DataError
        When a file is absent, unreadable, lacks a column, has no session in time or no symbol that can be read.
    """
    if universe is None:
        rows, about = _read(shipped(DAILY), ROW_COLUMNS), _read(shipped(UNIVERSE), ABOUT_COLUMNS)
        origin = "the shipped real days"
    else:
        rows = _read(universe, (*ROW_COLUMNS, *ABOUT_COLUMNS[1:]))
        about, origin = None, str(universe)
    rows = typed(rows, origin)
    if until is not None:  # a row without a session stays: it is told of
        rows = rows.filter(pc.less_equal(rows["session"], pa.scalar(until)).fill_null(True))
    if not rows.num_rows:
        raise DataError(f"{origin} has no session{f' until {until}' if until else ''}")
    judged = judge(rows, origin)
    symbols, columns = judged.symbols
    grid = _grid(judged)
    adjust_splits(grid, until)
    known = _first_rows(judged.rows, columns) if about is None else about
    return History(grid, _about(known, tuple(symbols)), origin, judged.refused, judged.doubts)


def adjust_splits(grid: BarGrid, until: dt.date | None = None) -> None:
    """Bring prices before each shipped corporate action to the shares after it; actions after ``until`` are unknown."""
    table = _read(shipped(CORPORATE_ACTIONS), ("symbol", "ex_date", "ratio"))
    for row in table.to_pylist():
        if row["symbol"] in grid.universe and (until is None or row["ex_date"] <= until):
            grid.adjust(row["symbol"], day_ns(row["ex_date"]), row["ratio"])


def _grid(judged: Judged) -> BarGrid:
    (symbols, columns), (sessions, at) = judged.symbols, judged.sessions
    panels: dict[str, F64] = {name: np.full((len(sessions), len(symbols)), np.nan) for name in FIELDS}
    for name, panel in panels.items():
        panel[at, columns] = judged.rows[name].to_numpy()
    return BarGrid.from_arrays(
        symbols,
        [day_ns(day) for day in sessions],
        open=panels["open"],
        high=panels["high"],
        low=panels["low"],
        close=panels["close"],
        volume=panels["volume"],
    )


def _about(table: pa.Table, symbols: tuple[str, ...]) -> About:
    places = pc.index_in(pa.array(symbols), table["symbol"].cast(pa.string()).combine_chunks())

    def column(name: str, otherwise: str) -> tuple[str, ...]:
        if name not in table.column_names:
            return (otherwise,) * len(symbols)
        return tuple(text or otherwise for text in table[name].take(places).to_pylist())

    return About(column("name", ""), column("sector", ""), column("kind", STOCK))


def _first_rows(rows: pa.Table, columns: NDArray[np.intp]) -> pa.Table:
    """Return one row of each symbol."""
    first = np.zeros(columns.max() + 1, np.intp)
    first[columns[::-1]] = np.arange(len(columns) - 1, -1, -1)
    return rows.take(first)


def _read(path: Path, columns: tuple[str, ...]) -> pa.Table:
    try:
        have = pq.read_schema(path).names
        if absent := [name for name in columns if name not in have]:
            raise DataError(f"{path} has no column {absent[0]!r}: it is no universe file; `tapeline sample` writes one")
        wanted = [*columns, *(["kind"] if "kind" in have and "sector" in columns else [])]
        table = pq.read_table(path, columns=wanted, read_dictionary=[name for name in wanted if name in TEXTS])
    except FileNotFoundError:
        raise DataError(f"there is no universe file {path}; `tapeline sample --out {path}` makes one") from None
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from None
    return table
