"""Each step runs once, and a step that fails leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from tests.store.batches import frame

from tapeline.store import migrations
from tapeline.store.migrations import MIGRATIONS, migrate, schema_version
from tapeline.store.tables import INSERT, SCHEMAS, bar_table


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as opened:
        yield opened


def test_an_empty_database_comes_to_the_newest_schema(connection: duckdb.DuckDBPyConnection) -> None:
    migrate(connection)
    assert schema_version(connection) == len(MIGRATIONS)


def test_migrating_twice_changes_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    migrate(connection)
    before = connection.execute("SELECT sql FROM duckdb_tables() ORDER BY sql").fetchall()
    migrate(connection)
    assert connection.execute("SELECT sql FROM duckdb_tables() ORDER BY sql").fetchall() == before


def test_a_step_that_fails_leaves_the_schema_before_it(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def m002_broken(one: duckdb.DuckDBPyConnection) -> None:
        one.execute("CREATE TABLE half (a INTEGER)")
        raise ValueError("stop")

    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, m002_broken))
    with pytest.raises(ValueError, match="stop"):
        migrate(connection)
    assert schema_version(connection) == len(MIGRATIONS)
    assert connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'half'").fetchall() == []


def test_every_table_that_is_written_has_exactly_the_columns_that_are_written(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    migrate(connection)
    for name, schema in SCHEMAS.items():
        rows = connection.execute("SELECT column_name FROM duckdb_columns() WHERE table_name = ?", [name]).fetchall()
        assert {row[0] for row in rows} == set(schema.names), name


def test_bars_of_before_lose_their_index_and_nothing_else(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(price: float, revision: int) -> list[tuple[str, float, int]]:
        connection.register("incoming", bar_table([frame(3, price=price, revision=revision)]))
        connection.execute(INSERT["bars"])
        return connection.execute("SELECT symbol, open, revision FROM bars ORDER BY symbol").fetchall()

    def indexed() -> bool:
        keys = "FROM duckdb_constraints() WHERE table_name = 'bars' AND constraint_type = 'PRIMARY KEY'"
        return bool(connection.execute(keys).fetchall())

    with monkeypatch.context() as before:
        before.setattr(migrations, "MIGRATIONS", MIGRATIONS[:2])
        migrate(connection)
    assert put(10.0, 1) == [("AAA", 10.0, 1), ("BBB", 10.125, 1)]
    assert indexed()
    migrate(connection)
    assert not indexed()
    assert put(11.0, 0) == [("AAA", 10.0, 1), ("BBB", 10.125, 1)]
    assert put(12.0, 2) == [("AAA", 12.0, 2), ("BBB", 12.125, 2)]
