"""A market to simulate: real (or resampled) daily bars of many symbols, and minutes bridged inside any one of them.

In: the shipped Parquet files, or a universe file of ``tapeline.sim.resample``.  Out: ``Market`` and ``MinuteDay``.
Panels are time-major, ``(n_sessions, n_symbols)`` float64, NaN where a symbol did not trade.
Refuses to interpolate: an absent row stays NaN, and ``Market.until`` holds nothing later than its day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tapeline import data
from tapeline.core.errors import BadInput, DataError
from tapeline.core.types import F64, I64, MINUTE_S, NS_PER_S, Label
from tapeline.sim import bridge

DAILY_FIELDS = ("open", "high", "low", "close", "volume")
"""The columns of a daily bar. Volume is in shares; the source has neither a vwap nor a count of trades."""

CELL_LABELS = (Label.REAL, Label.REPAIRED, Label.RESAMPLED)
"""What the codes of ``Market.label`` mean."""

MINUTE_NS = MINUTE_S * NS_PER_S
REAL_SYMBOLS = 524
FIRST_MONTH = 21
"""Sessions that decide which symbols are the most traded; long before any day worth replaying."""

ABOUT_COLUMNS = ("symbol", "name", "sector", "industry")
DAILY_COLUMNS = ("symbol", "session", *DAILY_FIELDS, "label")
UNIVERSE_COLUMNS = (*ABOUT_COLUMNS, *DAILY_COLUMNS[1:])
"""The columns of the shipped files and of a universe file: one row per symbol and session."""


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """What changed the meaning of a price. Bars are unadjusted, so the step stands in them.

    Attributes
    ----------
    kind
        ``split``, ``spin_off`` or ``special_dividend``.
    ratio
        A price before ``ex_date`` times ``ratio`` compares with one after: 0.5 for a 2:1 split, 10 for 1:10.
    """

    symbol: str
    ex_date: dt.date
    kind: str
    ratio: float
    note: str


@dataclass(frozen=True, slots=True)
class Index:
    """Daily bars of the S&P 500 index, oldest first; each array is (n_days,), volume in shares."""

    dates: tuple[dt.date, ...]
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64


@dataclass(frozen=True, slots=True)
class MinuteDay:
    """One session in minutes: row ``i`` is the minute that starts at ``event_ns[i]``.

    Attributes
    ----------
    symbols
        (n_symbols,) the columns, as in the market.
    event_ns
        int64 (n_minutes,) starts of the minutes: 390 from 09:30 New York, 210 on a half day.
    open, high, low, close, volume, vwap, trades
        float64 (n_minutes, n_symbols). All NaN where nothing traded in that minute; volume and trades are whole.
    label
        ``Label.BRIDGED``: the minutes are made, only the day that they add up to is not.
    """

    day: dt.date
    symbols: tuple[str, ...]
    event_ns: I64
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64
    vwap: F64
    trades: F64
    label: Label = Label.BRIDGED


@dataclass(frozen=True, slots=True)
class Market:
    """Daily bars of a universe, with what is known of its symbols.

    Attributes
    ----------
    symbols
        Sorted. ``names``, ``sectors`` and ``industries`` go with them; "" where the source has none.
    sessions
        (n_sessions,) dates, oldest first. Sessions that the source lacks are not there.
    open_ns, close_ns
        int64 (n_sessions,) opening and closing time of each session.
    daily
        ``DAILY_FIELDS`` to float64 (n_sessions, n_symbols), prices in dollars and unadjusted, volume in shares.
    label
        int8 (n_sessions, n_symbols) positions in ``CELL_LABELS``; see ``label_at``. Meaningless where NaN.
    seed
        Decides how minutes run inside a day, and nothing else.
    """

    symbols: tuple[str, ...]
    names: tuple[str, ...]
    sectors: tuple[str, ...]
    industries: tuple[str, ...]
    sessions: tuple[dt.date, ...]
    open_ns: I64
    close_ns: I64
    daily: Mapping[str, F64]
    label: NDArray[np.int8]
    index: Index
    corporate_actions: tuple[CorporateAction, ...]
    seed: int

    @staticmethod
    def load(n_symbols: int = REAL_SYMBOLS, seed: int = 7, universe: Path | None = None) -> Market:
        """Return the shipped market, or the one in a universe file.

        Parameters
        ----------
        n_symbols
            Of the 524 real symbols, the most traded ones in dollars over the first month; above 524 the real ones
            and ``n_symbols - 524`` resampled ones. Not looked at with ``universe``.
        seed
            Decides the resampled symbols and the minutes inside each day.
        universe
            A file of ``tapeline sample``; all its symbols are loaded.

        Raises
        ------
        DataError
            When a file is absent, unreadable or not what it should be.
        BadInput
            When ``n_symbols`` is below 1, or above 100,524.
        """
        from tapeline.sim import resample  # it builds on Market, so it can only be imported late

        if universe is not None:
            return _build_market(_read(universe, UNIVERSE_COLUMNS), None, seed)
        if n_symbols < 1:
            raise BadInput(f"a market of {n_symbols} symbols cannot be made: choose at least 1")
        daily = _read(data.shipped(data.DAILY), DAILY_COLUMNS)
        real = _build_market(daily, _read(data.shipped(data.UNIVERSE), ABOUT_COLUMNS), seed)
        return resample.extend(real, n_symbols, seed) if n_symbols > REAL_SYMBOLS else real.most_traded(n_symbols)

    def most_traded(self, n_symbols: int) -> Market:
        """Return the market of the ``n_symbols`` that traded most dollars over its first month, or of all of them."""
        if n_symbols >= len(self.symbols):
            return self
        month = slice(0, FIRST_MONTH)
        dollars = np.nansum(self.daily["close"][month] * self.daily["volume"][month], axis=0)
        return self.take(np.sort(np.argsort(-dollars, kind="stable")[:n_symbols]))

    def take(self, cols: NDArray[np.intp]) -> Market:
        """Return the market of the given columns, which must be ascending."""
        symbols = tuple(self.symbols[int(i)] for i in cols)
        return replace(
            self,
            symbols=symbols,
            names=tuple(self.names[int(i)] for i in cols),
            sectors=tuple(self.sectors[int(i)] for i in cols),
            industries=tuple(self.industries[int(i)] for i in cols),
            daily={name: np.ascontiguousarray(panel[:, cols]) for name, panel in self.daily.items()},
            label=np.ascontiguousarray(self.label[:, cols]),
            corporate_actions=tuple(action for action in self.corporate_actions if action.symbol in symbols),
        )

    def row_of(self, day: dt.date) -> int:
        """Return the row of a session; ``DataError`` when the market has no such session."""
        try:
            return self.sessions.index(day)
        except ValueError:
            first, last = self.sessions[0], self.sessions[-1]
            raise DataError(
                f"{day} is not a session of this market: it has {len(self.sessions)} from {first} to {last}"
            ) from None

    def label_at(self, row: int, col: int) -> Label:
        """Return where one daily bar comes from."""
        return CELL_LABELS[self.label[row, col]]

    def minutes(self, day: dt.date) -> MinuteDay:
        """Return the minutes of ``day``; each symbol's add up to its daily bar exactly. Not cached: 0.1 s a call."""
        row = self.row_of(day)
        n_minutes = int(self.close_ns[row] - self.open_ns[row]) // MINUTE_NS
        event_ns = self.open_ns[row] + MINUTE_NS * np.arange(n_minutes, dtype=np.int64)
        bars = {name: self.daily[name][row] for name in DAILY_FIELDS}
        plunge = bridge.plunge_minute(self._index_until(day), day, n_minutes, self.seed)
        f = bridge.minutes_of(bars, self.symbols, day, n_minutes=n_minutes, seed=self.seed, plunge=plunge)
        prices = (f["open"], f["high"], f["low"], f["close"])
        return MinuteDay(day, self.symbols, event_ns, *prices, f["volume"], f["vwap"], f["trades"])

    def until(self, day: dt.date) -> Market:
        """Return the market as it stood after the close of ``day``: nothing later is in it."""
        n = sum(session <= day for session in self.sessions)
        return replace(
            self,
            sessions=self.sessions[:n],
            open_ns=self.open_ns[:n],
            close_ns=self.close_ns[:n],
            daily={name: panel[:n] for name, panel in self.daily.items()},
            label=self.label[:n],
            index=self._index_until(day),
            corporate_actions=tuple(action for action in self.corporate_actions if action.ex_date <= day),
        )

    def _index_until(self, day: dt.date) -> Index:
        n = sum(date <= day for date in self.index.dates)
        index = self.index
        return Index(index.dates[:n], index.open[:n], index.high[:n], index.low[:n], index.close[:n], index.volume[:n])


