"""The instruments file: CSV and Parquet read alike, exact strikes, and every bad row named."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from tapeline.core.errors import DataError
from tapeline.core.instruments import ExpiryBasis, InstrumentBook, InstrumentKind, Right, parse_symbol

HEADER = "instrument_token,tradingsymbol,name,expiry,strike,lot_size,instrument_type,segment,exchange\n"
ROWS = (
    "1,NIFTY 50,NIFTY 50,,0,0,EQ,INDICES,NSE\n"
    "2,RELIANCE,RELIANCE INDUSTRIES,,0,1,EQ,NSE,NSE\n"
    "3,NAN,NAN LIMITED,,0,1,EQ,NSE,NSE\n"
    "4,NIFTY25NOV24000CE,NIFTY,2025-11-25,24000,75,CE,NFO-OPT,NFO\n"
    "5,USDINR25NOV88.25PE,USDINR,2025-11-26,88.25,1,PE,CDS-OPT,CDS\n"
    "6,GOLD25DECFUT,GOLD,2025-12-05,0,1,FUT,MCX-FUT,MCX\n"
    "7,ODD7X25113012CE,ODD7X,2025-11-30,12,500,CE,NFO-OPT,NFO\n"
)


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "instruments.csv"
    path.write_text(HEADER + ROWS)
    return path


def test_a_file_tells_expiry_strike_and_lot(csv_file: Path) -> None:
    book = InstrumentBook.load(csv_file)
    option = parse_symbol("NFO:NIFTY25NOV24000CE", book=book)
    assert (option.kind, option.underlying, option.lot_size) == ("option", "NIFTY", 75)
    assert (option.expiry, option.expiry_basis) == (dt.date(2025, 11, 25), ExpiryBasis.FILE)
    assert (option.strike, option.right) == (Decimal(24000), Right.CALL)
    assert option == parse_symbol("NIFTY25NOV24000CE")
    assert parse_symbol("USDINR25NOV88.25PE", book=book).strike == Decimal("88.25")
    assert len(book) == len(list(book)) == 7


def test_a_file_names_what_the_grammar_refuses_or_cannot_know(csv_file: Path) -> None:
    book = InstrumentBook.load(csv_file)
    assert parse_symbol("ODD7X25113012CE", book=book).strike == Decimal(12)
    assert parse_symbol("RELIANCE", book=book).symbol == "NSE:RELIANCE"
    assert parse_symbol("GOLD25DECFUT", book=book).expiry == dt.date(2025, 12, 5)
    assert parse_symbol("NSE:NAN", book=book).lot_size == 1


def test_an_index_in_the_file_is_an_index_and_lies_with_its_options(csv_file: Path) -> None:
    index = parse_symbol("NIFTY 50", book=InstrumentBook.load(csv_file))
    assert (index.kind, index.underlying, index.lot_size) == (InstrumentKind.INDEX, "NIFTY", None)


def test_parquet_reads_as_csv_does(csv_file: Path, tmp_path: Path) -> None:
    table = pa.csv.read_csv(csv_file)
    assert table.schema.field("expiry").type == pa.date32()
    path = tmp_path / "instruments.parquet"
    pa.parquet.write_table(table, path)
    by_csv, by_parquet = (list(InstrumentBook.load(file)) for file in (csv_file, path))
    assert by_csv == by_parquet
    assert [i.expiry for i in by_csv] == [i.expiry for i in by_parquet]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,X25NOV5CE,X,2025-11-31,5,1,CE,NFO-OPT,NFO\n", "row 1 .*day"),
        ("1,X25NOV5CE,X,,5,1,CE,NFO-OPT,NFO\n", "row 1 .*isoformat"),
        ("1,X25NOV5CE,X,2025-11-25,,1,CE,NFO-OPT,NFO\n", "row 1 "),
        ("1,X25NOV5CE,X,2025-11-25,nan,1,CE,NFO-OPT,NFO\n", "nan is no strike"),
        ("1,X25NOV5CE,X,2025-11-25,0,1,CE,NFO-OPT,NFO\n", "0 is no strike"),
        ("1,X25NOV5CE,,2025-11-25,5,1,CE,NFO-OPT,NFO\n", "contract on"),
        ("1,X25NOV5CE,X,2025-11-25,5,1.5,CE,NFO-OPT,NFO\n", "no lot size"),
        ("1,X,X,,0,1,BOND,NSE,NSE\n", "unknown instrument_type 'BOND'"),
        ("1,,X,,0,1,EQ,NSE,NSE\n", "no tradingsymbol"),
        ("1,X,X,,0,1,EQ,NSE,NSE\n1,X25NOVFUT,X,,0,1,FUT,NFO-FUT,NFO\n", "row 2 "),
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(HEADER + row)
    with pytest.raises(DataError, match=reason):
        InstrumentBook.load(path)


def test_two_rows_for_one_symbol_must_agree(tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    row = "1,X25NOVFUT,X,2025-11-{day},0,1,FUT,NFO-FUT,NFO\n"
    path.write_text(HEADER + row.format(day=25) + row.format(day=25))
    assert len(InstrumentBook.load(path)) == 1
    path.write_text(HEADER + row.format(day=25) + row.format(day=24))
    with pytest.raises(DataError, match="two rows for NFO:X25NOVFUT"):
        InstrumentBook.load(path)


def test_a_file_that_is_missing_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        InstrumentBook.load(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"neither \.csv nor \.parquet"):
        InstrumentBook.load(tmp_path / "book.xlsx")
    path = tmp_path / "short.csv"
    path.write_text("tradingsymbol,name\nX,X\n")
    with pytest.raises(DataError, match="no column expiry, strike"):
        InstrumentBook.load(path)
