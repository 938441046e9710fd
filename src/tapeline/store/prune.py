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
    headlines = _before(connection, f"SELECT event_ns // {_DAY_NS} AS day FROM headlines", days)
    runs = _before(connection, _RUNS, days)
    # The runs are asked of both tables, so what went from one would hide the day of the other.
    connection.execute(f"CREATE OR REPLACE TEMP TABLE old_runs AS SELECT run_id FROM ({_RUNS}) WHERE day < {runs}")
    old = "run_id IN (SELECT run_id FROM old_runs)"
    return _delete(
        connection,
        (
            f"headlines WHERE event_ns // {_DAY_NS} < {headlines}",
            f"evidence_steps WHERE {old}",
            f"pipeline_events WHERE {old}",
        ),
    )


def prune_decisions(connection: DuckDBPyConnection, days: int) -> int:
    """Keep the decisions without an order of the newest ``days`` days; return the rows that went."""
    day = _before(connection, f"SELECT as_of_ns // {_DAY_NS} AS day FROM cycles", days)
    old = f"as_of_ns // {_DAY_NS} < {day}"
    return _delete(
        connection,
        (
            f"cycles WHERE {old} AND json_array_length(record, '$.orders') = 0",
            f"signals WHERE {old} AND signal_id NOT IN (SELECT signal_id FROM orders)",
            "votes WHERE signal_id NOT IN (SELECT signal_id FROM signals)",
        ),
    )


def _before(connection: DuckDBPyConnection, days_of: str, days: int) -> int:
    """Return the first of the newest ``days`` days, counted since 1970; 0 when there are not more."""
    newest = f"SELECT DISTINCT day FROM ({days_of}) ORDER BY day DESC LIMIT {days}"
    found = connection.execute(f"SELECT min(day) FROM ({newest})").fetchall()[0][0]
    return int(found or 0)


def _delete(connection: DuckDBPyConnection, where: tuple[str, ...]) -> int:
    """Delete in one transaction."""
    connection.begin()
    try:
        gone = sum(int(connection.execute(f"DELETE FROM {part}").fetchall()[0][0]) for part in where)
    except BaseException:
        connection.rollback()
        raise
    connection.commit()
    return gone