def _build_market(daily: pa.Table, about: pa.Table | None, seed: int) -> Market:
    """Return the market of a table of daily bars; ``about`` None when the table itself says what its symbols are."""
    symbols, cols = _codes(daily["symbol"])
    sessions, rows = _codes(daily["session"])
    if about is None:
        _, first = np.unique(cols, return_index=True)
        about = daily.select(ABOUT_COLUMNS).take(first)
    known = {row["symbol"]: row for row in about.to_pylist()}
    calendar = _read(data.shipped(data.SESSIONS), ("session", "open_ns", "close_ns"))
    hours = {row["session"]: (row["open_ns"], row["close_ns"]) for row in calendar.to_pylist()}
    if strange := [str(day) for day in sessions if day not in hours]:
        raise DataError(f"a universe file has bars on {strange[0]}, which is no session of the shipped market")
    shape = (len(sessions), len(symbols))
    panels = {name: np.full(shape, np.nan) for name in DAILY_FIELDS}
    for name, panel in panels.items():
        panel[rows, cols] = daily[name].to_numpy()
    label = np.zeros(shape, np.int8)
    label[rows, cols] = _label_codes(daily["label"])
    open_ns, close_ns = np.array([hours[day] for day in sessions], np.int64).T.copy()
    names, sectors, industries = (tuple(known[symbol][key] for symbol in symbols) for key in ABOUT_COLUMNS[1:])
    actions = tuple(action for action in _load_corporate_actions() if action.symbol in set(symbols))
    head = (symbols, names, sectors, industries, sessions)
    return Market(*head, open_ns, close_ns, panels, label, _load_index(), actions, seed)


