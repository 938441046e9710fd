"""Rows that need not stay for ever, taken out of the journal by whole days.

In: an open store, and how many of the newest days stay.  Out: the rows that went.
Refuses to touch orders, fills, their ends, splits, valuations and dossiers, and every decision that an order came of.
"""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from tapeline.core.types import DAY_S, NS_PER_S

_DAY_NS = DAY_S * NS_PER_S

# A step that found nothing has no moment of its own: its run has.
_RUNS = (
    f"SELECT run_id, min(moment_ns) // {_DAY_NS} AS day FROM ("
    "SELECT run_id, event_ns AS moment_ns FROM pipeline_events UNION ALL "
    "SELECT run_id, as_of_ns FROM evidence_steps WHERE as_of_ns IS NOT NULL) GROUP BY run_id"
)


def prune_evidence(connection: DuckDBPyConnection, days: int) -> int:
    """Keep headlines, collected evidence and stages of the newest ``days`` days; return the rows that went."""
    where = []
    if (day := _first_kept(connection, f"SELECT event_ns // {_DAY_NS} AS day FROM headlines", days)) is not None:
        where.append(f"headlines WHERE event_ns // {_DAY_NS} < {day}")
    if (day := _first_kept(connection, _RUNS, days)) is not None:
        # Asked before anything goes: without the rows of one table, those of the other would seem of another day.
        connection.execute(f"CREATE OR REPLACE TEMP TABLE old_runs AS SELECT run_id FROM ({_RUNS}) WHERE day < {day}")
        where += [f"{table} WHERE run_id IN (FROM old_runs)" for table in ("evidence_steps", "pipeline_events")]
    return _delete(connection, where)


def prune_decisions(connection: DuckDBPyConnection, days: int) -> int:
    """Keep the decisions without an order of the newest ``days`` days; return the rows that went."""
    day = _first_kept(connection, f"SELECT as_of_ns // {_DAY_NS} AS day FROM cycles", days)
    if day is None:
        return 0
    old = f"as_of_ns // {_DAY_NS} < {day}"
    where = [
        f"cycles WHERE {old} AND json_array_length(record, '$.orders') = 0",
        f"signals WHERE {old} AND signal_id NOT IN (SELECT signal_id FROM orders)",
        "votes WHERE signal_id NOT IN (SELECT signal_id FROM signals)",
    ]
    return _delete(connection, where)


def _first_kept(connection: DuckDBPyConnection, days_of: str, days: int) -> int | None:
    """Return the first of the newest ``days`` days, counted since 1970; None when there are not more than these."""
    newest = f"SELECT DISTINCT day FROM ({days_of}) ORDER BY day DESC LIMIT {days + 1}"
    found = [day for (day,) in connection.execute(newest).fetchall()]
    return int(found[days - 1]) if len(found) > days else None


def _delete(connection: DuckDBPyConnection, where: list[str]) -> int:
    """Delete in one transaction."""
    if not where:
        return 0
    connection.begin()
    try:
        gone = sum(int(connection.execute(f"DELETE FROM {part}").fetchall()[0][0]) for part in where)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return gone
