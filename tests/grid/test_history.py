"""History: the shipped days as a grid in today's shares, the future left out, bad files refused in one sentence."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tapeline.core.errors import DataError
from tapeline.grid.history import History, date_of, day_ns, load_history


@pytest.fixture(scope="module")
def shipped() -> History:
    return load_history()


def rows(**changes: Any) -> pa.Table:
    """Return a universe of two symbols and two sessions, with columns replaced or (None) left out."""
    table: dict[str, Any] = {
        "symbol": ["B", "B", "A", "A"],
        "name": ["Bee", "Bee", "", ""],
        "sector": ["Energy", "Energy", "", ""],
        "industry": ["", "", "", ""],
        "session": [dt.date(2010, 1, 4), dt.date(2010, 1, 5)] * 2,
        **{name: [1.0, 2.0, 3.0, 4.0] for name in ("open", "high", "low", "close", "volume")},
        **changes,
    }
    return pa.table({name: column for name, column in table.items() if column is not None})


def written(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path)
    return path


def test_shipped_history_has_every_session_and_symbol(shipped: History) -> None:
    assert (shipped.grid.n_bars, len(shipped.grid.symbols)) == (245, 524)
    assert (str(shipped.days[0]), str(shipped.days[-1])) == ("2009-08-21", "2010-08-20")
    assert shipped.about.sectors[shipped.grid.column("AAPL")] == "Information Technology"
    assert set(shipped.about.kinds) == {"stock"}


def test_no_split_stands_in_the_prices(shipped: History) -> None:
    for symbol in ("DHR", "ESRX", "GIS", "ETFC"):
        close = shipped.grid.field("close")[:, shipped.grid.column(symbol)]
        assert np.nanmax(np.abs(np.diff(np.log(close[~np.isnan(close)])))) < 0.3


def test_a_split_of_the_future_is_not_known(shipped: History) -> None:
    past = load_history(until=dt.date(2010, 6, 1))
    column = past.grid.column("ETFC")
    assert past.grid.field("close")[-1, column] < 2.0
    assert shipped.grid.field("close")[past.grid.n_bars - 1, column] > 10.0
    assert str(past.days[-1]) == "2010-06-01"


def test_universe_file_is_read_in_the_order_of_symbols(tmp_path: Path) -> None:
    history = load_history(written(tmp_path / "u.parquet", rows()))
    assert history.grid.symbols == ("A", "B")
    assert history.grid.field("close").tolist() == [[3.0, 1.0], [4.0, 2.0]]
    assert history.about.sectors == ("", "Energy")


def test_kinds_are_read_where_the_file_has_them(tmp_path: Path) -> None:
    history = load_history(written(tmp_path / "u.parquet", rows(kind=["etf", "etf", "stock", "stock"])))
    assert history.about.kinds == ("stock", "etf")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"close": None}, "no column 'close'"),
        ({"symbol": ["A", "A", "A", "A"]}, "a symbol twice in one session"),
        ({"close": [1.0, None, 2.0, 3.0]}, "empty cells"),
    ],
)
def test_file_that_is_no_universe_is_one_sentence(tmp_path: Path, changes: dict[str, list[object]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        load_history(written(tmp_path / "u.parquet", rows(**changes)))


def test_absent_and_broken_files_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="tapeline sample"):
        load_history(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        load_history(tmp_path / "bad.parquet")
    with pytest.raises(DataError, match="no session until 1999"):
        load_history(until=dt.date(1999, 1, 1))


def test_a_day_and_its_stamp_go_both_ways() -> None:
    day = dt.date(2010, 5, 6)
    assert date_of(day_ns(day)) == date_of(day_ns(day) + 86_399 * 10**9) == day
    assert date_of(day_ns(day) - 1) == dt.date(2010, 5, 5)
