"""A person's own files: read whole or not at all, with the row that is wrong."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tapeline.core.errors import DataError
from tapeline.core.types import DAY_S, NS_PER_S, Label
from tapeline.feed.imports import read_bars, read_ticks

MIDNIGHT_NS = 1_273_104_000 * NS_PER_S  # 2010-05-06
HEADER = "symbol,date,open,high,low,close,volume\n"


def _csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_bars_come_by_time_and_symbol_and_what_is_absent_is_nan(tmp_path: Path) -> None:
    rows = "msft,2010-05-07,3,4,2,3,10\nIBM,2010-05-06,1,2,1,2,5\nMSFT,2010-05-06,2,3,1,2,7\n"
    frame = read_bars(_csv(tmp_path, HEADER + rows), DAY_S)
    assert frame.symbols == ("IBM", "MSFT", "MSFT")
    assert frame.event_ns.tolist() == [MIDNIGHT_NS, MIDNIGHT_NS, MIDNIGHT_NS + DAY_S * NS_PER_S]
    assert frame.close.tolist() == [2.0, 2.0, 3.0]
    assert np.isnan(frame.vwap).all()
    assert (frame.feed, frame.label, frame.as_of_ns) == ("import", Label.REAL, MIDNIGHT_NS + 2 * DAY_S * NS_PER_S)


@pytest.mark.parametrize(
    "moment",
    ["2010-05-06T00:00:00Z", "2010-05-05T20:00:00-04:00", "1273104000", "1273104000000", str(MIDNIGHT_NS)],
)
def test_moments_are_read_in_every_usual_spelling(tmp_path: Path, moment: str) -> None:
    text = f"Ticker,Timestamp,O,H,L,C,V,VW,N\nIBM,{moment},1,2,1,2,5,1.5,3\n"
    frame = read_bars(_csv(tmp_path, text), 60)
    assert frame.event_ns.tolist() == [MIDNIGHT_NS]
    assert (frame.vwap[0], frame.trades[0]) == (1.5, 3.0)


def test_parquet_with_dates_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.parquet"
    prices = {name: [2.0] for name in ("open", "high", "low", "close", "volume")}
    pq.write_table(pa.table({"symbol": ["IBM"], "date": [dt.date(2010, 5, 6)], **prices}), path)
    assert read_bars(path, DAY_S).event_ns.tolist() == [MIDNIGHT_NS]


def test_ticks_become_minute_bars(tmp_path: Path) -> None:
    start = MIDNIGHT_NS // NS_PER_S
    rows = [("B", 61, 5.0, 1), ("A", 3, 2.0, 10), ("A", 3, 4.0, 30), ("A", 59, 3.0, 0), ("A", 60, 9.0, 2)]
    text = "symbol,time,price,size\n" + "".join(f"{s},{start + t},{p},{n}\n" for s, t, p, n in rows)
    frame = read_ticks(_csv(tmp_path, text))
    assert [(bar.symbol, (bar.event_ns - MIDNIGHT_NS) // NS_PER_S) for bar in frame.bars()] == [
        ("A", 0),
        ("A", 60),
        ("B", 60),
    ]
    first = next(frame.bars())
    assert (first.open, first.high, first.low, first.close) == (2.0, 4.0, 2.0, 3.0)
    assert (first.volume, first.vwap, first.trades) == (40.0, 3.5, 3.0)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("IBM,2010-05-06,1,2,1,0,5", "row 2 of .* has a price that is not a positive number"),
        ("IBM,2010-05-06,1,2,1,,5", "row 2 of .* has a price that is not a positive number"),
        ("IBM,2010-05-06,1,2,1,3,5", "row 2 of .* has an open or close outside low to high"),
        ("IBM,2010-05-06,1,2,1,2,-5", "row 2 of .* has a volume"),
        (",2010-05-06,1,2,1,2,5", "row 2 of .* has no symbol"),
        ("AA,2010-05-06,1,2,1,2,5", "two bars of AA"),
        ("IBM,never,1,2,1,2,5", "the column date of .* cannot be read as moments"),
        ("IBM,2010-05-06,one,2,1,2,5", "the column open of .* no number"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_taken(tmp_path: Path, row: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_bars(_csv(tmp_path, f"{HEADER}AA,2010-05-06,1,2,1,2,5\n{row}\n"), DAY_S)


def test_what_is_no_such_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no column volume: it may be called volume, vol, v"):
        read_bars(_csv(tmp_path, "symbol,date,open,high,low,close\nA,2010-05-06,1,1,1,1\n"), DAY_S)
    with pytest.raises(DataError, match="holds no row"):
        read_bars(_csv(tmp_path, HEADER), DAY_S)
    with pytest.raises(DataError, match=r"cannot read .*absent"):
        read_bars(tmp_path / "absent.csv", DAY_S)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match=r"cannot read .*broken"):
        read_bars(broken, DAY_S)