def _codes(column: pa.ChunkedArray) -> tuple[tuple[Any, ...], NDArray[np.intp]]:
    """Return the sorted distinct values of a column, and for each row the position of its value among them."""
    values = sorted(column.unique().to_pylist())
    return tuple(values), pc.index_in(column, pa.array(values, column.type)).to_numpy().astype(np.intp)


def _label_codes(column: pa.ChunkedArray) -> NDArray[np.int8]:
    known = [str(label) for label in CELL_LABELS]
    if strange := sorted(set(column.unique().to_pylist()) - set(known)):
        raise DataError(f"a bar has the label {strange[0]!r}, which is none of {', '.join(known)}")
    return np.asarray(pc.index_in(column, pa.array(known)).to_numpy(), np.int8)


def _load_index() -> Index:
    table = _read(data.shipped(data.INDEX_DAILY), ("session", *DAILY_FIELDS))
    columns = {name: table[name].cast(pa.float64()).to_numpy() for name in DAILY_FIELDS}
    return Index(tuple(table["session"].to_pylist()), **columns)


def _load_corporate_actions() -> list[CorporateAction]:
    columns = ("symbol", "ex_date", "kind", "ratio", "note")
    return [CorporateAction(**row) for row in _read(data.shipped(data.CORPORATE_ACTIONS), columns).to_pylist()]


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    """Return the named columns of a Parquet file, or raise DataError with one sentence."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise DataError(f"there is no data file {path}") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"the data file {path} cannot be read as Parquet: {reason}") from None
    if absent := [name for name in columns if name not in table.column_names]:
        raise DataError(f"the data file {path} has no column {absent[0]!r}: it is not a file of Tapeline's market")
    if table.num_rows == 0 or any(table[name].null_count for name in columns):
        raise DataError(f"the data file {path} is empty or has nulls: a bar that is absent has no row")
    return table.select(list(columns))
