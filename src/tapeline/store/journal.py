"""The journal: the one writer of the store.

In: ``JournalBatch``es, each one transaction.  Out: what was kept, through ``read``, bars that were rolled included.
Refuses a second process, a damaged file and a full disk, each with one sentence; nothing is ever half written.

All calls go through one worker thread at a time, in the order of the awaits, so tasks may share a journal. A write that
has begun ends even when its task is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import anyio
import anyio.to_thread
import pyarrow as pa
from duckdb import DuckDBPyConnection

from tapeline.store import export, queries, tables
from tapeline.store.batch import JournalBatch, LedgerEvent
from tapeline.store.database import bars_folder, open_database, rewrite, sentences

T = TypeVar("T")


class Journal:
    """The open store. Made by ``Journal.open``; use as ``async with await Journal.open(path) as journal``."""

    def __init__(self, path: Path, connection: DuckDBPyConnection, commit_rows: int) -> None:
        self.path = path
        self._connection = connection
        self._commit_rows = commit_rows
        self._next_seq = queries.next_seq(connection)
        self._one_thread = anyio.CapacityLimiter(1)

    @property
    def bars_folder(self) -> Path:
        """The folder of the bars that were rolled out of this journal."""
        return bars_folder(self.path)

    @classmethod
    async def open(cls, path: Path, *, commit_rows: int = 20_000) -> Journal:
        """Open the store at ``path``, making it when there is none.

        Parameters
        ----------
        path
            The DuckDB file. Its folder must exist.
        commit_rows
            Rows of bars in one transaction at most (``StoreConfig.commit_rows``).

        Raises
        ------
        StoreError
            Another process holds the file, it is damaged (and now kept aside), or it cannot be written.
        """

        def opened() -> Journal:
            connection = open_database(path)
            with sentences(path):
                return cls(path, connection, commit_rows)

        return await anyio.to_thread.run_sync(opened, limiter=anyio.CapacityLimiter(1))

    async def write(self, batch: JournalBatch) -> None:
        """Keep all of ``batch``, or raise and keep nothing of it.

        What is written twice is kept once: bars by (symbol, timeframe, start), where a higher revision replaces a
        lower; everything else by its id, where the first word stays. A batch with more than ``commit_rows`` bars takes
        several transactions, the offsets and everything else in the last: after a crash in between, the same batch
        comes again and its bars are kept once.

        Raises
        ------
        StoreError
            The disk is full or the file is damaged.
        """
        await self.read(lambda connection: self._write(connection, batch))

    async def read(self, query: Callable[[DuckDBPyConnection], T]) -> T:
        """Run one of ``tapeline.store.queries`` (or any function of a connection) and return what it returns."""

        def guarded() -> T:
            with sentences(self.path):
                return query(self._connection)

        return await anyio.to_thread.run_sync(guarded, limiter=self._one_thread)

    async def read_offsets(self) -> dict[int, str]:
        """Return, for each lane, the last id of its closed stream whose bars are kept."""
        return await self.read(queries.offsets)

    async def read_ledger(self) -> list[LedgerEvent]:
        """Return everything that changed the account, in order; ``trade.portfolio.fold`` makes the account of it."""
        return await self.read(queries.ledger)

    async def export(self, folder: Path) -> dict[str, int]:
        """Write the store as files into ``folder``; see ``store.export``. Return the rows of each file."""
        return await self.read(lambda connection: export.export(connection, folder))

    async def compact(self) -> None:
        """Rewrite the file without its holes; what is kept stays as it is.

        Raises
        ------
        StoreError
            The disk is full, or the file is damaged. The old one is in use then.
        """

        def rewritten() -> None:
            self._connection.close()
            try:
                with sentences(self.path):
                    rewrite(self.path)
            finally:
                self._connection = open_database(self.path)

        await anyio.to_thread.run_sync(rewritten, limiter=self._one_thread)

    async def aclose(self) -> None:
        """Finish what is being written, fold the log into the file and let go of it. Closing twice is closing once."""

        def closed() -> None:
            self._connection.close()  # that of then: a rewritten file has another

        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(closed, limiter=self._one_thread)

    async def __aenter__(self) -> Journal:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _write(self, connection: DuckDBPyConnection, batch: JournalBatch) -> None:
        bars = tables.bar_table(batch.frames)
        *before, last = range(0, max(bars.num_rows, 1), self._commit_rows)
        for start in before:
            with _transaction(connection):
                _insert(connection, "bars", bars.slice(start, self._commit_rows))
        with _transaction(connection):
            if bars.num_rows:
                _insert(connection, "bars", bars.slice(last))
            for name, rows in tables.row_tables(batch, self._next_seq):
                _insert(connection, name, rows)
        self._next_seq += sum(1 for _ in batch.ledger())


def _insert(connection: DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    connection.register("incoming", rows)  # replaces the one before
    connection.execute(tables.INSERT[name])


@contextmanager
def _transaction(connection: DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
