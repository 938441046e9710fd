"""How the store came to look as it does: numbered functions, each run once, in order, in its own transaction.

In: an open database.  Out: the same, at the newest schema.
Refuses a database that a newer Tapeline wrote. A function that has been released is never edited; add the next one.
"""

from __future__ import annotations

from collections.abc import Callable

from duckdb import DuckDBPyConnection

from tapeline.core.errors import StoreError


def m001_initial(connection: DuckDBPyConnection) -> None:
    """Make bars, offsets, decisions and the ledger. ``seq`` is the order in which the ledger is folded."""
    connection.execute("""
        CREATE TABLE bars (
            symbol VARCHAR NOT NULL, timeframe_s INTEGER NOT NULL, event_ns BIGINT NOT NULL,
            open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE, volume DOUBLE, vwap DOUBLE, trades DOUBLE,
            feed VARCHAR NOT NULL, label VARCHAR NOT NULL, revision BIGINT NOT NULL,
            PRIMARY KEY (symbol, timeframe_s, event_ns));
        CREATE TABLE offsets (lane INTEGER PRIMARY KEY, entry_id VARCHAR NOT NULL);
        CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);

        CREATE TABLE cycles (
            cycle_id VARCHAR PRIMARY KEY, as_of_ns BIGINT NOT NULL, regime VARCHAR NOT NULL,
            equity DOUBLE, cash DOUBLE, record VARCHAR NOT NULL);
        CREATE TABLE signals (
            signal_id VARCHAR PRIMARY KEY, symbol VARCHAR NOT NULL, side VARCHAR NOT NULL, strength DOUBLE NOT NULL,
            as_of_ns BIGINT NOT NULL, expires_ns BIGINT NOT NULL, regime VARCHAR NOT NULL);
        CREATE TABLE votes (
            signal_id VARCHAR NOT NULL, place INTEGER NOT NULL, source VARCHAR NOT NULL, family VARCHAR,
            side DOUBLE, confidence DOUBLE, as_of_ns BIGINT, reason VARCHAR NOT NULL,
            PRIMARY KEY (signal_id, place));
        CREATE TABLE headlines (
            symbol VARCHAR NOT NULL, event_ns BIGINT NOT NULL, title VARCHAR NOT NULL, publisher VARCHAR NOT NULL,
            url VARCHAR NOT NULL, label VARCHAR NOT NULL, PRIMARY KEY (symbol, event_ns, title));

        CREATE TABLE orders (
            order_id VARCHAR PRIMARY KEY, seq BIGINT NOT NULL, symbol VARCHAR NOT NULL, side VARCHAR NOT NULL,
            qty DOUBLE NOT NULL, created_ns BIGINT NOT NULL, reason VARCHAR NOT NULL, signal_id VARCHAR NOT NULL);
        CREATE TABLE fills (
            fill_id VARCHAR PRIMARY KEY, seq BIGINT NOT NULL, order_id VARCHAR NOT NULL, symbol VARCHAR NOT NULL,
            side VARCHAR NOT NULL, qty DOUBLE NOT NULL, price DOUBLE NOT NULL, fee DOUBLE NOT NULL,
            event_ns BIGINT NOT NULL, label VARCHAR NOT NULL);
        CREATE TABLE order_ends (
            order_id VARCHAR PRIMARY KEY, seq BIGINT NOT NULL, kind VARCHAR NOT NULL, event_ns BIGINT NOT NULL);
        CREATE TABLE splits (
            symbol VARCHAR NOT NULL, ex_ns BIGINT NOT NULL, seq BIGINT NOT NULL, new_per_old DOUBLE NOT NULL,
            PRIMARY KEY (symbol, ex_ns));
        CREATE TABLE marks (
            mark_id VARCHAR PRIMARY KEY, seq BIGINT NOT NULL, event_ns BIGINT NOT NULL, equity DOUBLE NOT NULL,
            cash DOUBLE NOT NULL, realised_pnl DOUBLE NOT NULL, fees DOUBLE NOT NULL, is_close BOOLEAN NOT NULL);
        CREATE TABLE holdings (
            mark_id VARCHAR NOT NULL, symbol VARCHAR NOT NULL, qty DOUBLE NOT NULL, avg_price DOUBLE NOT NULL,
            price DOUBLE NOT NULL, PRIMARY KEY (mark_id, symbol));
        """)


def m002_dossiers(connection: DuckDBPyConnection) -> None:
    """Make what a run from discovery to trade leaves: dossiers, the steps they rest on, the stages of its symbols."""
    connection.execute("""
        CREATE TABLE dossiers (
            dossier_id VARCHAR PRIMARY KEY, run_id VARCHAR NOT NULL, symbol VARCHAR NOT NULL, as_of_ns BIGINT NOT NULL,
            ready_ns BIGINT NOT NULL, conviction DOUBLE NOT NULL, prior DOUBLE NOT NULL, model_part DOUBLE NOT NULL,
            action VARCHAR NOT NULL, model VARCHAR NOT NULL, llm_calls INTEGER NOT NULL, label VARCHAR NOT NULL,
            record VARCHAR NOT NULL);
        CREATE TABLE evidence_steps (
            run_id VARCHAR NOT NULL, symbol VARCHAR NOT NULL, step VARCHAR NOT NULL, kind VARCHAR NOT NULL,
            source VARCHAR NOT NULL, reason VARCHAR NOT NULL, as_of_ns BIGINT, record VARCHAR,
            PRIMARY KEY (run_id, symbol, step));
        CREATE TABLE pipeline_events (
            run_id VARCHAR NOT NULL, symbol VARCHAR NOT NULL, stage VARCHAR NOT NULL, event_ns BIGINT NOT NULL,
            detail VARCHAR NOT NULL, PRIMARY KEY (run_id, symbol, stage));
        """)


def m003_bars_without_index(connection: DuckDBPyConnection) -> None:
    """Let go of the index that kept bars apart: it was most of the file, and of the time that a rolled day took to go.

    The statement that keeps bars tells them apart now (``tables.INSERT``), and nobody else writes any.
    """
    connection.execute("""
        ALTER TABLE bars RENAME TO indexed_bars;
        CREATE TABLE bars (
            symbol VARCHAR NOT NULL, timeframe_s INTEGER NOT NULL, event_ns BIGINT NOT NULL,
            open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE, volume DOUBLE, vwap DOUBLE, trades DOUBLE,
            feed VARCHAR NOT NULL, label VARCHAR NOT NULL, revision BIGINT NOT NULL);
        INSERT INTO bars SELECT * FROM indexed_bars;
        DROP TABLE indexed_bars;
        """)


MIGRATIONS: tuple[Callable[[DuckDBPyConnection], None], ...] = (m001_initial, m002_dossiers, m003_bars_without_index)


def schema_version(connection: DuckDBPyConnection) -> int:
    """Return how many migrations the database has gone through; 0 for an empty one."""
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    return int(connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchall()[0][0])


def migrate(connection: DuckDBPyConnection) -> None:
    """Bring the database to the newest schema, one transaction a step.

    Raises
    ------
    StoreError
        The database is newer than this Tapeline.
    """
    done = schema_version(connection)
    if done > len(MIGRATIONS):
        raise StoreError(
            f"the store has schema {done} and this Tapeline knows {len(MIGRATIONS)}: "
            "use the newer Tapeline that wrote it, or another TAPELINE_HOME"
        )
    for number, step in enumerate(MIGRATIONS[done:], start=done + 1):
        connection.begin()
        try:
            step(connection)
            connection.execute("INSERT INTO schema_version VALUES (?)", [number])
        except BaseException:
            connection.rollback()
            raise
        connection.commit()
