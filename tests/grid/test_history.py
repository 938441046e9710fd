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
        ({"symbol": ["A", "A", "A", "A"]}, "no symbol that can be read; A: it has 2 rows for 2010-01-04"),
        ({"session": ["2010-01-04", "2010-01-05", "soon", "later"]}, "'session' holds no dates such as 2010-05-06"),
        ({"session": [1, 2, 1, 2]}, "'session' holds no dates"),
        ({"close": ["1", "2", "3", "many"]}, "'close' holds no numbers"),
        ({"volume": [True, False, True, False]}, "'volume' holds no numbers"),
    ],
)
def test_file_that_is_no_universe_is_one_sentence(tmp_path: Path, changes: dict[str, list[object]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        load_history(written(tmp_path / "u.parquet", rows(**changes)))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"session": [dt.date(2010, 1, 5)] * 2 + [dt.date(2010, 1, 4), dt.date(2010, 1, 5)]},
            "it has 2 rows for 2010-01-05",
        ),
        ({"close": [1.0, None, 3.0, 4.0]}, "its row of 2010-01-05 has an empty cell for close"),
        (
            {"session": [None, *[dt.date(2010, 1, 5)] * 2, dt.date(2010, 1, 4)]},
            "its row of no session has an empty cell for session",
        ),
    ],
)
def test_one_bad_row_costs_its_symbol_alone(tmp_path: Path, changes: dict[str, list[object]], why: str) -> None:
    history = load_history(written(tmp_path / "u.parquet", rows(**changes)), dt.date(2010, 1, 5))
    assert history.grid.symbols == ("A",)
    assert sorted(history.grid.field("close")[:, 0].tolist()) == [3.0, 4.0]
    assert history.refused == {"B": why}


def test_rows_without_a_symbol_are_told_and_unknown_sectors_are_empty(tmp_path: Path) -> None:
    changes = {"symbol": ["B", None, "A", "A"], "sector": ["Energy", None, None, None]}
    history = load_history(written(tmp_path / "u.parquet", rows(**changes)))
    assert history.refused == {"(no symbol)": "1 rows name no symbol"}
    assert (history.grid.symbols, history.about.sectors) == (("A", "B"), ("", "Energy"))


@pytest.mark.parametrize("kind", [pa.string(), pa.timestamp("us"), pa.timestamp("ns", "UTC")])
def test_sessions_as_text_or_moments_are_their_days(tmp_path: Path, kind: pa.DataType) -> None:
    days = pa.array([dt.date(2010, 1, 4), dt.date(2010, 1, 5)] * 2)
    found = load_history(written(tmp_path / "u.parquet", rows(session=days.cast(kind), close=["1", "2", "3", "4"])))
    assert [str(day) for day in found.days] == ["2010-01-04", "2010-01-05"]
    assert found.grid.field("close").tolist() == [[3.0, 1.0], [4.0, 2.0]]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"close": [1.0, float("inf"), 3.0, 4.0]},
            "1 bar that cannot be is taken as no bar, the newest of 2010-01-05: close is inf",
        ),
        (
            {"high": [1.0, 1.0, 3.0, 4.0]},
            "1 bar that cannot be is taken as no bar, the newest of 2010-01-05: high 1 is below low 2",
        ),
        (
            {"open": [float("nan"), float("-inf"), 3.0, 4.0]},
            "2 bars that cannot be are taken as no bar, the newest of 2010-01-05: open is -inf",
        ),
    ],
)
def test_bar_that_cannot_be_is_no_bar_and_is_named(tmp_path: Path, changes: dict[str, list[object]], why: str) -> None:
    history = load_history(written(tmp_path / "u.parquet", rows(**changes)))
    assert history.doubts == {"B": why}
    assert np.isnan(history.grid.field("close")[-1, 1])


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
