"""Each step runs once, and a step that fails leaves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from tapeline.store import migrations
from tapeline.store.migrations import MIGRATIONS, migrate, schema_version
from tapeline.store.tables import SCHEMAS


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
