"""Bars that left the journal: Parquet files by the day, in UTC, on which the bars begin.

In: an open store, and the folder ``bars`` beside it.  Out: ``date=YYYY-MM-DD/bars-NNNN.parquet``, and ``every_bar``,
the view in which rolled bars and those of the journal are one.
Refuses to let go of a bar that is not safe elsewhere: the file of a day is whole, synced and under its name before its
older files and the journal's rows go. Whenever that is broken off, nothing is lost, and what is twice is seen once.
"""

from __future__ import annotations

import datetime as dt
import glob
import os
import re
from pathlib import Path

from duckdb import DuckDBPyConnection

from tapeline.core.types import BAR_FIELDS, DAY_S, NS_PER_S
from tapeline.store.batch import IMPORTED

COLUMNS = ("symbol", "timeframe_s", "event_ns", *BAR_FIELDS, "feed", "label", "revision")
_LIST = ", ".join(COLUMNS)
_DAY_NS = DAY_S * NS_PER_S
_EPOCH = dt.date(1970, 1, 1)
_FOLDER = re.compile(r"date=(\d{4}-\d\d-\d\d)")

ROLLS = f"timeframe_s < {DAY_S} AND feed <> '{IMPORTED}'"
"""Bars that are rolled: not a day's, which are few and come from a vendor's history, and not a person's own."""

_JOURNAL = f"SELECT {_LIST}, make_timestamp_ns(event_ns)::DATE AS date FROM bars"
# The highest revision is seen, of equal ones the first that came: those of a file were rolled before. Only a day that
# has a file is looked through for what is there twice, so the days of the journal cost nothing more.
_UNION = (
    "{journal} WHERE event_ns // {day_ns} NOT IN ({days}) UNION ALL SELECT * EXCLUDE (place) FROM ("
    "SELECT *, 1 AS place FROM ({journal} WHERE event_ns // {day_ns} IN ({days})) UNION ALL SELECT {columns}, date, "
    "0 AS place FROM read_parquet('{files}', hive_partitioning = true, hive_types = {{'date': DATE}})) "
    "QUALIFY row_number() OVER (PARTITION BY date, timeframe_s, symbol, event_ns ORDER BY revision DESC, place) = 1"
)


def show_bars(connection: DuckDBPyConnection, folder: Path) -> None:
    """Make the view ``every_bar``, which has a column ``date`` beside those of ``bars``; again after files changed."""
    query = _JOURNAL
    if found := rolled_days(folder):
        days = ", ".join(str((day - _EPOCH).days) for day in found)
        files = quoted(Path(glob.escape(str(folder))) / "date=*" / "*.parquet")
        query = _UNION.format(journal=_JOURNAL, day_ns=_DAY_NS, days=days, columns=_LIST, files=files)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW every_bar AS {query}")


def quoted(path: Path) -> str:
    """Return a path as it stands between the quotes of a statement."""
    return str(path).replace("'", "''")


def rolled_days(folder: Path) -> dict[dt.date, tuple[Path, ...]]:
    """Return the files of every rolled day, oldest day first."""
    found: dict[dt.date, tuple[Path, ...]] = {}
    for path in sorted(folder.glob("date=*")):
        files = tuple(sorted(path.glob("*.parquet")))
        if files and (name := _FOLDER.fullmatch(path.name)):
            found[dt.date.fromisoformat(name[1])] = files
    return found


def journal_days(connection: DuckDBPyConnection) -> list[dt.date]:
    """Return the days of which the journal has bars that are rolled, oldest first."""
    rows = connection.execute(f"SELECT DISTINCT event_ns // {_DAY_NS} AS day FROM bars WHERE {ROLLS} ORDER BY day")
    return [_EPOCH + dt.timedelta(days=day) for (day,) in rows.fetchall()]


def roll_day(connection: DuckDBPyConnection, folder: Path, day: dt.date) -> int:
    """Put the bars of ``day`` into one file, those of its older files too; return how many left the journal."""
    target = folder / f"date={day.isoformat()}"
    is_new = not target.exists()
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in target.glob("*.part"):
        left.unlink()
    older = sorted(target.glob("*.parquet"))
    name = f"bars-{_number(older) + 1:04d}"
    part, whole = target / f"{name}.part", target / f"{name}.parquet"
    start_ns = (day - _EPOCH).days * _DAY_NS
    if older:
        source = f"every_bar WHERE date = DATE '{day.isoformat()}'"
    else:  # nothing to compare with
        source = f"bars WHERE event_ns >= {start_ns} AND event_ns < {start_ns + _DAY_NS}"
    connection.execute(
        f"COPY (SELECT {_LIST} FROM {source} AND {ROLLS} ORDER BY timeframe_s, symbol, event_ns) "
        f"TO '{quoted(part)}' (FORMAT parquet, COMPRESSION zstd)"
    )
    sync(part)
    part.rename(whole)
    for changed in (target, folder, folder.parent) if is_new else (target,):
        sync(changed)
    for path in older:
        path.unlink()
    show_bars(connection, folder)
    gone = connection.execute(
        f"DELETE FROM bars WHERE {ROLLS} AND event_ns >= ? AND event_ns < ?", [start_ns, start_ns + _DAY_NS]
    ).fetchall()
    return int(gone[0][0])


def drop_day(connection: DuckDBPyConnection, folder: Path, day: dt.date) -> int:
    """Delete the files of a rolled day; return the bytes that they took."""
    target, freed = folder / f"date={day.isoformat()}", 0
    for path in target.iterdir():
        freed += path.stat().st_size
        path.unlink()
    target.rmdir()
    show_bars(connection, folder)
    return freed


def sync(path: Path) -> None:
    """Have the disk keep a file, or the names in a folder, before this returns."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _number(files: list[Path]) -> int:
    """Return the highest number among the names of files; one that a person gave has none."""
    return max((int(found[1]) for path in files if (found := re.fullmatch(r"bars-(\d+)", path.stem))), default=0)
