"""Opening the one file, and saying in a sentence why it does not open.

In: a path.  Out: a DuckDB connection at the newest schema.
Refuses a file that another process holds, that is damaged (kept aside under another name, never overwritten) or that
cannot be written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tapeline.core.errors import StoreError
from tapeline.store.migrations import migrate
from tapeline.store.rolled import quoted, show_bars, sync

_DAMAGE = re.compile(
    r"not a valid DuckDB database file|[Cc]orrupt|checksum|Could not read enough bytes|[Ff]ailed to deserialize"
)
_FULL = re.compile(r"No space left|File too large|quota|[Cc]ould not write|Failed to write", re.IGNORECASE)
_HOLDER = re.compile(r"\(PID (\d+)\)")

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    # One thread: a commit is small, and the cores belong to the kernels.
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def open_database(path: Path) -> duckdb.DuckDBPyConnection:
    """Open the store at ``path``, making it when there is none.

    Raises
    ------
    StoreError
        One sentence: who holds the file, or where the damaged one was put, and what to do.
    """
    try:
        connection = duckdb.connect(str(path), config=_SETTINGS)
    except duckdb.Error as error:
        raise _refusal(path, error) from error
    try:
        _refuse_if_cut_off(connection, path)
        migrate(connection)
        _clear_copy(path)
    except duckdb.Error as error:
        connection.close()
        raise _refusal(path, error) from error
    except BaseException:
        connection.close()
        raise
    try:
        show_bars(connection, bars_folder(path))
    except duckdb.Error as error:
        connection.close()
        raise _damaged_bars(bars_folder(path), error) from error
    return connection


def bars_folder(path: Path) -> Path:
    """Return the folder of the bars that were rolled out of the store at ``path``."""
    return path.parent / "bars"


def rewrite(path: Path) -> None:
    """Copy a closed store into a file without its holes, and put that in its place.

    The copy is whole and synced before it takes the name, so whenever this is broken off, one good file is there. A
    store whose log was not folded in when it was closed is left as it is: the log belongs to the old file.
    """
    fresh = _clear_copy(path)
    if path.with_name(f"{path.name}.wal").exists():
        return
    with duckdb.connect(config=_SETTINGS) as connection:
        connection.execute(f"ATTACH '{quoted(path)}' AS worn (READ_ONLY)")
        connection.execute(f"ATTACH '{quoted(fresh)}' AS fresh")
        connection.execute("COPY FROM DATABASE worn TO fresh")
    sync(fresh)
    fresh.replace(path)
    sync(path.parent)


def _clear_copy(path: Path) -> Path:
    """Delete what a rewriting that was broken off has left; return the name of the next."""
    fresh = path.with_name(f"{path.name}.fresh")
    for left in (fresh, fresh.with_name(f"{fresh.name}.wal")):
        left.unlink(missing_ok=True)
    return fresh


def _damaged_bars(folder: Path, error: duckdb.Error) -> StoreError:
    return StoreError(
        f"the rolled bars in {folder} cannot be read ({_first_line(error)}): nothing was changed; put a good copy in "
        "the place of that file or move it away, and start again"
    )


def _refuse_if_cut_off(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse a file with less room than its used blocks need.

    DuckDB looks at a block only when it needs it, so a file whose end is cut off opens, and breaks days later.
    """
    used = connection.execute("SELECT block_size * used_blocks FROM pragma_database_size()").fetchall()[0][0]
    size = path.stat().st_size
    if size < used:
        raise duckdb.IOException(f"Could not read enough bytes: the file has {size} and needs {used}")


@contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Turn what the disk did to a read or a write of an open store into a ``StoreError``; our own bugs pass."""
    try:
        yield
    except duckdb.Error as error:
        text = _first_line(error)
        if ".parquet" in text:
            raise _damaged_bars(bars_folder(path), error) from error
        if _FULL.search(text):
            raise StoreError(
                f"the store {path} cannot be written, the disk is probably full ({text}): free some space and start "
                "again; everything booked before is intact and nothing of this write was kept"
            ) from error
        if _DAMAGE.search(text):
            raise StoreError(
                f"the store {path} is damaged ({text}): it was left as it is; move it away to start afresh"
            ) from error
        raise


def _refusal(path: Path, error: duckdb.Error) -> StoreError:
    text = _first_line(error)
    if "Could not set lock" in text:
        holder = _HOLDER.search(text)
        whom = f"process {holder[1]}" if holder else "another process"
        return StoreError(f"the store {path} is held by {whom}: stop it, or use another TAPELINE_HOME")
    if path.is_file() and _DAMAGE.search(text):
        kept = keep_aside(path)
        return StoreError(
            f"the store {path} was damaged ({text}) and is kept as {kept}: start again to begin a new one, "
            "or put a good copy in its place"
        )
    return StoreError(
        f"the store {path} cannot be opened ({text}): nothing was changed; see that the folder is writable"
    )


def keep_aside(path: Path) -> Path:
    """Rename a damaged file, and its write-ahead log, to the first free ``<name>.corrupt-<n>``; return the new path."""
    number = 1
    while (kept := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    log = path.with_name(f"{path.name}.wal")
    # The log goes first: were we stopped in between, a log left alone would be replayed into the next, new store.
    if log.exists():
        log.rename(kept.with_name(f"{kept.name}.wal"))
    path.rename(kept)
    return kept


def _first_line(error: duckdb.Error) -> str:
    return str(error).strip().splitlines()[0].removesuffix("!").strip()
